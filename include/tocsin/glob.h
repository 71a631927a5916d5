/* Patterns of files as Go's filepath.Match reads them, since other people's configurations hold those: `*` and `?` match a leading dot
 * too, only `^` negates a class, and a class has no names such as [:alpha:]. */
#ifndef TOCSIN_GLOB_H
#define TOCSIN_GLOB_H

#include <glob.h>
#include <stdbool.h>

/* As glob(3), sorted; 0 or GLOB_NOMATCH or what failed. globfree() it either way. */
int glob_files(const char *pattern, glob_t *found);
bool glob_matches(const char *pattern, const char *path);
/* Whether it is more than the name of one file. */
bool glob_is_pattern(const char *pattern);

#endif
