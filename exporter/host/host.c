/* A part that cannot be read costs the others nothing: its success is 0, as node_exporter shows it. */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"
#include "host/part.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"

static const struct {
	const char *name;
	host_part *read;
} parts[] = {
	{ "stat", host_stat }, { "meminfo", host_meminfo }, { "loadavg", host_loadavg }, { "vmstat", host_vmstat },
	{ "filefd", host_filefd }, { "uname", host_uname }, { "time", host_time }, { "pressure", host_pressure },
	{ "diskstats", host_diskstats }, { "filesystem", host_filesystem }, { "netdev", host_netdev }, { "netclass", host_netclass },
	{ "cgroup", host_cgroup },
};

static const struct expo_family f_success = {
	"node_scrape_collector_success", EXPO_GAUGE, "Whether the part could be read.", NULL };
static const struct expo_family f_duration = {
	"node_scrape_collector_duration_seconds", EXPO_GAUGE, "How long reading the part took.", "seconds" };

/* ---- Settings ---- */

#define KEY(name, field, parse, fallback, help) CONF_KEY(struct host_settings, name, field, parse, fallback, CONF_RELOAD, help)

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct host_settings),
	KEY("procfs", procfs, conf_path, "/proc", "Where proc is mounted: /host/proc in a container."),
	KEY("sysfs", sysfs, conf_path, "/sys", "Where sys is mounted."),
	KEY("rootfs", rootfs, conf_path, "/", "What mount points are below: /host in a container."),
	KEY("disable", disable, conf_str_list, NULL,
	    "Parts not to read: stat, meminfo, loadavg, vmstat, filefd, uname, time, pressure, "
	    "diskstats, filesystem, netdev, netclass, cgroup."),
	KEY("cgroups", cgroups, conf_str_list, NULL,
	    "Control groups to watch, such as /system.slice/app.service; the exporter's own unless given."),
	KEY("device_exclude", disk_exclude, conf_regex, "(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+", "Disks left out."),
	KEY("mount_points_exclude", mount_exclude, conf_regex,
	    "/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)(/.*)?", "Mount points left out."),
	KEY("fs_types_exclude", fs_exclude, conf_regex,
	    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|"
	    "procfs|"
	    "pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs", "Types of filesystems left out."),
};

static bool check(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	const struct host_settings *s = to;
	bool ok = true;

	for (size_t i = 0; i < s->disable.n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(parts) && !str_eq(str_of(parts[k].name), s->disable.v[i]))
			k++;
		if (k == ARRAY_LEN(parts))
			ok = conf_error(rd->report, conf_get(map, "disable"), "no part \"" STR_FMT "\": they are listed under --help",
			    STR_ARG(s->disable.v[i]));
	}
	for (size_t i = 0; i < s->cgroups.n; i++)
		if (!str_starts(s->cgroups.v[i], STR("/")))
			ok = conf_error(rd->report, conf_get(map, "cgroups"),
			    "\"" STR_FMT "\" is no control group: write it from the root on, such as "
			    "/system.slice/app.service", STR_ARG(s->cgroups.v[i]));
	return ok;
}

static const struct conf_table table = { keys, ARRAY_LEN(keys), sizeof(struct host_settings), NULL, check };

/* ---- Reading files ---- */

bool host_read(struct str root, const char *path, struct buf *out, struct err *e)
{
	struct buf name = { 0 };
	ssize_t n = 1;
	int fd;

	buf_printf(&name, STR_FMT "/%s", STR_ARG(root), path);
	fd = open(buf_z(&name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	buf_reset(out);
	while (fd >= 0 && n > 0 && out->n < HOST_FILE_MAX) {
		n = read(fd, buf_reserve(out, 65536), 65536);
		out->n += n > 0 ? (size_t)n : 0;
	}
	if ((fd < 0 || n < 0) && e != NULL)
		err_set(e, ERR_IO, -1, "%s: %s", buf_z(&name), strerror(errno));
	else if (n > 0 && fd >= 0 && e != NULL)
		err_set(e, ERR_LIMIT, -1, "%s: over %u bytes (HOST_FILE_MAX)", buf_z(&name), HOST_FILE_MAX);
	if (fd >= 0)
		close(fd);
	buf_fini(&name);
	return fd >= 0 && n == 0;
}

bool host_read_line(struct str root, const char *path, struct arena *a, struct str *out)
{
	struct buf text = { 0 };
	bool ok = host_read(root, path, &text, NULL);

	if (ok)
		*out = arena_str(a, str_trim(buf_str(&text)));
	buf_fini(&text);
	return ok;
}

bool host_word(struct str *line, struct str *word)
{
	size_t i = 0, end;

	while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t'))
		i++;
	for (end = i; end < line->n && line->p[end] != ' ' && line->p[end] != '\t'; end++)
		continue;
	*word = (struct str){ line->p + i, end - i };
	*line = str_between(line->p + end, line->p + line->n);
	return word->n > 0;
}

bool host_number(struct str *line, double *v)
{
	struct str word;

	return host_word(line, &word) && str_to_double(word, v);
}

/* ---- A source at work ---- */

struct state {
	const struct host_settings *settings;
	const struct clock *clock;
	const char *name;
	struct complaint complaints[ARRAY_LEN(parts)];
};

static void *open_host(const void *settings, const struct clock *clock)
{
	struct state *s = mem_alloc(sizeof *s);

	s->settings = settings;
	s->clock = clock;
	s->name = s->settings->common.title;
	return s;
}

static void close_host(void *state)
{
	struct state *s = state;

	free(s);
}

static bool is_disabled(const struct host_settings *s, const char *part)
{
	for (size_t i = 0; i < s->disable.n; i++)
		if (str_eq(s->disable.v[i], str_of(part)))
			return true;
	return false;
}

static void explain(struct buf *out, const void *settings)
{
	const struct host_settings *s = settings;
	struct buf names = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!is_disabled(s, parts[i].name))
			buf_printf(&names, " %s", parts[i].name);
	explain_when(out, "in each scrape, from " STR_FMT " (procfs) and " STR_FMT " (sysfs)", STR_ARG(s->procfs), STR_ARG(s->sysfs));
	explain_ask(out, "parts:%s", buf_z(&names));
	explain_note(out, "no privilege; in a container the host's /proc, /sys and root, mounted read-only");
	buf_fini(&names);
}

static void collect_part(struct state *s, size_t i, struct expo_set *out)
{
	const struct label label = { STR("collector"), str_of(parts[i].name) };
	const int64_t began_us = clock_mono_us(), now_ms = clock_now_ms(s->clock);
	struct err e = { 0 };
	struct host h = { s->settings, s->clock, out, &e };
	bool ok = parts[i].read(&h);

	expo_emit(out, &f_duration, (double)(clock_mono_us() - began_us) / 1e6, &label, 1);
	expo_emit(out, &f_success, ok, &label, 1);
	if (ok) {
		complain_works(&s->complaints[i], parts[i].name, s->name, now_ms);
		return;
	}
	complain_failed(&s->complaints[i], parts[i].name, s->name, &e, now_ms);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct state *s = state;

	struct buf stat = { 0 };
	const bool there = host_read(s->settings->procfs, "stat", &stat, e);

	(void)ask;
	buf_fini(&stat);
	if (!there)                     /* nothing is mounted there: parts that may lack their files would say that all is well */
		return false;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!is_disabled(s->settings, parts[i].name))
			collect_part(s, i, out);
	return true;
}

const struct source_kind host_source_kind = {
	.name = "host", .up_family = "tocsin_host_up",
	    .up_help = "Whether the host was looked at; for its parts see node_scrape_collector_success.",
	.table = &table, .explain = explain, .open = open_host, .collect = collect, .close = close_host,
};
