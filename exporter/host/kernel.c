/* CPU, memory, load and what else the kernel says of itself in small files. */
#include "host/part.h"

#include <sys/utsname.h>
#include <unistd.h>

#define G(id, name, help) static const struct expo_family id = { name, EXPO_GAUGE, help, NULL };
#define C(id, name, help) static const struct expo_family id = { name, EXPO_COUNTER, help, NULL };
C(f_cpu, "node_cpu_seconds_total", "Time each CPU spent in each mode.")
C(f_guest, "node_cpu_guest_seconds_total", "Time each CPU spent for guests, which user and nice hold too.")
G(f_boot, "node_boot_time_seconds", "When the machine was started.")
C(f_switches, "node_context_switches_total", "Context switches.")
C(f_forks, "node_forks_total", "Processes made.")
C(f_intr, "node_intr_total", "Interrupts served.")
G(f_running, "node_procs_running", "Processes that want to run.")
G(f_blocked, "node_procs_blocked", "Processes that wait for a disk.")
G(f_load1, "node_load1", "Load, over 1 minute.")
G(f_load5, "node_load5", "Load, over 5 minutes.")
G(f_load15, "node_load15", "Load, over 15 minutes.")
G(f_fd, "node_filefd_allocated", "Files open, on the whole machine.")
G(f_fd_max, "node_filefd_maximum", "Files that may be open.")
G(f_uname, "node_uname_info", "Kernel and name of the machine.")
G(f_time, "node_time_seconds", "The time, as the machine has it.")
C(f_cpu_wait, "node_pressure_cpu_waiting_seconds_total", "Time in which some task waited for a CPU.")
C(f_io_wait, "node_pressure_io_waiting_seconds_total", "Time in which some task waited for a disk.")
C(f_io_stall, "node_pressure_io_stalled_seconds_total", "Time in which every task waited for a disk.")
C(f_mem_wait, "node_pressure_memory_waiting_seconds_total", "Time in which some task waited for memory.")
C(f_mem_stall, "node_pressure_memory_stalled_seconds_total", "Time in which every task waited for memory.")

/* ---- /proc/stat ---- */

static void emit_cpu(struct host *h, struct str cpu, struct str rest)
{
	static const char *const modes[] = { "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal" };
	static const char *const guest_modes[] = { "user", "nice" };
	const double hz = (double)sysconf(_SC_CLK_TCK);
	double v;

	for (size_t i = 0; i < ARRAY_LEN(modes) && host_number(&rest, &v); i++)
		EXPO_EMIT(h->out, &f_cpu, v / hz, { STR("cpu"), cpu }, { STR("mode"), str_of(modes[i]) });
	for (size_t i = 0; i < ARRAY_LEN(guest_modes) && host_number(&rest, &v); i++)
		EXPO_EMIT(h->out, &f_guest, v / hz, { STR("cpu"), cpu }, { STR("mode"), str_of(guest_modes[i]) });
}

bool host_stat(struct host *h)
{
	static const struct { struct str key; const struct expo_family *family; } rows[] = {
		{ { "btime", 5 }, &f_boot }, { { "ctxt", 4 }, &f_switches }, { { "processes", 9 }, &f_forks }, { { "intr", 4 }, &f_intr },
		{ { "procs_running", 13 }, &f_running }, { { "procs_blocked", 13 }, &f_blocked },
	};
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "stat", &text, h->e);
	struct str rest = buf_str(&text), line, key;
	double v;

	while (ok && str_cut(&rest, '\n', &line)) {
		if (!host_word(&line, &key))
			continue;
		if (str_starts(key, STR("cpu")) && key.n > 3)
			emit_cpu(h, (struct str){ key.p + 3, key.n - 3 }, line);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (str_eq(key, rows[i].key) && host_number(&line, &v))
				EXPO_EMIT0(h->out, rows[i].family, v);
	}
	buf_fini(&text);
	return ok;
}

/* ---- Memory ---- */

/* "Active(anon)" -> node_memory_Active_anon_bytes */
static const struct expo_family *memory_family(struct arena *a, struct str field, bool is_bytes)
{
	struct expo_family *f = ARENA_NEW(a, struct expo_family);
	struct buf name = { 0 };

	buf_putz(&name, "node_memory_");
	for (size_t i = 0; i < field.n; i++)
		if (field.p[i] != ')')
			buf_putc(&name, field.p[i] == '(' ? '_' : field.p[i]);
	if (is_bytes)
		buf_putz(&name, "_bytes");
	*f = (struct expo_family){ arena_strz(a, buf_str(&name)), EXPO_GAUGE, arena_printf(a, STR_FMT " of /proc/meminfo.",
	    STR_ARG(field)).p, NULL };
	buf_fini(&name);
	return f;
}

bool host_meminfo(struct host *h)
{
	struct arena *a = expo_set_arena(h->out);
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "meminfo", &text, h->e);
	struct str rest = buf_str(&text), line, unit;
	double v;

	while (ok && str_cut(&rest, '\n', &line)) {
		struct str field = { line.p, str_chr(line, ':') };

		if (field.n == line.n)
			continue;
		line = str_between(line.p + field.n + 1, line.p + line.n);
		if (!host_number(&line, &v))
			continue;
		host_word(&line, &unit);
		EXPO_EMIT0(h->out, memory_family(a, field, unit.n > 0), unit.n > 0 ? v * 1024 : v);
	}
	buf_fini(&text);
	return ok;
}

static bool is_shown_vmstat(struct str field)
{
	return str_starts(field, STR("oom_kill")) || str_starts(field, STR("pgpg")) || str_starts(field, STR("pswp")) ||
	    (str_starts(field, STR("pg")) && str_find(field, STR("fault")) < field.n);
}

bool host_vmstat(struct host *h)
{
	struct arena *a = expo_set_arena(h->out);
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "vmstat", &text, h->e);
	struct str rest = buf_str(&text), line, field;
	double v;

	while (ok && str_cut(&rest, '\n', &line)) {
		struct expo_family *f;

		if (!host_word(&line, &field) || !is_shown_vmstat(field) || !host_number(&line, &v))
			continue;
		f = ARENA_NEW(a, struct expo_family);
		*f = (struct expo_family){ arena_printf(a, "node_vmstat_" STR_FMT, STR_ARG(field)).p, EXPO_UNTYPED,
		    arena_printf(a, STR_FMT " of /proc/vmstat.", STR_ARG(field)).p, NULL };
		EXPO_EMIT0(h->out, f, v);
	}
	buf_fini(&text);
	return ok;
}

/* ---- Numbers in a row ---- */

static bool emit_row(struct host *h, const char *path, const struct expo_family *const *families, size_t n)
{
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, path, &text, h->e);
	struct str rest = str_trim(buf_str(&text));
	double v;

	for (size_t i = 0; ok && i < n && host_number(&rest, &v); i++)
		if (families[i] != NULL)
			EXPO_EMIT0(h->out, families[i], v);
	buf_fini(&text);
	return ok;
}

bool host_loadavg(struct host *h)
{
	static const struct expo_family *const row[] = { &f_load1, &f_load5, &f_load15 };

	return emit_row(h, "loadavg", row, ARRAY_LEN(row));
}

bool host_filefd(struct host *h)
{
	static const struct expo_family *const row[] = { &f_fd, NULL, &f_fd_max };

	return emit_row(h, "sys/fs/file-nr", row, ARRAY_LEN(row));
}

bool host_uname(struct host *h)
{
	struct utsname u;

	if (uname(&u) != 0)
		return err_set(h->e, ERR_IO, -1, "uname");
	EXPO_EMIT(h->out, &f_uname, 1, { STR("sysname"), str_of(u.sysname) }, { STR("release"), str_of(u.release) },
	    { STR("version"), str_of(u.version) }, { STR("machine"), str_of(u.machine) }, { STR("nodename"), str_of(u.nodename) },
	    { STR("domainname"), str_of(u.domainname) });
	return true;
}

bool host_time(struct host *h)
{
	EXPO_EMIT0(h->out, &f_time, (double)clock_now_ms(h->clock) / 1e3);
	return true;
}

/* ---- Pressure ---- */

static void emit_pressure(struct host *h, struct str text, struct str kind, const struct expo_family *family)
{
	struct str line, word;
	double us;

	while (str_cut(&text, '\n', &line)) {
		if (!host_word(&line, &word) || !str_eq(word, kind))
			continue;
		while (host_word(&line, &word))
			if (str_starts(word, STR("total=")) && str_to_double(str_between(word.p + 6, word.p + word.n), &us))
				EXPO_EMIT0(h->out, family, us / 1e6);
	}
}

/* A kernel without pressure files has nothing to tell. */
bool host_pressure(struct host *h)
{
	static const struct { const char *path; const struct expo_family *some, *full; } rows[] = {
		{ "pressure/cpu", &f_cpu_wait, NULL }, { "pressure/io", &f_io_wait, &f_io_stall },
		{ "pressure/memory", &f_mem_wait, &f_mem_stall },
	};
	struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!host_read(h->settings->procfs, rows[i].path, &text, NULL))
			continue;
		emit_pressure(h, buf_str(&text), STR("some"), rows[i].some);
		if (rows[i].full != NULL)
			emit_pressure(h, buf_str(&text), STR("full"), rows[i].full);
	}
	buf_fini(&text);
	return true;
}
