/* A world for tests of delivery: a real database in a temporary folder, a clock wound by hand, and a transport that only notes what
 * it was asked. world_crash() is what a kill leaves: memory is gone, the database stays as the last commit left it. */
#ifndef NOTIFY_WORLD_H
#define NOTIFY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify/core.h"
#include "notify/receivers/receiver.h"
#include "notify/text.h"
#include "tocsin/conf.h"

#define T0 1700000000000
#define MAX_ASKED 512

struct asked {
	void *tag;
	struct str method, url, body, key, auth, to;    /* to: of a mail */
	bool repeat, answered;
};

struct world {
	struct transport transport;     /* first */
	struct arena arena;
	struct clock clock;
	struct core *core;
	char dir[64], path[96];
	const char *yaml;
	bool rules_run;                 /* from the next start: core_watch_rules() is called */
	struct asked asked[MAX_ASKED];
	size_t n;
};

static inline struct str header_of(const struct http_call *c, const char *name)
{
	for (size_t i = 0; i < c->n_headers; i++)
		if (str_eq_nocase(c->headers[i].name, str_of(name)))
			return c->headers[i].value;
	return STR("");
}

/* As the request itself says, or as http_config has it. */
static inline struct str auth_of(struct arena *a, const struct http_call *c)
{
	struct str own = header_of(c, "Authorization");

	if (own.n > 0 || c->http->auth.credentials.n == 0)
		return arena_str(a, own);
	return arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(c->http->auth.type), STR_ARG(c->http->auth.credentials));
}

static inline struct str recipients_of(struct arena *a, const struct http_call *c)
{
	struct str all = STR("");

	for (size_t i = 0; c->mail != NULL && i < c->mail->n_to; i++)
		all = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(all), i > 0 ? " " : "", STR_ARG(c->mail->to[i]));
	return all;
}

static inline void world_start(struct transport *t, const struct http_call *c, void *tag)
{
	struct world *w = (struct world *)t;

	assert_true(w->n < MAX_ASKED);
	w->asked[w->n++] = (struct asked){ tag, str_of(c->method), arena_str(&w->arena, c->url), arena_str(&w->arena, c->body),
		                           arena_str(&w->arena, header_of(c, "Idempotency-Key")),
		                           auth_of(&w->arena, c), recipients_of(&w->arena, c),
		                           header_of(c, "X-Tocsin-Possible-Repeat").n > 0, false };
}

static const struct transport_ops world_ops = { world_start };

static inline struct notify_config *world_config(const char *yaml)
{
	struct arena a = { 0 };
	struct conf_report report = { 0 };
	struct buf text = { 0 };
	struct notify_config *c = notify_config_parse(conf_load_text(&a, STR("tocsin.yml"), str_of(yaml), &report), &report);

	conf_report_print(&report, &text);
	if (c == NULL)
		fail_msg("configuration: %s", buf_z(&text));
	buf_fini(&text);
	conf_report_fini(&report);
	arena_fini(&a);
	return c;
}

static inline void world_run(struct world *w)
{
	for (int i = 0; i < 50; i++)
		if (core_step(w->core) > w->clock.wall)
			return;
	fail_msg("the core has something due for ever");
}

static inline void world_begin(struct world *w)
{
	struct core_options o = { .database_path = w->path, .clock = &w->clock, .transport = &w->transport,
				  .external_url = STR("http://tocsin"), .seed = 1, .rules_run = w->rules_run };
	struct err e = { 0 };

	w->core = core_open(&o, world_config(w->yaml), &e);
	if (w->core == NULL)
		fail_msg("open: %s", e.msg);
}

static inline struct world *world_new(const char *yaml)
{
	struct world *w = calloc(1, sizeof *w);

	w->transport.ops = &world_ops;
	w->clock = clock_manual(T0);
	w->yaml = yaml;
	snprintf(w->dir, sizeof w->dir, "/tmp/tocsin-unit-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/state.db", w->dir);
	world_begin(w);
	world_run(w);
	return w;
}

static inline void world_crash(struct world *w)
{
	core_close(w->core);
	for (size_t i = 0; i < w->n; i++)
		w->asked[i].answered = true;    /* nobody is there to hear it */
	world_begin(w);
}

static inline void world_free(struct world *w)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	core_close(w->core);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char path[128];

		snprintf(path, sizeof path, "%s%s", w->path, ends[i]);
		unlink(path);
	}
	rmdir(w->dir);
	arena_fini(&w->arena);
	free(w);
}

static inline void world_pass(struct world *w, int64_t ms)
{
	w->clock.wall += ms;
	w->clock.mono += ms;
	world_run(w);
}

/* One edge of rule <name> (key "f;g;<name>"), label instance=<instance>, severity=<severity>. */
static inline void world_noted_edge(struct world *w, const char *name, const char *instance, const char *severity, enum alert_edge edge,
				    double value, struct str summary)
{
	struct label labels[] = { { STR("alertname"), str_of(name) },
				  { STR("instance"), str_of(instance) },
				  { STR("severity"), str_of(severity) } };
	struct label notes[] = { { STR("summary"), summary } };
	bool firing = edge != EDGE_RESOLVED;
	struct alert_record r = { .labels = { labels, 3 },
				  .annotations = { notes, 1 },
				  .state = firing ? ALERT_FIRING : ALERT_INACTIVE,
				  .active_at_ms = w->clock.wall,
				  .fired_at_ms = w->clock.wall,
				  .resolved_at_ms = firing ? 0 : w->clock.wall,
				  .value = value };
	struct alert_event ev = { edge, &r, w->clock.wall, firing ? STR("returned 3 (> 2)") : STR("no longer returned") };
	struct rule_identity rule = { .key = arena_printf(&w->arena, "f;g;%s", name),
				      .file = STR("f"),
				      .group = STR("g"),
				      .name = str_of(name),
				      .expr = STR("x > 2"),
				      .generator_url = STR("http://tocsin/graph") };
	struct alert_batch_rule batch = { &rule, &r, 1, &ev, 1 };
	struct err e = { 0 };

	assert_true(core_batch(w->core, &batch, 1, &e));
}

static inline void world_edge(struct world *w, const char *name, const char *instance, const char *severity, enum alert_edge edge,
			      double value)
{
	world_noted_edge(w, name, instance, severity, edge, value, arena_printf(&w->arena, "%s is bad", instance));
}

static inline void fire(struct world *w, const char *name, const char *instance)
{
	world_edge(w, name, instance, "critical", EDGE_FIRING, 3);
	world_run(w);
}

static inline void resolve(struct world *w, const char *name, const char *instance)
{
	world_edge(w, name, instance, "critical", EDGE_RESOLVED, 1);
	world_run(w);
}

static inline void answer_with(struct world *w, size_t i, enum http_fate fate, int status, int64_t retry_after_ms, const char *body)
{
	struct http_answer a
		= { fate, status, retry_after_ms, str_of(body), false, fate == HTTP_ANSWERED ? STR("") : STR("Connection reset"),
		    0.1, STR("") };

	assert_true(i < w->n);
	assert_false(w->asked[i].answered);
	w->asked[i].answered = true;
	core_answer(w->core, w->asked[i].tag, &a);
}

static inline void answer(struct world *w, int status, const char *body)
{
	answer_with(w, w->n - 1, HTTP_ANSWERED, status, -1, body);
	world_run(w);
}

static inline bool has(struct str s, const char *what)
{
	return str_find(s, str_of(what)) < s.n;
}

#define LAST(w) ((w)->asked[(w)->n - 1])

#endif
