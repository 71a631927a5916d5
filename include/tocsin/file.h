/* Files that were found in a folder, and not named by anybody: a FIFO among them would hold up whoever opens it. */
#ifndef TOCSIN_FILE_H
#define TOCSIN_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#define FILE_NOT_REGULAR "it is no regular file"

/* False as well when there is none. */
static inline bool file_is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

#endif
