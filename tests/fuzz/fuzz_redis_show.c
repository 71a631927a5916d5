/* What is made of a server's replies, whatever they are: the first byte says which question they answer. Nothing may crash, and what is
 * shown is a page. */
#include <assert.h>

#include "redis/clients.h"
#include "redis/cluster.h"
#include "redis/sentinel.h"
#include "redis/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void show_cluster_lines(struct redis_shown *shown, const struct resp_reply *reply)
{
	struct str text = reply->text, line;
	struct cluster_line read;

	(void)shown;
	while (str_cut(&text, '\n', &line)) {
		if (!cluster_read_line(line, &read))
			continue;
		for (size_t i = 0; i < read.n_slots; i++)
			assert(read.slots[i].first >= 0 && read.slots[i].first <= read.slots[i].last && read.slots[i].last < 16384);
		assert(cluster_slot(line) >= 0 && cluster_slot(line) < 16384);
	}
}

static void show_info(struct redis_shown *shown, const struct resp_reply *reply)
{
	redis_show_info(shown, reply);
	redis_show_keyspace(shown, NULL);
}

static void show_config(struct redis_shown *shown, const struct resp_reply *reply)
{
	redis_show_config(shown, reply);
	redis_show_keyspace(shown, reply);
}

static void (*const shows[])(struct redis_shown *, const struct resp_reply *) = {
	show_info, redis_show_cluster_info, show_config, redis_show_slowlog_length, redis_show_slowlog_entry, redis_show_latency_latest,
	redis_show_latency_histogram, redis_show_commandlog_slow, redis_show_tile38, redis_show_clients, redis_show_sentinel_config,
	show_cluster_lines,
};

static void show(const struct resp_reply *reply, size_t which)
{
	static struct str fields[] = { { "host", 4 }, { "library", 7 } };
	const struct redis_settings settings = { .latency_histograms = true, .latency_seconds = true, .empty_databases = true,
		.include_config_metrics = true, .include_system_metrics = true, .export_client_list = true, .export_client_port = true,
		.client_groups = { fields, 2 }, .max_clients = 10, .max_client_groups = 3 };
	struct arena a = { 0 };
	struct redis_shown shown = { .settings = &settings, .set = expo_set_new(), .arena = &a, .now_ms = 1700000000000 };
	struct buf page = { 0 };

	shows[which % ARRAY_LEN(shows)](&shown, reply);
	expo_write(&page, &(struct expo_part){ .set = shown.set }, 1, EXPO_OPENMETRICS);
	assert(str_is_utf8(buf_str(&page)));
	buf_fini(&page);
	expo_set_unref(shown.set);
	info_fini(&shown.info);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct resp *r = resp_new((struct resp_limits){ .reply_bytes = 65536, .reply_elements = 4096 });
	const struct resp_reply *reply;
	struct arena a = { 0 };
	struct err e = { 0 };

	if (n > 1 && resp_feed(r, data + 1, n - 1, &e))
		while (resp_next(r, &a, &reply, &e) == RESP_DONE)
			show(reply, data[0]);
	resp_free(r);
	arena_fini(&a);
	return 0;
}
