/* This process: the process_* families, its limits, and its pages of code. Source: proc(5), and the names of Prometheus's client libraries. */
#include "tocsin/process.h"

#include <dirent.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tocsin/expo.h"

static const struct expo_family cpu_seconds = { "process_cpu_seconds_total", EXPO_COUNTER, "User and system CPU time spent.",
    "seconds" };
static const struct expo_family resident_bytes = { "process_resident_memory_bytes", EXPO_GAUGE, "Resident memory.", "bytes" };
static const struct expo_family virtual_bytes = { "process_virtual_memory_bytes", EXPO_GAUGE, "Virtual memory.", "bytes" };
static const struct expo_family virtual_max = { "process_virtual_memory_max_bytes", EXPO_GAUGE, "Virtual memory it may have.",
    "bytes" };
static const struct expo_family start_time = { "process_start_time_seconds", EXPO_GAUGE, "Start of the process since 1970.",
    "seconds" };
static const struct expo_family open_fds = { "process_open_fds", EXPO_GAUGE, "Open file descriptors.", NULL };
static const struct expo_family max_fds = { "process_max_fds", EXPO_GAUGE, "Most file descriptors it may open.", NULL };

/* Fields of /proc/self/stat behind the command name, which may hold anything: 14 utime, 15 stime, 22 starttime (ticks), 23, 24. */
static bool read_stat(unsigned long long *utime, unsigned long long *stime, unsigned long long *start,
    unsigned long long *vsize, long long *rss)
{
	char text[1024];
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n;
	const char *p;

	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p != NULL && sscanf(p + 1,
	    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %lld", utime, stime,
	                           start, vsize, rss) == 5;
}

static double boot_time(void)
{
	char line[256];
	double t = 0;
	FILE *f = fopen("/proc/stat", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "btime %lf", &t) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return t;
}

static void emit_fds(struct expo_set *s)
{
	struct rlimit limit;
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");

	if (d != NULL) {
		while (readdir(d) != NULL)
			n++;
		closedir(d);
		EXPO_EMIT0(s, &open_fds, (double)n - 3);        /* without ".", ".." and the folder itself */
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		EXPO_EMIT0(s, &max_fds, (double)limit.rlim_cur);
	if (getrlimit(RLIMIT_AS, &limit) == 0)
		EXPO_EMIT0(s, &virtual_max, (double)limit.rlim_cur);            /* none: 2^64, as Go's client has it */
}

void process_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);       /* refused: what we have must do */
}

double process_start_seconds(void)
{
	unsigned long long utime, stime, start, vsize;
	long long rss;

	return read_stat(&utime, &stime, &start, &vsize, &rss) ? boot_time() + (double)start / (double)sysconf(_SC_CLK_TCK) : 0;
}

void process_emit(struct expo_set *s, double start)
{
	unsigned long long utime, stime, since_boot, vsize;
	long long rss;
	double ticks = (double)sysconf(_SC_CLK_TCK);

	emit_fds(s);
	if (!read_stat(&utime, &stime, &since_boot, &vsize, &rss))
		return;
	EXPO_EMIT0(s, &cpu_seconds, (double)(utime + stime) / ticks);
	EXPO_EMIT0(s, &resident_bytes, (double)rss * (double)sysconf(_SC_PAGESIZE));
	EXPO_EMIT0(s, &virtual_bytes, (double)vsize);
	EXPO_EMIT0(s, &start_time, start);
}

static bool has_own_pages(const struct dl_phdr_info *object)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];
		const ElfW(Dyn) *d = (const ElfW(Dyn) *)(object->dlpi_addr + h->p_vaddr);

		for (; h->p_type == PT_DYNAMIC && d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL) != 0))
				return true;
	}
	return false;
}

/* Code and constants of the program and its libraries are as the file has them, so the kernel maps a page again when somebody wants it. What
 * was only needed to begin, which is most, stays away. */
static int forget_code(struct dl_phdr_info *object, size_t size, void *ctx)
{
	const uintptr_t page = *(const uintptr_t *)ctx;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum && !has_own_pages(object); i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];
		uintptr_t begin = (object->dlpi_addr + h->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + h->p_vaddr + h->p_memsz) & ~(page - 1);

		if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && begin < end)
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void process_forget_start(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	dl_iterate_phdr(forget_code, &page);
}
