/* Go's patterns for the C library: what means something else there gets a backslash. */
#include "tocsin/glob.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/buf.h"

static void translate(const char *p, struct buf *out)
{
	bool in_class = false, begins = false;

	for (; *p != '\0'; p++) {
		if (in_class && ((begins && *p == '!') || *p == '['))
			buf_putc(out, '\\');
		buf_putc(out, *p);
		begins = !in_class && *p == '[';
		in_class = begins || (in_class && *p != ']');
		if (*p == '\\' && p[1] != '\0')
			buf_putc(out, *++p);
	}
}

static bool is_self_or_parent(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int glob_files(const char *pattern, glob_t *found)
{
	struct buf b = { 0 };
	size_t n = 0;
	int rc;

	*found = (glob_t){ 0 };
	translate(pattern, &b);
	rc = glob(buf_z(&b), GLOB_PERIOD, NULL, found);
	buf_fini(&b);
	if (rc != 0 || !glob_is_pattern(pattern))
		return rc;
	for (size_t i = 0; i < found->gl_pathc; i++) {
		if (is_self_or_parent(found->gl_pathv[i]))
			free(found->gl_pathv[i]);
		else
			found->gl_pathv[n++] = found->gl_pathv[i];
	}
	found->gl_pathv[n] = NULL;
	found->gl_pathc = n;
	return n > 0 ? 0 : GLOB_NOMATCH;
}

bool glob_matches(const char *pattern, const char *path)
{
	struct buf b = { 0 };
	bool hit;

	translate(pattern, &b);
	hit = fnmatch(buf_z(&b), path, FNM_PATHNAME) == 0;
	buf_fini(&b);
	return hit;
}

bool glob_is_pattern(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") != NULL;
}
