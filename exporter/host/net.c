/* Network devices: what went through them (/proc/net/dev), and what they are (/sys/class/net). */
#include "host/part.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N(name, help) { "node_network_" name "_total", EXPO_COUNTER, help, NULL }
static const struct expo_family dev_rows[] = {  /* in the order of /proc/net/dev */
	N("receive_bytes", "Bytes received."), N("receive_packets", "Packets received."), N("receive_errs",
	    "Packets received with errors."),
	N("receive_drop", "Packets received and dropped."), N("receive_fifo", "Packets lost because a queue was full."),
	N("receive_frame", "Packets received with a wrong frame."), N("receive_compressed", "Packets received compressed."),
	N("receive_multicast", "Multicast packets received."),
	N("transmit_bytes", "Bytes sent."), N("transmit_packets", "Packets sent."), N("transmit_errs",
	    "Packets not sent for an error."),
	N("transmit_drop", "Packets dropped instead of sent."), N("transmit_fifo", "Packets lost because a queue was full."),
	N("transmit_colls", "Collisions."), N("transmit_carrier", "Packets not sent because there was no carrier."),
	N("transmit_compressed", "Packets sent compressed."),
};
static const struct expo_family nohandler = N("receive_nohandler", "Packets received that nobody wanted.");

static void emit_nohandler(struct host *h, struct str device)
{
	struct arena *a = expo_set_arena(h->out);
	struct str text;
	double v;

	if (host_read_line(h->settings->sysfs, arena_printf(a, "class/net/" STR_FMT "/statistics/rx_nohandler", STR_ARG(device)).p, a,
	    &text) &&
	    str_to_double(text, &v))
		EXPO_EMIT(h->out, &nohandler, v, { STR("device"), device });
}

bool host_netdev(struct host *h)
{
	struct buf text = { 0 };
	bool ok = host_read(h->settings->procfs, "net/dev", &text, h->e);
	struct str rest = buf_str(&text), line;
	double v;

	while (ok && str_cut(&rest, '\n', &line)) {
		size_t colon = str_chr(line, ':');
		struct str device = str_trim((struct str){ line.p, colon });

		if (colon == line.n)
			continue;               /* a heading */
		line = str_between(line.p + colon + 1, line.p + line.n);
		for (size_t i = 0; i < ARRAY_LEN(dev_rows) && host_number(&line, &v); i++)
			EXPO_EMIT(h->out, &dev_rows[i], v, { STR("device"), device });
		emit_nohandler(h, device);
	}
	buf_fini(&text);
	return ok;
}

/* ---- What they are ---- */

#define W(file, name, type, scale, help) { file, { "node_network_" name, type, help, NULL }, scale }
static const struct {
	const char *file;
	struct expo_family family;
	double scale;
} class_rows[] = {
	W("addr_assign_type", "address_assign_type", EXPO_GAUGE, 1, "How it came by its address."),
	W("carrier", "carrier", EXPO_GAUGE, 1, "Whether there is a carrier."),
	W("carrier_changes", "carrier_changes_total", EXPO_COUNTER, 1, "Changes of the carrier."),
	W("carrier_down_count", "carrier_down_changes_total", EXPO_COUNTER, 1, "How often the carrier went."),
	W("carrier_up_count", "carrier_up_changes_total", EXPO_COUNTER, 1, "How often the carrier came."),
	W("dev_id", "device_id", EXPO_GAUGE, 1, "Tells devices with the same address apart."),
	W("dormant", "dormant", EXPO_GAUGE, 1, "Whether it waits for something outside, such as a login."),
	W("flags", "flags", EXPO_GAUGE, 1, "Flags, a set of bits."),
	W("ifindex", "iface_id", EXPO_GAUGE, 1, "Number of the device."),
	W("iflink", "iface_link", EXPO_GAUGE, 1, "Number of the device it is linked to."),
	W("link_mode", "iface_link_mode", EXPO_GAUGE, 1, "Mode of the link."),
	W("mtu", "mtu_bytes", EXPO_GAUGE, 1, "Largest packet."),
	W("name_assign_type", "name_assign_type", EXPO_GAUGE, 1, "How it came by its name."),
	W("netdev_group", "net_dev_group", EXPO_GAUGE, 1, "Group of the device."),
	W("type", "protocol_type", EXPO_GAUGE, 1, "Type of the device."),
	W("speed", "speed_bytes", EXPO_GAUGE, 125000, "Bytes a second; negative: unknown."),
	W("tx_queue_len", "transmit_queue_length", EXPO_GAUGE, 1, "Length of the queue for sending."),
};
static const struct expo_family net_up = { "node_network_up", EXPO_GAUGE, "Whether it is up.", NULL };
static const struct expo_family net_info = { "node_network_info", EXPO_INFO, "What it is.", NULL };

static struct str class_file(struct host *h, const char *device, const char *file)
{
	struct arena *a = expo_set_arena(h->out);
	struct str text = STR_NULL;

	if (!host_read_line(h->settings->sysfs, arena_printf(a, "class/net/%s/%s", device, file).p, a, &text))
		return STR_NULL;
	return text;
}

static void emit_device(struct host *h, const char *name)
{
	const struct str device = arena_str(expo_set_arena(h->out), str_of(name)), state = class_file(h, name, "operstate");

	for (size_t i = 0; i < ARRAY_LEN(class_rows); i++) {
		struct str text = class_file(h, name, class_rows[i].file);
		double v;

		if (text.n > 0 && str_to_double(text, &v))
			EXPO_EMIT(h->out, &class_rows[i].family, v * class_rows[i].scale, { STR("device"), device });
	}
	EXPO_EMIT(h->out, &net_up, str_eq(state, STR("up")), { STR("device"), device });
	EXPO_EMIT(h->out, &net_info, 1, { STR("device"), device }, { STR("address"), class_file(h, name, "address") },
	    { STR("broadcast"), class_file(h, name, "broadcast") }, { STR("duplex"), class_file(h, name, "duplex") },
	    { STR("ifalias"), class_file(h, name, "ifalias") }, { STR("operstate"), state });
}

bool host_netclass(struct host *h)
{
	const char *folder = arena_printf(expo_set_arena(h->out), STR_FMT "/class/net", STR_ARG(h->settings->sysfs)).p;
	DIR *dir = opendir(folder);
	struct dirent *d;

	if (dir == NULL)
		return err_set(h->e, ERR_IO, -1, "%s: %s", folder, strerror(errno));
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && d->d_type != DT_REG)
			emit_device(h, d->d_name);
	closedir(dir);
	return true;
}
