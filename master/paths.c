/* SPDX-License-Identifier: MIT */
/* paths.c - the places of the pid file, of the state and of the logs. */
#include "master/paths.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/sys/proc.h"

void
paths_absolute(char out[PATH_MAX], struct span path)
{
	size_t n = 0;

	if (!span_starts(path, SPAN("/")) &&
		getcwd(out, PATH_MAX - 1) != NULL) {
		n = strlen(out);
		out[n++] = '/';
	}
	/* A path that is cut cannot be opened, and the message names it. */
	path = span_head(path, PATH_MAX - 1 - n);
	memcpy(out + n, path.p, path.n);
	out[n + path.n] = '\0';
}

static enum gp_code
system_fail(struct gp_error *err, const char *what, const char *path)
{
	char room[128];

	return gp_fail(err, GP_E_SYSTEM, "%s %s: %s", what, path,
		strerror_r(errno, room, sizeof(room)));
}

enum gp_code
paths_give(const char *path, const char *user, const char *group,
	struct gp_error *err)
{
	const struct passwd *pw;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || user[0] == '\0')
		return GP_OK;
	pw = getpwnam(user);
	if (pw == NULL)
		return gp_fail(err, GP_E_SYSTEM, "no user %s", user);
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	if (group[0] != '\0') {
		const struct group *const gr = getgrnam(group);

		if (gr == NULL)
			return gp_fail(err, GP_E_SYSTEM, "no group %s", group);
		gid = gr->gr_gid;
	}
	if (lchown(path, uid, gid) != 0)
		return system_fail(err, "cannot give away", path);
	return GP_OK;
}

enum gp_code
paths_make_dir(
	const char *dir, unsigned mode, const char *user, struct gp_error *err)
{
	char part[PATH_MAX];
	const size_t n = strlen(dir);

	if (n == 0 || n >= sizeof(part))
		return gp_fail(err, GP_E_LIMIT, "path too long: %s", dir);
	memcpy(part, dir, n + 1);
	for (size_t i = 1; i < n; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return system_fail(err, "cannot make", part);
		part[i] = '/';
	}
	if (mkdir(dir, (mode_t)mode) == 0)
		return paths_give(dir, user, "", err);
	if (errno != EEXIST)
		return system_fail(err, "cannot make", dir);
	return GP_OK;
}

/* As that user: its groups and whatever else the kernel asks count, too. */
static int
try_write(const char *dir, const char *user, const char *group)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (proc_drop(user, group, NULL) != GP_OK)
			_exit(0); /* said elsewhere */
		_exit(access(dir, W_OK | X_OK) == 0 ? 0 : errno);
	}
	if (pid < 0)
		return errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

enum gp_code
paths_may_write(const char *dir, const char *user, const char *group,
	struct gp_error *err)
{
	const bool is_other = geteuid() == 0 && user[0] != '\0';
	const int error = is_other            ? try_write(dir, user, group) :
		access(dir, W_OK | X_OK) == 0 ? 0 :
						errno;
	char room[128];

	/* A disk that has turned read-only is nobody's mistake: requests are
	 * served all the same, and the history and the logs say what they
	 * lack. */
	if (error == 0 || error == EROFS)
		return GP_OK;
	return gp_fail(err, GP_E_SYSTEM, "%s cannot be written%s%s: %s", dir,
		is_other ? " by " : "", is_other ? user : "",
		strerror_r(error, room, sizeof(room)));
}

enum gp_code
paths_make_parent(const char *file, struct gp_error *err)
{
	char dir[PATH_MAX];
	const char *const slash = strrchr(file, '/');
	const size_t n = slash == NULL ? 0 : (size_t)(slash - file);

	if (n == 0 || n >= sizeof(dir))
		return GP_OK;
	memcpy(dir, file, n);
	dir[n] = '\0';
	return paths_make_dir(dir, 0755, "", err);
}
