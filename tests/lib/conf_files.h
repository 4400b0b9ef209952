/* SPDX-License-Identifier: MIT */
/* conf_files.h - small files in a directory of the test's own. */
#ifndef TESTS_LIB_CONF_FILES_H
#define TESTS_LIB_CONF_FILES_H

#include <sys/types.h>

#include "shared/base/span.h"

/* Group set-up and tear-down for cmocka. The directory must be empty at the
 * end. */
int conf_files_begin(void **state);
int conf_files_end(void **state);

/* The path of a name in the directory; static, valid for the next 8 calls. */
const char *conf_file_path(const char *name);
/* Write a file of exactly this mode; its path as above. */
const char *conf_file_make(const char *name, struct span text, mode_t mode);
void conf_file_remove(const char *name);

#endif
