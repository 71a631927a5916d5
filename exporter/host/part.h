/* What the parts of the host source share: where to read, and the parts themselves. */
#ifndef TOCSIN_HOST_PART_H
#define TOCSIN_HOST_PART_H

#include "source.h"
#include "tocsin/regex.h"

#define HOST_FILE_MAX (8u << 20)

struct host_settings {
	struct source_settings common;
	struct str procfs, sysfs, rootfs;
	struct conf_strs disable, cgroups;
	struct regex *disk_exclude, *mount_exclude, *fs_exclude;
};

struct host {
	const struct host_settings *settings;
	const struct clock *clock;
	struct expo_set *out;           /* of this collection */
	struct err *e;
};

/* False and <h->e> when the part could not be read; what it emitted stays. */
typedef bool host_part(struct host *h);
host_part host_stat, host_meminfo, host_loadavg, host_vmstat, host_filefd, host_uname, host_time, host_pressure, host_diskstats,
    host_filesystem, host_netdev, host_netclass, host_cgroup;

/* The whole of a file below <root>; false and <e> (may be NULL) when it cannot be read. */
bool host_read(struct str root, const char *path, struct buf *out, struct err *e);
/* A file of one line, without its end; in <a>. False when it cannot be read. */
bool host_read_line(struct str root, const char *path, struct arena *a, struct str *out);
/* Cuts the next word off; words are parted by spaces and tabs. */
bool host_word(struct str *line, struct str *word);
/* The next word as a number. */
bool host_number(struct str *line, double *v);

#endif
