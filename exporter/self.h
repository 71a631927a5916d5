/* What the exporter says of itself and of its sources: the *_up gauges, success, duration and age of each collection, the
 * configuration, its own scrapes, the process. */
#ifndef TOCSIN_EXPORTER_SELF_H
#define TOCSIN_EXPORTER_SELF_H

#include "worker.h"

/* One source's part in a scrape. */
struct answer {
	struct worker *worker;          /* counted */
	bool pending;
	struct result *result;          /* counted; NULL: none within the deadline */
	struct {
		const char *name;
		bool failed;
		struct result *good;    /* counted; NULL: none that is young enough */
	} tasks[WORKER_TASKS_MAX];
	size_t n_tasks;
	int64_t good_mono_ms;
};

/* Copies what the worker's shared fields say, under their lock. */
void answer_take_state(struct answer *a, int64_t now_mono_ms);
void answer_fini(struct answer *a);

#define SELF_BUCKETS 10

struct self {
	const struct clock *clock;
	pthread_mutex_t lock;
	bool load_ok;
	int64_t load_good_ms;
	char *load_message;             /* of a failure */
	uint64_t scrapes[SELF_BUCKETS + 1];
	double scrape_seconds, start_seconds;
};

void self_init(struct self *s, const struct clock *clock);
void self_fini(struct self *s);
void self_note_load(struct self *s, bool ok, struct str message);
void self_note_scrape(struct self *s, int64_t took_us);
/* False when the last load failed; then <*message> is why, in <a>. */
bool self_load_state(struct self *s, struct arena *a, struct str *message);

/* Families about the exporter as a whole. */
void self_emit(struct self *s, struct expo_set *out);
/* Families about each source; <bare>: only its *_up, without labels. */
void self_emit_sources(struct expo_set *out, const struct answer *answers, size_t n, bool bare, int64_t now_mono_ms);

#endif
