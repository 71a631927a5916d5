/* The functions and label-set methods of Alertmanager's templates, and values as JSON.
 * Source: Alertmanager documentation, "Notification template reference". */
#include "notify/receivers/receiver.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "tocsin/clock.h"

/* ---- Label sets. ---- */

static bool pair_column(struct template_call *c, size_t field)
{
	const struct template_list *pairs = c->self.list;
	struct template_value *v = ARENA_ARRAY(c->arena, pairs->n + 1, struct template_value);

	for (size_t i = 0; i < pairs->n; i++)
		v[i] = pairs->v[i].map->v[field].value;
	c->out = template_list_of(c->arena, v, pairs->n, &template_string_list);
	return true;
}

static bool pairs_names(struct template_call *c)
{
	return pair_column(c, 0);
}

static bool pairs_values(struct template_call *c)
{
	return pair_column(c, 1);
}

static const struct template_func pairs_methods[] = {{"Names", 0, 0, pairs_names}, {"Values", 0, 0, pairs_values}};
static const struct template_type pairs_type = {"template.Pairs", {0}, pairs_methods, ARRAY_LEN(pairs_methods)};
static const struct template_type pair_type = {"template.Pair", {0}, NULL, 0};

/* The name of the alert first, then by name. */
static bool kv_sorted_pairs(struct template_call *c)
{
	const struct template_map *m = c->self.map;
	struct template_value *v = ARENA_ARRAY(c->arena, m->n + 1, struct template_value);
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->n; i++) {
			struct template_field *f;
			struct template_map *pair;

			if (str_eq(m->v[i].name, STR("alertname")) != (pass == 0))
				continue;
			f = ARENA_ARRAY(c->arena, 2, struct template_field);
			pair = ARENA_NEW(c->arena, struct template_map);
			f[0] = (struct template_field){STR("Name"), template_str(m->v[i].name)};
			f[1] = (struct template_field){STR("Value"), m->v[i].value};
			*pair = (struct template_map){f, 2, &pair_type};
			v[n++] = (struct template_value){.kind = TEMPLATE_RECORD, .map = pair};
		}
	c->out = template_list_of(c->arena, v, n, &pairs_type);
	return true;
}

static bool kv_names(struct template_call *c)
{
	return kv_sorted_pairs(c) && (c->self = c->out, pairs_names(c));
}

static bool kv_values(struct template_call *c)
{
	return kv_sorted_pairs(c) && (c->self = c->out, pairs_values(c));
}

static bool is_in(const struct template_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == TEMPLATE_STRING && str_eq(l->v[i].s, s))
			return true;
	return false;
}

static bool kv_remove(struct template_call *c)
{
	const struct template_map *m = c->self.map;
	const struct template_list *names;
	struct template_field *v = ARENA_ARRAY(c->arena, m->n + 1, struct template_field);
	struct template_map *out = ARENA_NEW(c->arena, struct template_map);
	size_t n = 0;

	if (!template_arg_list(c, 0, &names))
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (!is_in(names, m->v[i].name))
			v[n++] = m->v[i];
	*out = (struct template_map){v, n, &notice_kv_type};
	c->out = (struct template_value){.kind = TEMPLATE_MAP, .map = out};
	return true;
}

static const struct template_func kv_methods[] = {
    {"SortedPairs", 0, 0, kv_sorted_pairs}, {"Names", 0, 0, kv_names}, {"Values", 0, 0, kv_values}, {"Remove", 1, 1, kv_remove}};
const struct template_type notice_kv_type = {
    "template.KV", {.kind = TEMPLATE_STRING, .s = {"", 0}}, kv_methods, ARRAY_LEN(kv_methods)};

/* ---- JSON. ---- */

/* As Alertmanager's structs are tagged: startsAt, generatorURL. */
static void put_field_name(struct json_out *j, enum template_kind kind, struct str name)
{
	char first[128];

	if (kind == TEMPLATE_MAP || name.n == 0 || name.n >= sizeof first) {
		json_out_key_str(j, name);
		return;
	}
	memcpy(first, name.p, name.n);
	first[0] = (char)tolower((unsigned char)first[0]);
	json_out_key_str(j, (struct str){first, name.n});
}

static void put_text(struct json_out *j, struct template_value v)
{
	struct buf b = {0};

	template_print(&b, v);
	json_out_str(j, buf_str(&b));
	buf_fini(&b);
}

void notice_put_json(struct json_out *j, struct template_value v)
{
	switch (v.kind) {
	case TEMPLATE_NIL:
		json_out_null(j);
		return;
	case TEMPLATE_BOOL:
		json_out_bool(j, v.b);
		return;
	case TEMPLATE_INT:
	case TEMPLATE_DURATION:
		json_out_int(j, v.i);
		return;
	case TEMPLATE_FLOAT:
		json_out_num(j, v.f);
		return;
	case TEMPLATE_STRING:
		json_out_str(j, v.s);
		return;
	case TEMPLATE_TIME:
		if (v.t.ms == TEMPLATE_ZERO_TIME_MS)
			json_out_strz(j, "0001-01-01T00:00:00Z");
		else
			json_out_time(j, v.t.ms);
		return;
	case TEMPLATE_LIST:
		json_out_open(j, '[');
		for (size_t i = 0; i < v.list->n; i++)
			notice_put_json(j, v.list->v[i]);
		json_out_close(j, ']');
		return;
	case TEMPLATE_MAP:
	case TEMPLATE_RECORD:
		json_out_open(j, '{');
		for (size_t i = 0; i < v.map->n; i++) {
			put_field_name(j, v.kind, v.map->v[i].name);
			notice_put_json(j, v.map->v[i].value);
		}
		json_out_close(j, '}');
		return;
	}
	put_text(j, v);
}

bool notice_to_json(struct template_call *c)
{
	struct buf b = {.limit = TEMPLATE_MAX_OUTPUT_BYTES};
	struct json_out j = {&b, false};

	notice_put_json(&j, c->args[0]);
	return template_answer(c, &b);
}

/* ---- Texts. ---- */

static bool trim_space(struct template_call *c)
{
	struct str s;

	if (!template_arg_str(c, 0, &s))
		return false;
	c->out = template_str(str_trim(s));
	return true;
}

/* Unlike Prometheus's: other letters become small. */
static bool title(struct template_call *c)
{
	struct template_call lower = *c;

	if (!template_fn_to_lower(&lower))
		return false;
	c->args = &lower.out;
	return template_fn_title(c);
}

static bool join(struct template_call *c)
{
	struct buf b = {.limit = TEMPLATE_MAX_OUTPUT_BYTES};
	const struct template_list *l;
	struct str separator;

	if (!template_arg_str(c, 0, &separator) || !template_arg_list(c, 1, &l))
		return false;
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_puts(&b, separator);
		template_print(&b, l->v[i]);
	}
	return template_answer(c, &b);
}

static bool url_unescape(struct template_call *c)
{
	struct buf b = {0};
	struct str s;

	if (!template_arg_str(c, 0, &s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char hex[3] = {0};

		if (s.p[i] != '%') {
			buf_putc(&b, s.p[i] == '+' ? ' ' : s.p[i]);
			continue;
		}
		if (s.n - i < 3 || !isxdigit((unsigned char)s.p[i + 1]) || !isxdigit((unsigned char)s.p[i + 2])) {
			buf_fini(&b);
			return err_set(c->e, ERR_EXEC, -1, "invalid URL escape in \"" STR_FMT "\"", STR_ARG(s));
		}
		memcpy(hex, s.p + i + 1, 2);
		buf_putc(&b, (char)strtol(hex, NULL, 16));
		i += 2;
	}
	return template_answer(c, &b);
}

static bool base64_encode(struct template_call *c)
{
	struct str s;
	unsigned char *out;

	if (!template_arg_str(c, 0, &s))
		return false;
	out = arena_alloc(c->arena, s.n / 3 * 4 + 8);
	c->out = template_str((struct str){(const char *)out, (size_t)EVP_EncodeBlock(out, (const unsigned char *)s.p, (int)s.n)});
	return true;
}

static bool base64_decode(struct template_call *c)
{
	struct str s;
	unsigned char *out;
	int n;

	if (!template_arg_str(c, 0, &s))
		return false;
	out = arena_alloc(c->arena, s.n + 8);
	n = EVP_DecodeBlock(out, (const unsigned char *)s.p, (int)s.n);
	if (n < 0 || s.n % 4 != 0)
		return err_set(c->e, ERR_EXEC, -1, "illegal base64 data");
	for (size_t i = s.n; i > 0 && s.p[i - 1] == '='; i--)
		n--;
	c->out = template_str((struct str){(const char *)out, n > 0 ? (size_t)n : 0});
	return true;
}

/* ---- Lists and maps. ---- */

static bool list_as(struct template_call *c, const struct template_type *type)
{
	struct template_value *v = ARENA_ARRAY(c->arena, c->n_args + 1, struct template_value);

	memcpy(v, c->args, c->n_args * sizeof *v);
	c->out = template_list_of(c->arena, v, c->n_args, type);
	return true;
}

static bool list(struct template_call *c)
{
	return list_as(c, NULL);
}

static bool string_slice(struct template_call *c)
{
	struct str s;

	for (size_t i = 0; i < c->n_args; i++)
		if (!template_arg_str(c, i, &s))
			return false;
	return list_as(c, &template_string_list);
}

static bool append(struct template_call *c)
{
	const struct template_list *l;
	struct template_value *v;

	if (!template_arg_list(c, 0, &l))
		return false;
	v = ARENA_ARRAY(c->arena, l->n + c->n_args, struct template_value);
	memcpy(v, l->v, l->n * sizeof *v);
	memcpy(v + l->n, c->args + 1, (c->n_args - 1) * sizeof *v);
	c->out = template_list_of(c->arena, v, l->n + c->n_args - 1, NULL);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct template_field *)a)->name, ((const struct template_field *)b)->name);
}

static bool dict(struct template_call *c)
{
	struct template_field *v = ARENA_ARRAY(c->arena, c->n_args / 2 + 1, struct template_field);
	struct template_map *m = ARENA_NEW(c->arena, struct template_map);

	if (c->n_args % 2 != 0)
		return err_set(c->e, ERR_EXEC, -1, "a dict needs a value for each key");
	for (size_t i = 0; i < c->n_args; i += 2) {
		if (!template_arg_str(c, i, &v[i / 2].name))
			return false;
		v[i / 2].value = c->args[i + 1];
	}
	qsort(v, c->n_args / 2, sizeof *v, by_name);
	*m = (struct template_map){v, c->n_args / 2, NULL};
	c->out = (struct template_value){.kind = TEMPLATE_MAP, .map = m};
	return true;
}

static bool route_labels(struct template_call *c)
{
	const struct notice *n = c->user;

	c->out = template_labels(c->arena, n != NULL ? n->route_labels : (struct labels){0}, &notice_kv_type);
	return true;
}

/* ---- Times. ---- */

static bool arg_time(struct template_call *c, size_t i, struct template_time *out)
{
	if (c->args[i].kind != TEMPLATE_TIME)
		return err_set(c->e, ERR_EXEC, -1, "wrong type for value; expected time.Time; got %s",
			       template_type_name(c->args[i]));
	*out = c->args[i].t;
	return true;
}

static bool date(struct template_call *c)
{
	struct buf b = {.limit = TEMPLATE_MAX_OUTPUT_BYTES};
	struct template_time t;
	struct str layout;

	if (!template_arg_str(c, 0, &layout) || !arg_time(c, 1, &t))
		return false;
	template_time_format(&b, t, layout);
	return template_answer(c, &b);
}

static bool in_zone(struct template_call *c)
{
	struct template_time t;
	struct str name;

	if (!template_arg_str(c, 0, &name) || !arg_time(c, 1, &t) || !template_time_in(c, &t, name))
		return false;
	c->out = (struct template_value){.kind = TEMPLATE_TIME, .t = t};
	return true;
}

static int64_t now_ms(const struct template_call *c)
{
	const struct notice *n = c->user;

	return n != NULL ? n->now_ms : clock_now_ms(&clock_system);
}

static bool now(struct template_call *c)
{
	c->out = template_time_utc(now_ms(c));
	return true;
}

static bool since(struct template_call *c)
{
	struct template_time t = {0}; /* gcc does not see that it is filled where it is used */

	if (!arg_time(c, 0, &t))
		return false;
	c->out = (struct template_value){.kind = TEMPLATE_DURATION, .i = template_time_between(t.ms, now_ms(c))};
	return true;
}

/* Go's layouts as strptime writes them; longer ones before those they begin with. */
static const struct {
	const char *go, *c;
} pieces[] = {
    {"January", "%B"}, {"Jan", "%b"},    {"Monday", "%A"}, {"Mon", "%a"}, {"2006", "%Y"}, {"Z07:00", "%z"},
    {"Z0700", "%z"},   {"-07:00", "%z"}, {"-0700", "%z"},  {"01", "%m"},  {"02", "%d"},   {"03", "%I"},
    {"04", "%M"},      {"05", "%S"},     {"06", "%y"},     {"15", "%H"},  {"PM", "%p"},   {"_2", "%d"},
    {"1", "%m"},       {"2", "%d"},      {"3", "%I"},      {"4", "%M"},   {"5", "%S"},
};

static const char *strptime_layout(struct arena *a, struct str layout)
{
	struct buf b = {0};
	const char *out;

	while (layout.n > 0) {
		size_t i = 0;

		while (i < ARRAY_LEN(pieces) && !str_starts(layout, str_of(pieces[i].go)))
			i++;
		if (i < ARRAY_LEN(pieces))
			buf_putz(&b, pieces[i].c);
		else if (layout.p[0] == '%')
			buf_putz(&b, "%%");
		else
			buf_putc(&b, layout.p[0]);
		i = i < ARRAY_LEN(pieces) ? strlen(pieces[i].go) : 1;
		layout = (struct str){layout.p + i, layout.n - i};
	}
	out = arena_strz(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static bool must_to_date(struct template_call *c)
{
	struct tm t = {.tm_mday = 1, .tm_year = 70};
	struct str layout, text;
	const char *end;
	long offset_s;

	if (!template_arg_str(c, 0, &layout) || !template_arg_str(c, 1, &text))
		return false;
	end = strptime(arena_strz(c->arena, text), strptime_layout(c->arena, layout), &t);
	if (end == NULL || *end != '\0')
		return err_set(c->e, ERR_EXEC, -1, "parsing time \"" STR_FMT "\" as \"" STR_FMT "\"", STR_ARG(text),
			       STR_ARG(layout));
	offset_s = t.tm_gmtoff;
	c->out = template_time_utc(((int64_t)timegm(&t) - offset_s) * 1000);
	return true;
}

static bool to_date(struct template_call *c)
{
	struct template_call try = *c;
	struct err e = {0};

	try.e = &e;
	c->out = must_to_date(&try) ? try.out : template_time_utc(TEMPLATE_ZERO_TIME_MS);
	return true;
}

static const struct template_func funcs[] = {
    {"toUpper", 1, 1, template_fn_to_upper},
    {"toLower", 1, 1, template_fn_to_lower},
    {"title", 1, 1, title},
    {"trimSpace", 1, 1, trim_space},
    {"join", 2, 2, join},
    {"match", 2, 2, template_fn_match},
    {"safeHtml", 1, 1, template_fn_safe_html},
    {"safeUrl", 1, 1, template_fn_safe_html},
    {"urlUnescape", 1, 1, url_unescape},
    {"reReplaceAll", 3, 3, template_fn_replace_all},
    {"stringSlice", 0, -1, string_slice},
    {"routeLabels", 0, -1, route_labels},
    {"date", 2, 2, date},
    {"tz", 2, 2, in_zone},
    {"now", 0, 0, now},
    {"since", 1, 1, since},
    {"humanizeDuration", 1, 1, template_fn_humanize_duration},
    {"toDate", 2, 2, to_date},
    {"mustToDate", 2, 2, must_to_date},
    {"toJson", 1, 1, notice_to_json},
    {"base64encode", 1, 1, base64_encode},
    {"base64decode", 1, 1, base64_decode},
    {"list", 0, -1, list},
    {"append", 1, -1, append},
    {"dict", 0, -1, dict},
};

const struct template_env notice_template_env = {funcs, ARRAY_LEN(funcs), NULL, 0};
