/* What CLUSTER NODES says, and which slot a key is in: by the Redis Cluster specification. */
#include "redis/cluster.h"

#define SLOTS 16384

static uint16_t crc16(struct str s)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < s.n; i++) {
		crc = (uint16_t)(crc ^ (uint16_t)((unsigned char)s.p[i] << 8));
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
	}
	return crc;
}

int cluster_slot(struct str key)
{
	const size_t beg = str_chr(key, '{');

	if (beg < key.n) {
		const struct str rest = { key.p + beg + 1, key.n - beg - 1 };
		const size_t end = str_chr(rest, '}');
		if (end < rest.n && end > 0)
			key = (struct str){ rest.p, end };
	}
	return crc16(key) % SLOTS;
}

static bool has_flag(struct str flags, const char *flag)
{
	struct str one;

	while (str_cut(&flags, ',', &one))
		if (str_eq(one, str_of(flag)))
			return true;
	return false;
}

/* "0-5460" or "7"; "[93-<-…]", a slot on its way, is none. */
static void read_slots(struct str word, struct cluster_line *out)
{
	const size_t dash = str_chr(word, '-');
	int64_t first, last;

	if (out->n_slots == ARRAY_LEN(out->slots) || !str_to_int64((struct str){ word.p, dash }, &first))
		return;
	last = first;
	if (dash < word.n && !str_to_int64((struct str){ word.p + dash + 1, word.n - dash - 1 }, &last))
		return;
	if (first < 0 || last < first || last >= SLOTS)
		return;
	out->slots[out->n_slots].first = (int)first;
	out->slots[out->n_slots++].last = (int)last;
}

/* 127.0.0.1:7000@17000,name: an IPv6 address has colons too; the port is behind the last one in front of the '@'. */
static bool read_address(struct str word, struct cluster_line *out)
{
	const size_t at = str_chr(word, '@');
	const struct str address = { word.p, at };
	const size_t comma = str_chr(word, ',');
	size_t colon = address.n;

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return false;
	out->host = (struct str){ address.p, colon - 1 };
	out->port = (struct str){ address.p + colon, address.n - colon };
	if (comma < word.n) {
		struct str rest = { word.p + comma + 1, word.n - comma - 1 };
		if (!str_cut(&rest, ',', &out->hostname) || str_eq(out->hostname, STR("?")))
			out->hostname = STR("");
	}
	return out->port.n > 0 && !str_eq(out->port, STR("0"));
}

struct str cluster_address(struct arena *a, struct str host, struct str port)
{
	return arena_printf(a, str_chr(host, ':') < host.n ? "[" STR_FMT "]:" STR_FMT
	    : STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(port));
}

bool cluster_read_line(struct str line, struct cluster_line *out)
{
	struct str word[8], address;

	*out = (struct cluster_line){ 0 };
	if (!str_cut(&line, ' ', &out->id) || !str_cut(&line, ' ', &address) || !str_cut(&line, ' ', &out->flags)
	    || !str_cut(&line, ' ', &out->master_id))
		return false;
	for (size_t i = 0; i < 4; i++)          /* ping, pong, epoch, link */
		if (!str_cut(&line, ' ', &word[i]))
			return false;
	while (str_cut(&line, ' ', &word[0]))
		read_slots(word[0], out);
	out->is_master = has_flag(out->flags, "master");
	out->has_failed = has_flag(out->flags, "fail");
	out->has_address = read_address(address, out) && !has_flag(out->flags, "noaddr") && !has_flag(out->flags, "handshake");
	return out->id.n > 0;
}
