/* From what the server answered to samples: one function a reply. What cannot be read is left out. */
#ifndef TOCSIN_REDIS_SHOW_H
#define TOCSIN_REDIS_SHOW_H

#include "redis/info.h"
#include "redis/resp.h"
#include "redis/settings.h"

/* Servers give INFO's lines in the same order each time: which row each line was last time, by its place. */
struct info_guess {
	const struct info_row *rows[512];
};

struct redis_shown {
	const struct redis_settings *settings;
	struct expo_set *set;
	struct arena *arena;            /* scratch */
	struct info info;               /* of INFO, for all that comes behind it */
	struct info_guess *guess;       /* NULL: nobody keeps one */
	int64_t now_ms;
};

/* INFO: fills <shown>->info, so it comes first. */
void redis_show_info(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_cluster_info(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_config(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_slowlog_length(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_slowlog_entry(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_latency_latest(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_latency_histogram(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_commandlog_slow(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_commandlog_request(struct redis_shown *shown, const struct resp_reply *reply);
void redis_show_commandlog_reply(struct redis_shown *shown, const struct resp_reply *reply);
/* SERVER EXT of a Tile38. */
void redis_show_tile38(struct redis_shown *shown, const struct resp_reply *reply);
/* Whether a parameter is never shown. */
bool redis_is_secret_parameter(struct str key);
/* Behind INFO. Databases that hold nothing need CONFIG GET's reply, to know how many there are; NULL: there was none. */
void redis_show_keyspace(struct redis_shown *shown, const struct resp_reply *config);

#endif
