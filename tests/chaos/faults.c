/* What happens to a machine, for a program that is preloaded with this: its data folder takes no byte more, its wall clock steps, names do
 * not resolve. Each is a number in the file FAULTS names, which the test writes while the program runs:
 *	int64 step_s; int64 full; int64 dns_fails; */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>

static volatile const int64_t *faults;  /* mapped */

__attribute__((constructor)) static void map_faults(void)
{
	int fd = open(getenv("FAULTS"), O_RDONLY);

	faults = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (faults == MAP_FAILED)
		abort();
}

int clock_gettime(clockid_t which, struct timespec *out)
{
	long rc = syscall(SYS_clock_gettime, which, out);

	if (rc == 0 && faults != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		out->tv_sec += faults[0];
	return (int)rc;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

/* A file of the data folder while the disk is full. */
static int refused(int fd)
{
	char link[64], path[512];
	ssize_t n;

	if (faults == NULL || faults[1] == 0)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	if (strstr(path, "/data/") == NULL || strstr(path, "-shm") != NULL)
		return 0;
	errno = ENOSPC;
	return 1;
}

ssize_t write(int fd, const void *p, size_t n)
{
	return refused(fd) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return refused(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return refused(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

/* hook.test is here, when names resolve. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (name != NULL && strcmp(name, "hook.test") == 0) {
		if (faults[2] != 0)
			return EAI_AGAIN;
		name = "127.0.0.1";
	}
	return real(name, service, hints, out);
}
