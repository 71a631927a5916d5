/* Silences: who is not to be told of what until when. They are kept in the database as everything else; a change of what one
 * matches is another silence, so that history stays true. Owns struct silence. */
#include "notify/core.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/json.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

#define KEPT_MS        (5 * 86400000LL) /* after it has ended */
#define MAX_MATCHERS   64
#define MAX_TEXT_BYTES 4096

void silence_free(struct silence *s)
{
	matcher_list_free_regexes(&s->matchers);
	arena_fini(&s->arena);
	free(s);
}

static enum silence_state state_at(const struct silence *s, int64_t now_ms)
{
	return s->ends_ms <= now_ms ? SILENCE_EXPIRED : s->starts_ms > now_ms ? SILENCE_PENDING : SILENCE_ACTIVE;
}

/* ---- Matchers. ---- */

static struct str matchers_text(struct arena *a, const struct notify_matcher *v, size_t n)
{
	struct buf b = {0};
	struct json_out j = {&b, false};
	struct str text;

	json_out_open(&j, '[');
	for (size_t i = 0; i < n; i++) {
		json_out_open(&j, '[');
		json_out_str(&j, v[i].name);
		json_out_str(&j, v[i].value);
		json_out_bool(&j, v[i].is_regex);
		json_out_bool(&j, v[i].is_equal);
		json_out_close(&j, ']');
	}
	json_out_close(&j, ']');
	text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

static struct notify_matcher *matchers_from(struct arena *a, struct str text, size_t *n)
{
	json_t *list = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL), *one;
	struct notify_matcher *v = ARENA_ARRAY(a, json_array_size(list) + 1, struct notify_matcher);
	size_t i;

	*n = 0;
	json_array_foreach(list, i, one)
	{
		json_t *name = json_array_get(one, 0), *value = json_array_get(one, 1);

		if (json_is_string(name) && json_is_string(value))
			v[(*n)++] =
			    (struct notify_matcher){arena_str(a, (struct str){json_string_value(name), json_string_length(name)}),
						    arena_str(a, (struct str){json_string_value(value), json_string_length(value)}),
						    json_is_true(json_array_get(one, 2)), json_is_true(json_array_get(one, 3))};
	}
	json_decref(list);
	return v;
}

static enum match_op op_of(const struct notify_matcher *m)
{
	return m->is_regex ? (m->is_equal ? MATCH_RE : MATCH_NRE) : m->is_equal ? MATCH_EQ : MATCH_NE;
}

static struct silence *make(const struct notify_matcher *v, size_t n, const struct notify_silence *from, struct err *e)
{
	struct silence *s = mem_alloc(sizeof *s);
	struct notify_matcher *copy = ARENA_ARRAY(&s->arena, n + 1, struct notify_matcher);
	bool ok = true;

	s->matchers.arena = &s->arena;
	for (size_t i = 0; i < n && ok; i++) {
		copy[i] = v[i];
		copy[i].name = arena_str(&s->arena, v[i].name);
		copy[i].value = arena_str(&s->arena, v[i].value);
		ok = matcher_add(&s->matchers, op_of(&v[i]), copy[i].name, copy[i].value, e);
	}
	s->shown = copy;
	s->starts_ms = from->starts_ms;
	s->ends_ms = from->ends_ms;
	s->updated_ms = from->updated_ms;
	s->author = arena_str(&s->arena, from->author);
	s->comment = arena_str(&s->arena, from->comment);
	if (ok)
		return s;
	silence_free(s);
	return NULL;
}

void silence_load(struct core *c, const char *id, struct str matchers, const struct notify_silence *from)
{
	size_t n;
	struct notify_matcher *v = matchers_from(&c->scratch, matchers, &n);
	struct err e = {0};
	struct silence *s = n > 0 ? make(v, n, from, &e) : NULL;

	if (s == NULL) {
		log_event(LOG_WARN, "a silence in the database is damaged; it is ignored", "id", id, "err", e.msg, NULL);
		return;
	}
	snprintf(s->id, sizeof s->id, "%s", id);
	map_put(&c->silences, str_of(s->id), s);
}

/* ---- Changes. ---- */

static void put_row(struct core *c, const struct silence *s)
{
	DB_ADD(c->db, DB_PUT_SILENCE, DB_T(str_of(s->id)), DB_T(matchers_text(&c->scratch, s->shown, s->matchers.n)),
	       DB_I(s->starts_ms), DB_I(s->ends_ms), DB_I(s->updated_ms), DB_T(s->author), DB_T(s->comment));
}

static bool check(const struct core *c, const struct notify_silence *in, struct err *e)
{
	if (in->n_matchers == 0 || in->n_matchers > MAX_MATCHERS)
		return err_set(e, ERR_BAD_INPUT, -1, "a silence has 1 to %d matchers (limit MAX_MATCHERS)", MAX_MATCHERS);
	if (in->author.n > MAX_TEXT_BYTES || in->comment.n > MAX_TEXT_BYTES)
		return err_set(e, ERR_BAD_INPUT, -1, "author or comment is longer than %d bytes (limit MAX_TEXT_BYTES)",
			       MAX_TEXT_BYTES);
	for (size_t i = 0; i < in->n_matchers; i++)
		if (in->matchers[i].name.n == 0)
			return err_set(e, ERR_BAD_INPUT, -1, "a matcher has no label name");
	if (in->ends_ms <= in->starts_ms)
		return err_set(e, ERR_BAD_INPUT, -1, "the end of a silence must be behind its start");
	if (in->ends_ms <= core_now_ms(c))
		return err_set(e, ERR_BAD_INPUT, -1, "the end of a silence must not be in the past");
	return true;
}

/* Such matchers suit an alert that has none of the labels: a slip of the hand that would silence everything. */
/* As Alertmanager has it, "all but these" is no silence of everything. */
static bool match_everything(const struct silence *s)
{
	struct err e = {0};

	for (size_t i = 0; i < s->matchers.n; i++)
		if (!s->shown[i].is_equal)
			return false;
	return matchers_test(s->matchers.v, s->matchers.n, (struct labels){0}, &e) && e.code == ERR_NONE;
}

static bool same_matchers(const struct silence *s, const struct notify_silence *in)
{
	bool same = s->matchers.n == in->n_matchers;

	for (size_t i = 0; same && i < in->n_matchers; i++)
		same = str_eq(s->shown[i].name, in->matchers[i].name) && str_eq(s->shown[i].value, in->matchers[i].value) &&
		       s->shown[i].is_regex == in->matchers[i].is_regex && s->shown[i].is_equal == in->matchers[i].is_equal;
	return same;
}

/* Its matchers are as they were, and its past is not changed. */
static bool can_change(const struct silence *s, const struct notify_silence *in, int64_t now_ms)
{
	switch (state_at(s, now_ms)) {
	case SILENCE_ACTIVE:
		return same_matchers(s, in) && in->starts_ms == s->starts_ms;
	case SILENCE_PENDING:
		return same_matchers(s, in) && in->starts_ms >= now_ms;
	case SILENCE_EXPIRED:
		return false;
	}
	abort();
}

static void end(struct silence *s, int64_t now_ms)
{
	if (s->starts_ms > now_ms)
		s->starts_ms = now_ms;
	s->ends_ms = s->updated_ms = now_ms;
}

/* First on disk, then here. <now>: it is new, or takes the place of another of its id; <ended>: it ends; each may be NULL. */
static bool commit(struct core *c, const struct silence *now, const struct silence *ended, struct err *e)
{
	size_t before = db_log_length(c->db);

	if (now != NULL)
		put_row(c, now);
	if (ended != NULL) {
		struct silence over = *ended;

		end(&over, core_now_ms(c));
		put_row(c, &over);
	}
	return core_commit_change(c, before, e);
}

/* <was>: it takes its place. */
static void take(struct core *c, struct silence *s, struct silence *was, struct silence *ended)
{
	if (was != NULL)
		map_del(&c->silences, str_of(was->id));
	if (ended != NULL) {
		end(ended, core_now_ms(c));
		statuspage_announce(c, ended, NULL);
	}
	map_put(&c->silences, str_of(s->id), s);
	statuspage_announce(c, s, was);
	if (was != NULL)
		silence_free(was);
}

bool silence_set(struct core *c, const struct notify_silence *in, struct arena *a, struct str *id, struct err *e)
{
	struct silence *old = in->id.n > 0 ? map_get(&c->silences, in->id) : NULL, *s;
	struct notify_silence wanted = *in;
	int64_t now_ms = core_now_ms(c);
	bool changes = old != NULL && can_change(old, in, now_ms);
	bool ends = old != NULL && !changes && state_at(old, now_ms) != SILENCE_EXPIRED;

	if (in->id.n > 0 && old == NULL)
		return err_set(e, ERR_NOT_FOUND, -1, "silence " STR_FMT " not found", STR_ARG(in->id));
	if (!changes && wanted.starts_ms < now_ms)
		wanted.starts_ms = now_ms;
	wanted.updated_ms = now_ms;
	if (!check(c, &wanted, e))
		return false;
	if (old == NULL && c->silences.n >= NOTIFY_MAX_SILENCES)
		return err_set(e, ERR_LIMIT, -1, "there are %d silences already (limit NOTIFY_MAX_SILENCES)", NOTIFY_MAX_SILENCES);
	s = make(wanted.matchers, wanted.n_matchers, &wanted, e);
	if (s == NULL)
		return err_context(e, "a matcher's regular expression");
	if (match_everything(s)) {
		silence_free(s);
		return err_set(e, ERR_BAD_INPUT, -1,
			       "at least one matcher must not match the empty string: this would silence everything");
	}
	if (changes)
		memcpy(s->id, old->id, sizeof s->id);
	else
		core_new_uuid(s->id);
	if (!commit(c, s, ends ? old : NULL, e)) {
		silence_free(s);
		return false;
	}
	take(c, s, changes ? old : NULL, ends ? old : NULL);
	*id = arena_str(a, str_of(s->id));
	return true;
}

bool silence_expire(struct core *c, struct str id, struct err *e)
{
	struct silence *s = map_get(&c->silences, id);

	if (s == NULL)
		return err_set(e, ERR_NOT_FOUND, -1, "silence " STR_FMT " not found", STR_ARG(id));
	if (state_at(s, core_now_ms(c)) == SILENCE_EXPIRED)
		return true;
	if (!commit(c, NULL, s, e))
		return false;
	end(s, core_now_ms(c));
	statuspage_announce(c, s, NULL);
	return true;
}

void silence_trim(struct core *c)
{
	struct silence **old = ARENA_ARRAY(&c->scratch, c->silences.n + 1, struct silence *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->silences, s)) != NULL;)
		if (((struct silence *)s->value)->ends_ms < core_now_ms(c) - KEPT_MS)
			old[n++] = s->value;
	for (size_t i = 0; i < n; i++) {
		DB_ADD(c->db, DB_DEL_SILENCE, DB_T(str_of(old[i]->id)));
		map_del(&c->silences, str_of(old[i]->id));
		silence_free(old[i]);
	}
}

/* ---- Reading. ---- */

/* A matcher that gives up counts as none. */
size_t silence_matching(struct core *c, struct labels labels, struct str *ids, size_t max)
{
	int64_t now_ms = core_now_ms(c);
	size_t n = 0;

	for (struct map_slot *slot = NULL; n < max && (slot = map_next(&c->silences, slot)) != NULL;) {
		const struct silence *s = slot->value;
		struct err e = {0};

		if (state_at(s, now_ms) != SILENCE_ACTIVE || !matchers_test(s->matchers.v, s->matchers.n, labels, &e) ||
		    e.code != ERR_NONE)
			continue;
		if (ids != NULL)
			ids[n] = str_of(s->id);
		n++;
	}
	return n;
}

static bool has_matcher(const struct silence *s, const struct matcher *wanted)
{
	for (size_t i = 0; i < s->matchers.n; i++)
		if (str_eq(s->shown[i].name, wanted->name) && str_eq(s->shown[i].value, wanted->value) &&
		    op_of(&s->shown[i]) == wanted->op)
			return true;
	return false;
}

static int by_end(const void *a, const void *b)
{
	const struct notify_silence *x = a, *y = b;

	if (x->state != y->state)
		return x->state == SILENCE_ACTIVE || y->state == SILENCE_EXPIRED ? -1 : 1;
	return x->ends_ms != y->ends_ms ? (x->ends_ms < y->ends_ms ? -1 : 1) : str_cmp(x->id, y->id);
}

static struct notify_silence view(const struct silence *s, struct arena *a, int64_t now_ms)
{
	struct notify_matcher *v = ARENA_ARRAY(a, s->matchers.n + 1, struct notify_matcher);

	for (size_t i = 0; i < s->matchers.n; i++)
		v[i] = (struct notify_matcher){arena_str(a, s->shown[i].name), arena_str(a, s->shown[i].value),
					       s->shown[i].is_regex, s->shown[i].is_equal};
	return (struct notify_silence){.id = arena_str(a, str_of(s->id)),
				       .matchers = v,
				       .n_matchers = s->matchers.n,
				       .starts_ms = s->starts_ms,
				       .ends_ms = s->ends_ms,
				       .updated_ms = s->updated_ms,
				       .author = arena_str(a, s->author),
				       .comment = arena_str(a, s->comment),
				       .state = state_at(s, now_ms)};
}

bool silence_list(struct core *c, const struct str *filters, size_t n_filters, struct arena *a, const struct notify_silence **out,
		  size_t *n, struct err *e)
{
	struct matcher_list l = {.arena = a};
	struct notify_silence *v = ARENA_ARRAY(a, c->silences.n + 1, struct notify_silence);
	bool ok = true;

	*n = 0;
	for (size_t i = 0; i < n_filters && ok; i++)
		ok = matcher_parse_filter(&l, filters[i], e);
	for (struct map_slot *slot = NULL; ok && (slot = map_next(&c->silences, slot)) != NULL;) {
		bool fits = true;

		for (size_t i = 0; i < l.n; i++)
			fits = fits && has_matcher(slot->value, &l.v[i]);
		if (fits)
			v[(*n)++] = view(slot->value, a, core_now_ms(c));
	}
	matcher_list_free_regexes(&l);
	qsort(v, *n, sizeof *v, by_end);
	*out = v;
	return ok;
}
