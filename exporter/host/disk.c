/* Disks and filesystems. */
#include "host/part.h"

#include <errno.h>
#include <string.h>
#include <sys/statfs.h>

#define D(name, type, help) { "node_disk_" name, type, help, NULL }
static const struct {
	struct expo_family family;
	double scale;
} disk_rows[] = {                       /* in the order of /proc/diskstats */
	{ D("reads_completed_total", EXPO_COUNTER, "Reads done."), 1 },
	{ D("reads_merged_total", EXPO_COUNTER, "Reads merged."), 1 },
	{ D("read_bytes_total", EXPO_COUNTER, "Bytes read."), 512 },
	{ D("read_time_seconds_total", EXPO_COUNTER, "Time reads took, all together."), 1e-3 },
	{ D("writes_completed_total", EXPO_COUNTER, "Writes done."), 1 },
	{ D("writes_merged_total", EXPO_COUNTER, "Writes merged."), 1 },
	{ D("written_bytes_total", EXPO_COUNTER, "Bytes written."), 512 },
	{ D("write_time_seconds_total", EXPO_COUNTER, "Time writes took, all together."), 1e-3 },
	{ D("io_now", EXPO_GAUGE, "Requests under way."), 1 },
	{ D("io_time_seconds_total", EXPO_COUNTER, "Time in which the disk was busy."), 1e-3 },
	{ D("io_time_weighted_seconds_total", EXPO_COUNTER, "That time, times the requests under way."), 1e-3 },
	{ D("discards_completed_total", EXPO_COUNTER, "Discards done."), 1 },
	{ D("discards_merged_total", EXPO_COUNTER, "Discards merged."), 1 },
	{ D("discarded_sectors_total", EXPO_COUNTER, "Sectors discarded."), 1 },
	{ D("discard_time_seconds_total", EXPO_COUNTER, "Time discards took, all together."), 1e-3 },
	{ D("flush_requests_total", EXPO_COUNTER, "Flushes done."), 1 },
	{ D("flush_requests_time_seconds_total", EXPO_COUNTER, "Time flushes took, all together."), 1e-3 },
};
static const struct expo_family disk_info = D("info", EXPO_INFO, "Numbers of the device.");

bool host_diskstats(struct host *h)
{
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "diskstats", &text, h->e);
	struct str rest = buf_str(&text), line, major, minor, device;
	double v;

	while (ok && str_cut(&rest, '\n', &line)) {
		if (!host_word(&line, &major) || !host_word(&line, &minor) || !host_word(&line, &device))
			continue;
		if (regex_match(h->settings->disk_exclude, device) == REGEX_YES)
			continue;
		EXPO_EMIT(h->out, &disk_info, 1, { STR("device"), device }, { STR("major"), major }, { STR("minor"), minor });
		for (size_t i = 0; i < ARRAY_LEN(disk_rows) && host_number(&line, &v); i++)
			EXPO_EMIT(h->out, &disk_rows[i].family, v * disk_rows[i].scale, { STR("device"), device });
	}
	buf_fini(&text);
	return ok;
}

/* ---- Filesystems ---- */

#define F(name, help) { "node_filesystem_" name, EXPO_GAUGE, help, NULL }
static const struct expo_family fs_size = F("size_bytes", "Size."), fs_free = F("free_bytes", "Free, for root."),
    fs_avail = F("avail_bytes", "Free, for everybody."), fs_files = F("files", "Inodes."), fs_files_free = F("files_free",
    "Inodes free."),
    fs_readonly = F("readonly", "Whether it is mounted read-only."),
    fs_error = F("device_error", "Whether asking it failed; then its figures are left out.");

/* "\040" is a space: what /proc/mounts does to blanks. */
static struct str decode(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3') {
			out[n++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
			i += 3;
		} else {
			out[n++] = s.p[i];
		}
	}
	return (struct str){ out, n };
}

static bool has_option(struct str options, struct str name)
{
	struct str option;

	while (str_cut(&options, ',', &option))
		if (str_eq(option, name))
			return true;
	return false;
}

static void emit_mount(struct host *h, const struct label labels[3], struct str mount, struct str options)
{
	struct arena *a = expo_set_arena(h->out);
	struct str root = h->settings->rootfs;
	struct statfs st;
	double block;
	bool ok;

	if (root.n > 0 && root.p[root.n - 1] == '/')
		root.n--;
	ok = statfs(arena_printf(a, STR_FMT STR_FMT, STR_ARG(root), STR_ARG(mount)).p, &st) == 0;
	if (!expo_emit(h->out, &fs_error, !ok, labels, 3) || !ok)
		return;                         /* mounted twice in the same place: the one seen is the last */
	block = (double)st.f_bsize;
	expo_emit(h->out, &fs_size, (double)st.f_blocks * block, labels, 3);
	expo_emit(h->out, &fs_free, (double)st.f_bfree * block, labels, 3);
	expo_emit(h->out, &fs_avail, (double)st.f_bavail * block, labels, 3);
	expo_emit(h->out, &fs_files, (double)st.f_files, labels, 3);
	expo_emit(h->out, &fs_files_free, (double)st.f_ffree, labels, 3);
	expo_emit(h->out, &fs_readonly, has_option(options, STR("ro")), labels, 3);
}

bool host_filesystem(struct host *h)
{
	struct arena *a = expo_set_arena(h->out);
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "1/mounts", &text, NULL) || host_read(h->settings->procfs, "self/mounts", &text, h->e);
	struct str rest = buf_str(&text), line, device, mount, type, options;

	while (ok && str_cut(&rest, '\n', &line)) {
		if (!host_word(&line, &device) || !host_word(&line, &mount) || !host_word(&line, &type) || !host_word(&line, &options))
			continue;
		mount = decode(a, mount);
		if (regex_match(h->settings->mount_exclude, mount) == REGEX_YES || regex_match(h->settings->fs_exclude, type) == REGEX_YES)
			continue;
		emit_mount(h, (const struct label[]){ { STR("device"), decode(a, device) }, { STR("fstype"), type },
		    { STR("mountpoint"), mount } }, mount, options);
	}
	buf_fini(&text);
	return ok;
}
