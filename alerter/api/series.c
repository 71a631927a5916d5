/* What Grafana's query builder asks: series, label names, label values. Each reads a selection and no sample, on a thread for queries: of
 * many series that takes a while. */
#include "listing.h"

#include <stdlib.h>

#include "tocsin/map.h"
#include "tocsin/mem.h"

static void put_series(struct buf *out, const struct listed *l, const struct listed *before, const void *ctx)
{
	struct json_out j = { .to = out, .comma = before != NULL };

	(void)ctx;
	json_out_labels(&j, l->labels);
}

static void run_series(struct api *api, struct http_request *q, void *job, struct turn *turn)
{
	struct listing *l;
	struct json_out j;
	struct found f;
	size_t limit;

	(void)job, (void)turn;
	if (!param_size(q, "limit", 0, &limit) || !found_by(q, true, &f))
		return;
	l = listing_new(&f);
	l->put = put_series;
	l->end = listing_sort(l, limit) ? "]}" : "],\"warnings\":[\"" ENVELOPE_TRUNCATED "\"]}";
	envelope_open(&j, &l->head);
	json_out_open(&j, '[');
	listing_reply(api->answers, q, l, "application/json");
}

static void on_a_thread(struct http_request *q, pool_query *run, struct str *name)
{
	struct api *api = q->ctx;

	pool_evaluate(api->pool, q, run, name, str_hash(q->path) | 1);
}

void api_series(struct http_request *q)
{
	on_a_thread(q, run_series, NULL);
}

/* Texts without repeats, sorted at the end. */
struct texts {
	struct map seen;
	struct str *v;
	size_t n, cap;
};

static void texts_add(struct texts *t, struct str s)
{
	static char present;

	if (s.n == 0 || map_put(&t->seen, s, &present) != NULL)
		return;
	t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof *t->v);
	t->v[t->n++] = s;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void reply_texts(struct http_request *q, struct texts *t, size_t limit)
{
	struct buf b = { 0 };
	struct json_out j;

	if (t->n > 1)
		qsort(t->v, t->n, sizeof *t->v, by_text);
	envelope_open(&j, &b);
	json_out_open(&j, '[');
	for (size_t i = 0; i < t->n && (limit == 0 || i < limit); i++)
		json_out_str(&j, t->v[i]);
	json_out_close(&j, ']');
	envelope_reply(q, &j, &envelope_truncated, limit > 0 && t->n > limit);
	buf_fini(&b);
	map_fini(&t->seen);
	free(t->v);
}

/* Label names (<job> empty), or the values of one. */
static void run_labels(struct api *api, struct http_request *q, void *job, struct turn *turn)
{
	struct str name = *(const struct str *)job;
	struct texts t = { 0 };
	struct found f;
	size_t limit;

	(void)api, (void)turn;
	if (!param_size(q, "limit", 0, &limit) || !found_by(q, false, &f))
		return;
	for (size_t i = 0; i < f.n; i++)
		for (size_t k = 0; k < f.v[i]->n; k++) {
			struct labels l = f.v[i]->v[k].labels;

			if (name.n > 0)
				texts_add(&t, labels_get(l, name));
			for (size_t m = 0; m < l.n && name.n == 0; m++)
				texts_add(&t, l.v[m].name);
		}
	reply_texts(q, &t, limit);
	found_release(&f);
}

void api_labels(struct http_request *q)
{
	on_a_thread(q, run_labels, ARENA_NEW(q->arena, struct str));
}

/* A code point of "U__…": hexadecimal between underscores. False: it is none. */
static bool read_escape(struct str *s, struct buf *out)
{
	size_t end = str_chr((struct str){ s->p + 1, s->n - 1 }, '_');
	uint32_t rune = 0;
	char bytes[4];

	if (end == 0 || end > 6 || end + 2 > s->n)
		return false;
	for (size_t i = 1; i <= end; i++) {
		const char *digit = memchr("0123456789abcdef", s->p[i] | 0x20, 16);

		if (digit == NULL)
			return false;
		rune = rune * 16 + (uint32_t)(digit - "0123456789abcdef");
	}
	*s = (struct str){ s->p + end + 2, s->n - end - 2 };
	end = str_utf8_put(bytes, rune);
	buf_put(out, bytes, end);
	return end > 0;
}

/* Names that are no identifiers come escaped, as Prometheus has it: "U__a_2e_b" is "a.b", "__" an underscore. What is no escape stays
 * as it is. */
static struct str unescaped(struct arena *a, struct str name)
{
	struct str rest = name, out = name;
	struct buf b = { 0 };
	bool good = name.n > 3 && str_starts(name, STR("U__"));

	if (good)
		rest = (struct str){ name.p + 3, name.n - 3 };
	while (good && rest.n > 0) {
		bool doubled = str_starts(rest, STR("__"));

		if (rest.p[0] == '_' && !doubled) {
			good = read_escape(&rest, &b);
			continue;
		}
		buf_putc(&b, rest.p[0]);
		rest = (struct str){ rest.p + 1 + doubled, rest.n - 1 - doubled };
	}
	if (good)
		out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* /api/v1/label/<name>/values */
void api_label_values(struct http_request *q)
{
	struct err e = { 0 };
	struct str name = q->rest, *job = ARENA_NEW(q->arena, struct str);

	if (!str_ends(name, STR("/values")) || name.n == STR("/values").n) {
		err_set(&e, ERR_NOT_FOUND, -1, "no such page: /api/v1/label/<name>/values");
		envelope_error(q, &e);
		return;
	}
	name.n -= STR("/values").n;
	name = unescaped(q->arena, name);
	if (!str_is_utf8(name)) {
		err_set(&e, ERR_BAD_INPUT, -1, "invalid label name: it is not UTF-8");
		envelope_error(q, &e);
		return;
	}
	*job = name;
	on_a_thread(q, run_labels, job);
}
