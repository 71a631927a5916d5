/* tsdb analyze: which metrics and labels cost most, and what comes and goes. Whether the alerter runs or not: nothing is changed. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "store/store.h"
#include "tocsin/clock.h"
#include "tocsin/flags.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

#define HOUR_MS INT64_C(3600000)

/* What belongs to one text: a metric, a label's name, a pair. */
struct sum {
	struct str text;
	size_t series, samples, bytes, began, ended, values;
};

struct sums {
	struct map by_text;
	struct sum **v;
	size_t n, cap;
};

struct analysis {
	struct store *store;
	struct arena arena;
	struct sums metrics, names, pairs;
	struct sum all;
	int64_t first_ms, last_ms;
};

static struct sum *find(struct analysis *x, struct sums *s, struct str text)
{
	struct sum *found = map_get(&s->by_text, text);

	if (found != NULL)
		return found;
	found = ARENA_NEW(&x->arena, struct sum);
	found->text = arena_str(&x->arena, text);
	map_put(&s->by_text, found->text, found);
	s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof(struct sum *));
	s->v[s->n++] = found;
	return found;
}

static void add(struct sum *to, const struct store_cost *c, const struct analysis *x)
{
	to->series++;
	to->samples += c->samples;
	to->bytes += c->bytes;
	to->began += c->first_ms > x->last_ms - HOUR_MS && c->first_ms > x->first_ms + HOUR_MS / 12;
	to->ended += c->last_ms < x->last_ms - HOUR_MS / 12;
}

static void find_range(void *ctx, const struct store_cost *c)
{
	struct analysis *x = ctx;

	x->first_ms = c->first_ms < x->first_ms ? c->first_ms : x->first_ms;
	x->last_ms = c->last_ms > x->last_ms ? c->last_ms : x->last_ms;
}

static void add_series(void *ctx, const struct store_cost *c)
{
	struct analysis *x = ctx;
	struct buf pair = { 0 };

	add(&x->all, c, x);
	add(find(x, &x->metrics, labels_get(c->labels, STR(LABEL_NAME))), c, x);
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct label *l = &c->labels.v[i];
		struct sum *name, *value;

		if (str_eq(l->name, STR(LABEL_NAME)))
			continue;
		buf_reset(&pair);
		buf_puts(&pair, l->name);
		buf_putc(&pair, '=');
		buf_puts(&pair, l->value);
		name = find(x, &x->names, l->name);
		value = find(x, &x->pairs, buf_str(&pair));
		name->values += value->series == 0;
		add(name, c, x);
		add(value, c, x);
	}
	buf_fini(&pair);
}

/* ---- Tables ---- */

static size_t series_of(const struct sum *s)
{
	return s->series;
}

static size_t bytes_of(const struct sum *s)
{
	return s->bytes;
}

static size_t values_of(const struct sum *s)
{
	return s->values;
}

static size_t began_of(const struct sum *s)
{
	return s->began;
}

static size_t ended_of(const struct sum *s)
{
	return s->ended;
}

static int by_value(const void *a, const void *b, void *ctx)
{
	size_t (*of)(const struct sum *) = *(size_t (**)(const struct sum *))ctx;
	const struct sum *l = *(struct sum *const *)a, *r = *(struct sum *const *)b;

	if (of(l) != of(r))
		return of(l) > of(r) ? -1 : 1;
	return str_cmp(l->text, r->text);
}

static void print_top(const char *title, struct sums *s, size_t (*of)(const struct sum *), size_t all, int64_t limit)
{
	size_t n = s->n < (size_t)limit ? s->n : (size_t)limit;
	struct buf text = { 0 };

	if (s->n > 1)
		qsort_r(s->v, s->n, sizeof(struct sum *), by_value, (void *)&of);
	if (n == 0 || of(s->v[0]) == 0)
		return;
	printf("\n%s:\n", title);
	for (size_t i = 0; i < n && of(s->v[i]) > 0; i++) {
		printf("%12zu", of(s->v[i]));
		if (all > 0)
			printf(" %5.1f %%", 100 * (double)of(s->v[i]) / (double)all);
		buf_reset(&text);
		labels_escape(&text, s->v[i]->text);
		printf("  %s\n", buf_z(&text));
	}
	buf_fini(&text);
}

static void print_all(struct analysis *x, int64_t limit)
{
	struct store_stats st = store_stats(x->store);
	char first[32], last[32];

	clock_format_rfc3339(first, x->first_ms);
	clock_format_rfc3339(last, x->last_ms);
	printf("%s to %s\n%zu series, %zu samples, %zu bytes in %zu blocks, %.2f bytes a sample\n", first, last, x->all.series, x->all.samples,
	       st.block_bytes, st.blocks, (double)x->all.bytes / (double)x->all.samples);
	printf("%zu series began in the last hour, %zu have ended\n", x->all.began, x->all.ended);
	print_top("Metrics by bytes", &x->metrics, bytes_of, x->all.bytes, limit);
	print_top("Metrics by series", &x->metrics, series_of, x->all.series, limit);
	print_top("Labels by number of values", &x->names, values_of, 0, limit);
	print_top("Label values by series", &x->pairs, series_of, x->all.series, limit);
	print_top("Metrics by series that began in the last hour", &x->metrics, began_of, x->all.began, limit);
	print_top("Labels of series that have ended", &x->names, ended_of, x->all.ended, limit);
}

static void sums_fini(struct sums *s)
{
	map_fini(&s->by_text);
	free(s->v);
}

bool tool_is_sound(struct store *store, struct err *e)
{
	struct store_stats st = store_stats(store);

	if (st.chunks_damaged == 0 && st.blocks_damaged == 0 && st.journal_damaged == 0)
		return true;
	return err_set(e, ERR_IO, -1, "damaged, and what they held is missing: chunks %llu, blocks %llu, files of the journal %llu",
	               (unsigned long long)st.chunks_damaged, (unsigned long long)st.blocks_damaged, (unsigned long long)st.journal_damaged);
}

static bool analyze(struct analysis *x, const char *path, int64_t limit, struct err *e)
{
	if (!store_open_read(x->store, path, e))
		return false;
	store_each_cost(x->store, find_range, x);
	store_each_cost(x->store, add_series, x);
	if (x->all.series > 0)
		print_all(x, limit);
	store_check(x->store);
	if (!tool_is_sound(x->store, e))
		return false;
	return x->all.series > 0 || err_set(e, ERR_NOT_FOUND, -1, "%s holds no samples", path);
}

int tsdb_analyze(int argc, char **argv)
{
	struct str storage, top;
	const struct flag flags[] = {
		{ "storage.path", FLAG_TEXT, &storage, "data", "DIR", "Where the alerter keeps its data." },
		{ "limit", FLAG_TEXT, &top, "20", "N", "How many rows a table has." },
	};
	struct analysis x = { .first_ms = INT64_MAX, .last_ms = INT64_MIN };
	struct flag_list dirs = { 0 }; /* promtool takes it so */
	struct err e = { 0 };
	double limit;
	bool ok;

	if (!flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv - 1, &dirs, &e) || (dirs.n > 1 && !err_set(&e, ERR_BAD_INPUT, -1, "name one folder")) ||
	    ((!str_to_double(top, &limit) || !(limit >= 1 && limit <= 1e6)) &&
	     !err_set(&e, ERR_BAD_INPUT, -1, "--limit=" STR_FMT ": a number from 1 to 1000000", STR_ARG(top)))) {
		fprintf(stderr, "tocsin-alerter tsdb analyze: %s\n", e.msg);
		return 2;
	}
	x.store = store_new(NULL);
	ok = analyze(&x, dirs.n == 1 ? dirs.v[0].p : storage.p, (int64_t)limit, &e);
	if (!ok)
		fprintf(stderr, "tocsin-alerter tsdb analyze: %s\n", e.msg);
	store_free(x.store);
	sums_fini(&x.metrics);
	sums_fini(&x.names);
	sums_fini(&x.pairs);
	arena_fini(&x.arena);
	return ok ? 0 : 1;
}
