/* This process: the process_* families, its limits, and its pages of code. Source: proc(5), and the names of Prometheus's client libraries. */
#include "tocsin/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tocsin/connection.h"
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
static const struct expo_family lookups = { "process_name_lookups_hanging", EXPO_GAUGE,
	"Lookups of names that got no answer in the last minute, each a thread.", NULL };
static const struct expo_family max_fds = { "process_max_fds", EXPO_GAUGE, "Most file descriptors it may open.", NULL };

/* 0 bytes: it cannot be read. */
static size_t read_proc(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, cap - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
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

/* Linux says it as the size of the folder since 6.2; before that they are counted. 0: it cannot be told. */
static size_t count_fds(void)
{
	struct stat st;
	size_t n = 0;
	DIR *d;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (size_t)st.st_size;
	d = opendir("/proc/self/fd");
	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 3;           /* without ".", ".." and the folder itself */
}

static void emit_fds(struct expo_set *s)
{
	const size_t n = count_fds();
	struct rlimit limit;

	if (n > 0)
		EXPO_EMIT0(s, &open_fds, (double)n);
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

/* Field 22 of /proc/self/stat, in ticks since the machine started. The command name before it may hold anything. */
double process_start_seconds(void)
{
	unsigned long long start;
	char text[1024];
	const char *p = read_proc("/proc/self/stat", text, sizeof text) > 0 ? strrchr(text, ')') : NULL;

	if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start) != 1)
		return 0;
	return boot_time() + (double)start / (double)sysconf(_SC_CLK_TCK);
}

/* From where it costs least: /proc/self/stat, which has all of it, takes the kernel several times as long. */
void process_emit(struct expo_set *s, double start)
{
	const double page_bytes = (double)sysconf(_SC_PAGESIZE);
	unsigned long long pages, resident;
	struct rusage used;
	char text[256];

	emit_fds(s);
	EXPO_EMIT0(s, &lookups, (double)connection_lookups_hanging());
	if (getrusage(RUSAGE_SELF, &used) == 0)
		EXPO_EMIT0(s, &cpu_seconds, (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	if (read_proc("/proc/self/statm", text, sizeof text) > 0 && sscanf(text, "%llu %llu", &pages, &resident) == 2) {
		EXPO_EMIT0(s, &resident_bytes, (double)resident * page_bytes);
		EXPO_EMIT0(s, &virtual_bytes, (double)pages * page_bytes);
	}
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
