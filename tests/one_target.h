/* One target over an empty store on a clock of its own, for what feeds replies to it: the fuzz targets and the parser's bench. */
#ifndef TESTS_ONE_TARGET_H
#define TESTS_ONE_TARGET_H

#include "scrape/scrape.h"

struct one_target {
	struct str address;
	struct scrape_static at;
	struct scrape_job job; /* changed between one_target_init and one_target_begin */
	struct scrape_config config;
	struct clock clock;
	struct store_options store_options;
	struct scrape_options options;
	struct scrape_loop *loop;
};

static inline void one_target_init(struct one_target *o, int64_t every_ms)
{
	*o = (struct one_target){ .address = STR("h:1"), .at = { { &o->address, 1 }, { NULL, 0 } }, .clock = clock_manual(1700000000000) };
	o->job = (struct scrape_job){ .name = STR("j"), .metrics_path = STR("/m"), .scheme = STR("http"), .interval_ms = every_ms, .timeout_ms = every_ms,
		                      .statics = { &o->at, 1, NULL } };
	o->config = (struct scrape_config){ .jobs = &o->job, .n = 1 };
}

static inline void one_target_begin(struct one_target *o)
{
	o->store_options = (struct store_options){ .clock = &o->clock };
	o->options = (struct scrape_options){ .store = store_new(&o->store_options), .clock = &o->clock };
	o->loop = scrape_new(&o->options);
	scrape_reload(o->loop, &o->config);
}

/* The next scrape, one interval on. */
static inline bool one_target_scrape(struct one_target *o, struct str content_type, struct str body)
{
	const struct scrape_reply r = { .http_status = 200, .content_type = content_type, .body = body };

	o->clock.wall += o->job.interval_ms;
	return scrape_ingest(o->loop, 0, &r, o->clock.wall);
}

static inline void one_target_fini(struct one_target *o)
{
	scrape_free(o->loop);
	store_free(o->options.store);
}

#endif
