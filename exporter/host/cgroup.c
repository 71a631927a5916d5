/* Control groups, version 2 or 1: what the processes of one may use, and use. The limits of the groups a group is in hold for it
 * too: shown is the least. An absent limit is none. */
#include "host/part.h"

#include <unistd.h>

#define P "tocsin_cgroup_"
static const struct expo_family mem_limit = { P "memory_limit_bytes", EXPO_GAUGE, "Memory it may use; absent: no limit.", "bytes" };
static const struct expo_family mem_usage = { P "memory_usage_bytes", EXPO_GAUGE, "Memory it uses, files in memory included.",
    "bytes" };
static const struct expo_family oom_kills = { P "oom_kills_total", EXPO_COUNTER, "Processes ended for want of memory.", NULL };
static const struct expo_family cpu_limit = { P "cpu_limit_cores", EXPO_GAUGE, "CPUs it may use; absent: no limit.", NULL };
static const struct expo_family cpu_usage = { P "cpu_usage_seconds_total", EXPO_COUNTER, "CPU time it used.", NULL };
static const struct expo_family throttled = { P "cpu_throttled_seconds_total", EXPO_COUNTER,
    "Time it was held back by its CPU limit.", NULL };

#define NO_LIMIT 4611686018427387904.0          /* version 1 writes a number near 2^63 */

/* A group as one controller has it: version 1 may place a process differently for each. */
struct place {
	struct host *h;
	struct label label;
	struct str folder;              /* below sysfs */
	size_t root;                    /* bytes of it that are the root group's */
};

static bool read_file(const struct place *p, const char *file, struct str *out)
{
	struct arena *a = expo_set_arena(p->h->out);

	return host_read_line(p->h->settings->sysfs, arena_printf(a, STR_FMT "/%s", STR_ARG(p->folder), file).p, a, out);
}

static bool read_number(const struct place *p, const char *file, double *v)
{
	struct str text;

	return read_file(p, file, &text) && str_to_double(text, v);
}

static void emit_number(const struct place *p, const char *file, const struct expo_family *f, double scale)
{
	double v;

	if (read_number(p, file, &v) && v >= 0)
		expo_emit(p->h->out, f, v * scale, &p->label, 1);
}

/* A limit of one group; false: it has none. */
typedef bool limit_of(const struct place *p, double *v);

static bool memory_v2(const struct place *p, double *v)
{
	return read_number(p, "memory.max", v) && *v >= 0;
}

static bool memory_v1(const struct place *p, double *v)
{
	return read_number(p, "memory.limit_in_bytes", v) && *v >= 0 && *v < NO_LIMIT;
}

static bool cpu_v2(const struct place *p, double *v)
{
	struct str text;
	double period;

	if (!read_file(p, "cpu.max", &text) || !host_number(&text, v) || !host_number(&text, &period) || *v <= 0 || period <= 0)
		return false;
	*v /= period;
	return true;
}

static bool cpu_v1(const struct place *p, double *v)
{
	double period;

	if (!read_number(p, "cpu.cfs_quota_us", v) || !read_number(p, "cpu.cfs_period_us", &period) || *v <= 0 || period <= 0)
		return false;
	*v /= period;
	return true;
}

/* From the group up to the root. */
static void emit_limit(const struct place *p, limit_of *limit, const struct expo_family *f)
{
	struct place at = *p;
	double least = 0, v;
	bool has = false;

	for (;;) {
		if (limit(&at, &v) && (!has || v < least)) {
			least = v;
			has = true;
		}
		if (at.folder.n <= at.root)
			break;
		while (at.folder.n > at.root && at.folder.p[--at.folder.n] != '/')
			continue;
	}
	if (has)
		expo_emit(p->h->out, f, least, &p->label, 1);
}

/* "key value" lines. */
static void emit_member(const struct place *p, const char *file, struct str key, const struct expo_family *f, double scale)
{
	struct str text, line, word;
	double v;

	if (!read_file(p, file, &text))
		return;
	while (str_cut(&text, '\n', &line))
		if (host_word(&line, &word) && str_eq(word, key) && host_number(&line, &v))
			expo_emit(p->h->out, f, v * scale, &p->label, 1);
}

static void emit_v2(const struct place *p)
{
	emit_limit(p, memory_v2, &mem_limit);
	emit_limit(p, cpu_v2, &cpu_limit);
	emit_number(p, "memory.current", &mem_usage, 1);
	emit_member(p, "memory.events", STR("oom_kill"), &oom_kills, 1);
	emit_member(p, "cpu.stat", STR("usage_usec"), &cpu_usage, 1e-6);
	emit_member(p, "cpu.stat", STR("throttled_usec"), &throttled, 1e-6);
}

static void emit_v1(const struct place *memory, const struct place *cpu, const struct place *cpuacct)
{
	emit_limit(memory, memory_v1, &mem_limit);
	emit_limit(cpu, cpu_v1, &cpu_limit);
	emit_number(memory, "memory.usage_in_bytes", &mem_usage, 1);
	emit_member(memory, "memory.oom_control", STR("oom_kill"), &oom_kills, 1);
	emit_number(cpuacct, "cpuacct.usage", &cpu_usage, 1e-9);
	emit_member(cpu, "cpu.stat", STR("throttled_time"), &throttled, 1e-9);
}

/* Inside a container its own group is mounted as the root, whatever its name outside. */
static struct str folder_of(struct host *h, const char *controller, struct str group, bool own)
{
	struct arena *a = expo_set_arena(h->out);
	struct str folder = arena_printf(a, "fs/cgroup%s" STR_FMT, controller, STR_ARG(group)), root, text;

	while (folder.n > 0 && folder.p[folder.n - 1] == '/')
		folder.n--;
	folder = arena_str(a, folder);
	root = arena_printf(a, "fs/cgroup%s", controller);
	if (!own || host_read_line(h->settings->sysfs, arena_printf(a, STR_FMT "/cgroup.procs", STR_ARG(folder)).p, a, &text))
		return folder;
	return root;
}

/* The exporter's own group for <controller> ("" is version 2): "4:memory:/a/b". */
static struct str own_group(struct str lines, struct str controller)
{
	struct str line, id, controllers, name;

	while (str_cut(&lines, '\n', &line)) {
		if (!str_cut(&line, ':', &id) || !str_cut(&line, ':', &controllers))
			continue;
		while (str_cut(&controllers, ',', &name))
			if (str_eq(name, controller))
				return line;
	}
	return STR("/");
}

/* <given> NULL: the exporter's own. <controller> "" is version 2. */
static struct place place_of(struct host *h, struct str lines, const char *controller, const struct str *given)
{
	struct arena *a = expo_set_arena(h->out);
	const struct str group = given != NULL ? *given : own_group(lines, str_of(controller));
	const char *folder = *controller != '\0' ? arena_printf(a, "/%s", controller).p : "";

	return (struct place){ h, { STR("cgroup"), group }, folder_of(h, folder, group, given == NULL),
	    strlen("fs/cgroup") + strlen(folder) };
}

static bool is_there(const struct place *p)
{
	return access(arena_printf(expo_set_arena(p->h->out), STR_FMT "/" STR_FMT, STR_ARG(p->h->settings->sysfs),
	    STR_ARG(p->folder)).p,
	    F_OK) == 0;
}

static bool emit_group(struct host *h, bool v2, struct str lines, const struct str *given)
{
	const struct place memory = place_of(h, lines, v2 ? "" : "memory", given), cpu = place_of(h, lines, v2 ? "" : "cpu", given),
	    cpuacct = place_of(h, lines, v2 ? "" : "cpuacct", given);

	if (given != NULL && !is_there(&memory) && !is_there(&cpu) && !is_there(&cpuacct))
		return err_set(h->e, ERR_IO, -1, "no control group " STR_FMT, STR_ARG(*given));
	if (v2)
		emit_v2(&memory);
	else
		emit_v1(&memory, &cpu, &cpuacct);
	return true;
}

bool host_cgroup(struct host *h)
{
	struct arena *a = expo_set_arena(h->out);
	struct buf text = { 0 };
	struct str ignored;
	bool ok = host_read(h->settings->procfs, "self/cgroup", &text, h->e);
	bool v2 = host_read_line(h->settings->sysfs, "fs/cgroup/cgroup.controllers", a, &ignored), all = ok;

	for (size_t i = 0; ok && i < h->settings->cgroups.n; i++)
		all &= emit_group(h, v2, buf_str(&text), &h->settings->cgroups.v[i]);
	if (ok && h->settings->cgroups.n == 0)
		emit_group(h, v2, buf_str(&text), NULL);
	buf_fini(&text);
	return all;
}
