/* The files of a test's folder. */
#ifndef TOCSIN_TESTS_FILES_H
#define TOCSIN_TESTS_FILES_H

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "tests.h"
#include "tocsin/str.h"

/* Calls <fn> with every file of <dir>/<sub>/ that ends so; returns how many there are. */
static inline size_t files_each(const char *dir, const char *sub, const char *suffix, void (*fn)(const char *path, void *ctx), void *ctx)
{
	char folder[128], path[512];
	size_t n = 0;
	DIR *d;

	snprintf(folder, sizeof folder, "%s/%s", dir, sub);
	d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d)) != NULL;) {
		if (f->d_name[0] == '.' || !str_ends(str_of(f->d_name), str_of(suffix)))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
		n++;
		if (fn != NULL)
			fn(path, ctx);
	}
	closedir(d);
	return n;
}

static inline void remove_file(const char *path, void *ctx)
{
	(void)ctx;
	unlink(path);
}

#endif
