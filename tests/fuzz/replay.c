/* SPDX-License-Identifier: MIT */
/* replay.c - main() for fuzzers that are built without libFuzzer: runs every
 * file, and every file of every directory, named on the command line once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LEN 4096

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long runs;

static int
run_file(const char *path, size_t size)
{
	FILE *const f = fopen(path, "rb");
	/* Of exactly the size, for the address sanitizer. */
	uint8_t *const data = malloc(size > 0 ? size : 1);
	int rc = -1;

	if (f == NULL || data == NULL || fread(data, 1, size, f) != size) {
		(void)fprintf(stderr, "%s: cannot be read\n", path);
	} else {
		(void)LLVMFuzzerTestOneInput(data, size);
		runs++;
		rc = 0;
	}
	if (f != NULL)
		(void)fclose(f);
	free(data);
	return rc;
}

static int run_path(const char *path, int is_named);

static int
run_directory(const char *path)
{
	DIR *const dir = opendir(path);
	struct dirent *entry;
	char inner[PATH_LEN];
	int rc = 0;

	if (dir == NULL) {
		perror(path);
		return -1;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(
			inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (run_path(inner, 0) < 0)
			rc = -1;
	}
	(void)closedir(dir);
	return rc;
}

/* Directories inside of directories are left out. */
static int
run_path(const char *path, int is_named)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return is_named ? run_directory(path) : 0;
	return run_file(path, (size_t)st.st_size);
}

int
main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		/* libFuzzer's options mean nothing here. */
		if (argv[i][0] == '-')
			continue;
		if (run_path(argv[i], 1) < 0)
			rc = 1;
	}
	(void)printf("%lu inputs\n", runs);
	return rc;
}
