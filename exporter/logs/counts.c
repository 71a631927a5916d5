/* How busy a label set is: lines lately, an old one weighing half after HALF_LIFE_MS. In place of letting all weights decay, new
 * lines weigh more and more, and everything is scaled down before that overflows. Weights are not saved: after a restart whoever
 * is busy shows it soon. */
#include "logs/counts.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "tocsin/mem.h"

#define HALF_LIFE_MS 600000.0
#define WEIGHT_MAX 1e100
#define CANDIDATES_MAX 400              /* label sets not shown whose lines are counted to see whether they should be */

struct counts_series {
	char *key;                      /* values, each behind its length */
	size_t key_n;
	bool shown;
	double count, sum;
	uint64_t *buckets;              /* of a histogram: bounds.n + 1 */
	double weight;
};

static size_t n_buckets(const struct logs_rule *r)
{
	return logs_rule_is_histogram(r) ? r->buckets.n + 1 : 0;
}

static struct str series_key(const struct counts_series *s)
{
	return (struct str){ s->key, s->key_n };
}

/* ---- Keys ---- */

static struct str cut_value(struct str v)
{
	if (v.n <= COUNTS_VALUE_MAX)
		return v;
	v.n = COUNTS_VALUE_MAX;
	while (v.n > 0 && ((unsigned char)v.p[v.n] & 0xc0) == 0x80)
		v.n--;
	return v;
}

static void put_value(struct buf *key, struct str value)
{
	struct buf text = { 0 };
	struct str v;

	buf_put_utf8(&text, value);
	v = cut_value(buf_str(&text));
	buf_printf(key, "%zu:", v.n);
	buf_puts(key, v);
	buf_fini(&text);
}

/* The values back; they point into <key>. */
static void split_key(struct str key, struct str *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *colon;
		size_t len = strtoul(key.p, &colon, 10);

		values[i] = (struct str){ colon + 1, len };
		key = str_between(colon + 1 + len, key.p + key.n);
	}
}

static struct str value_of_other(const struct logs_label *l)
{
	return l->origin == LOGS_CONSTANT ? l->text : STR("other");
}

/* ---- Series ---- */

static struct counts_series *series_new(struct counts_rule *c, struct str key)
{
	struct counts_series *s = mem_alloc(sizeof *s);
	size_t buckets = n_buckets(c->rule);

	s->key = mem_strndup(key.p, key.n);
	s->key_n = key.n;
	s->buckets = buckets > 0 ? mem_alloc(buckets * sizeof *s->buckets) : NULL;
	return s;
}

static void series_free(struct counts_series *s)
{
	free(s->buckets);
	free(s->key);
	free(s);
}

static struct counts_series *series_add(struct counts_rule *c, struct str key)
{
	struct counts_series *s = series_new(c, key);

	c->v = mem_grow(c->v, &c->cap, c->n + 1, sizeof(struct counts_series *));
	c->v[c->n++] = s;
	map_put(&c->by_key, series_key(s), s);
	return s;
}

static void series_remove(struct counts_rule *c, struct counts_series *s)
{
	size_t i = 0;

	while (c->v[i] != s)
		i++;
	c->v[i] = c->v[--c->n];
	map_del(&c->by_key, series_key(s));
	series_free(s);
}

static struct counts_series *quietest(const struct counts_rule *c, bool shown)
{
	struct counts_series *least = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i]->shown == shown && (least == NULL || c->v[i]->weight < least->weight))
			least = c->v[i];
	return least;
}

static double line_weight(struct counts_rule *c, int64_t now_ms)
{
	double w = exp2(((double)now_ms - c->weight_epoch_ms) / HALF_LIFE_MS);

	if (w < WEIGHT_MAX)
		return w;
	for (size_t i = 0; i < c->n; i++)
		c->v[i]->weight /= w;
	c->weight_epoch_ms = (double)now_ms;
	return 1;
}

/* A label set that is not shown, watched from now on; when too many are, it takes the place and the weight of the quietest. */
static struct counts_series *candidate(struct counts_rule *c, struct str key)
{
	struct counts_series *s, *least = c->n - c->n_shown >= CANDIDATES_MAX ? quietest(c, false) : NULL;
	double weight = least != NULL ? least->weight : 0;

	if (least != NULL)
		series_remove(c, least);
	s = series_add(c, key);
	s->weight = weight;
	return s;
}

/* Where the next line of <key> is counted. */
static struct counts_series *series_for(struct counts_rule *c, struct str key, int64_t now_ms)
{
	const double w = line_weight(c, now_ms);
	struct counts_series *s = map_get(&c->by_key, key), *least;

	if (str_eq(key, series_key(c->other)))
		return c->other;
	if (s == NULL)
		s = c->n_shown < (size_t)c->rule->top ? series_add(c, key) : candidate(c, key);
	if (!s->shown && c->n_shown < (size_t)c->rule->top) {
		s->shown = true;
		c->n_shown++;
	}
	s->weight += w;
	if (s->shown)
		return s;
	least = quietest(c, true);
	if (s->weight > 2 * least->weight) {
		series_remove(c, least);
		s->shown = true;
	}
	return c->other;                /* this line still; the next one is the series' own */
}

void counts_add(struct counts *counts, size_t i, const struct str *values, double v, int64_t now_ms)
{
	struct counts_rule *c = &counts->rules[i];
	const struct logs_rule *r = c->rule;
	struct counts_series *s = c->other;
	struct buf key = { 0 };
	size_t b = 0;

	for (size_t l = 0; l < r->n_labels; l++)
		put_value(&key, values[l]);
	if (r->has_variable_labels)
		s = series_for(c, buf_str(&key), now_ms);
	buf_fini(&key);
	s->sum += v;
	s->count += logs_rule_is_histogram(r) ? 1 : v;
	if (!logs_rule_is_histogram(r))
		return;
	while (b < r->buckets.n && v > r->buckets.v[b])
		b++;
	s->buckets[b]++;
}

/* ---- Life ---- */

void counts_init(struct counts *c, const struct logs_settings *s)
{
	c->n = s->metrics.n;
	c->rules = mem_alloc((c->n + 1) * sizeof *c->rules);
	for (size_t i = 0; i < c->n; i++) {
		const struct logs_rule *r = &logs_rules(s)[i];
		struct buf key = { 0 };

		c->rules[i].rule = r;
		for (size_t l = 0; l < r->n_labels; l++)
			put_value(&key, value_of_other(&r->labels[l]));
		c->rules[i].other = series_new(&c->rules[i], buf_str(&key));
		buf_fini(&key);
	}
}

void counts_fini(struct counts *c)
{
	for (struct counts_rule *r = c->rules; r < c->rules + c->n; r++) {
		for (size_t i = 0; i < r->n; i++)
			series_free(r->v[i]);
		series_free(r->other);
		map_fini(&r->by_key);
		free(r->v);
	}
	free(c->rules);
}

/* ---- Showing ---- */

static void emit_series(const struct logs_rule *r, const struct counts_series *s, struct expo_set *out)
{
	struct str values[LOGS_LABELS_MAX];
	struct label labels[LOGS_LABELS_MAX];

	split_key(series_key(s), values, r->n_labels);
	for (size_t l = 0; l < r->n_labels; l++)
		labels[l] = (struct label){ r->labels[l].name, values[l] };
	if (logs_rule_is_histogram(r))
		expo_emit_histogram(out, &r->family, r->buckets.v, r->buckets.n, s->buckets, s->sum, labels, r->n_labels);
	else
		expo_emit(out, &r->family, s->count, labels, r->n_labels);
}

/* "other" is shown from when it may be needed: at 0 before its first line. */
void counts_emit(const struct counts *c, struct expo_set *out)
{
	for (const struct counts_rule *r = c->rules; r < c->rules + c->n; r++) {
		if (!r->rule->has_variable_labels || r->other->count > 0 || r->n_shown == (size_t)r->rule->top)
			emit_series(r->rule, r->other, out);
		for (size_t i = 0; i < r->n; i++)
			if (r->v[i]->shown)
				emit_series(r->rule, r->v[i], out);
	}
}

/* ---- The state file ---- */

static void save_series(const struct counts_rule *c, const struct counts_series *s, struct json_out *to)
{
	struct str values[LOGS_LABELS_MAX];

	split_key(series_key(s), values, c->rule->n_labels);
	json_out_open(to, '{');
	json_out_key(to, "labels");
	json_out_open(to, '[');
	for (size_t l = 0; l < c->rule->n_labels; l++)
		json_out_str(to, values[l]);
	json_out_close(to, ']');
	json_out_key(to, "count");
	json_out_num(to, s->count);
	json_out_key(to, "sum");
	json_out_num(to, s->sum);
	json_out_key(to, "buckets");
	json_out_open(to, '[');
	for (size_t b = 0; b < n_buckets(c->rule); b++)
		json_out_int(to, (int64_t)s->buckets[b]);
	json_out_close(to, ']');
	json_out_close(to, '}');
}

void counts_save(const struct counts *c, struct json_out *to)
{
	json_out_open(to, '{');
	for (const struct counts_rule *r = c->rules; r < c->rules + c->n; r++) {
		json_out_key_str(to, r->rule->key);
		json_out_open(to, '[');
		save_series(r, r->other, to);
		for (size_t i = 0; i < r->n; i++)
			if (r->v[i]->shown)
				save_series(r, r->v[i], to);
		json_out_close(to, ']');
	}
	json_out_close(to, '}');
}

static bool load_series(struct counts_rule *c, const json_t *from, struct err *e)
{
	const json_t *labels = json_object_get(from, "labels"), *buckets = json_object_get(from, "buckets");
	struct buf key = { 0 };
	struct counts_series *s = c->other;

	if (json_array_size(labels) != c->rule->n_labels || json_array_size(buckets) != n_buckets(c->rule) ||
	    !json_is_number(json_object_get(from, "count")))
		return err_set(e, ERR_BAD_INPUT, -1, "a series of " STR_FMT " is damaged", STR_ARG(c->rule->name));
	for (size_t l = 0; l < c->rule->n_labels; l++) {
		const json_t *text = json_array_get(labels, l);

		put_value(&key, (struct str){ json_string_value(text), json_string_length(text) });
	}
	if (!str_eq(buf_str(&key), series_key(c->other)) && c->n_shown < (size_t)c->rule->top) {
		s = map_get(&c->by_key, buf_str(&key));
		if (s == NULL)
			s = series_add(c, buf_str(&key));
		c->n_shown += !s->shown;
		s->shown = true;
	}
	s->count += json_number_value(json_object_get(from, "count"));
	s->sum += json_number_value(json_object_get(from, "sum"));
	for (size_t b = 0; b < n_buckets(c->rule); b++)
		s->buckets[b] += (uint64_t)json_integer_value(json_array_get(buckets, b));
	buf_fini(&key);
	return true;
}

bool counts_load(struct counts *c, const json_t *from, struct err *e)
{
	for (struct counts_rule *r = c->rules; r < c->rules + c->n; r++) {
		char *key = mem_strndup(r->rule->key.p, r->rule->key.n);
		const json_t *series = json_object_get(from, key);

		free(key);
		for (size_t i = 0; i < json_array_size(series); i++)
			if (!load_series(r, json_array_get(series, i), e))
				return false;
	}
	return true;
}
