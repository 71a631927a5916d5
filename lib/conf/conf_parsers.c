/* The parsers tables name. Each reads one node into one field, or reports what would have been right.
 * Values are quoted in messages only where the row holds no secret. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/conf.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/regex.h"

/* What conf_release frees: the arena cannot. */
struct conf_held {
	struct conf_held *next;
	struct regex *re;
};

static bool want_scalar(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, const char *example)
{
	if (n->kind == CONF_SCALAR)
		return true;
	return conf_error(rd->report, n, "%s is %s: write %s", key->name, conf_kind_name(n->kind), example);
}

static bool wrong(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, const char *what,
    const char *example)
{
	if ((key->flags & CONF_SECRET) != 0)
		return conf_error(rd->report, n, "%s is no %s: write %s", key->name, what, example);
	return conf_error(rd->report, n, "\"" STR_FMT "\" is no %s: write %s", STR_ARG(n->text), what, example);
}

bool conf_str(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_scalar(rd, key, n, "a text"))
		return false;
	*(struct str *)to = arena_str(rd->arena, n->text);
	return true;
}

/* A number or a truth value: in quotes it is a text, to those whose formats we read too. */
static bool want_plain(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, const char *example)
{
	return want_scalar(rd, key, n, example) &&
	       (!n->is_text || conf_error(rd->report, n, "%s is a text: write %s, without quotes", key->name, example));
}

bool conf_bool(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	static const char *const words[] = { "false", "true", "False", "True", "FALSE", "TRUE", "no", "yes", "No", "Yes", "NO", "YES",
		                             "off", "on", "Off", "On", "OFF", "ON", "n", "y", "N", "Y" };

	if (!want_plain(rd, key, n, "true or false"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq(n->text, str_of(words[i])))
			continue;
		*(bool *)to = i % 2 == 1;
		return true;
	}
	return wrong(rd, key, n, "truth value", "true or false");
}

static bool in_range(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, int64_t v,
                     size_t (*format)(char[NUM_MAX], int64_t))
{
	const struct conf_range *r = key->arg;
	char min[NUM_MAX], max[NUM_MAX];

	if (r == NULL || (v >= r->min && v <= r->max))
		return true;
	format(min, r->min);
	format(max, r->max);
	return conf_error(rd->report, n, "%s is out of range: write %s to %s", key->name, min, max);
}

static size_t format_integer(char out[NUM_MAX], int64_t v)
{
	return (size_t)snprintf(out, NUM_MAX, "%lld", (long long)v);
}

/* 1e3 is a whole number; of 1.5 the 1 is taken, as by those whose formats we read. */
static bool read_cut(struct conf_reader *rd, const struct conf_node *n, int64_t *to)
{
	double v;

	if (n->text.n == 0 || !(isdigit((unsigned char)n->text.p[n->text.n - 1]) || n->text.p[n->text.n - 1] == '.') ||
	    !str_to_decimal(n->text, &v) || !(v > -9e18 && v < 9e18))
		return false;
	*to = (int64_t)v;
	if ((double)*to != v)
		conf_warn(rd->report, n, "this is no whole number: %lld is taken", (long long)*to);
	return true;
}

bool conf_int(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_plain(rd, key, n, "a whole number"))
		return false;
	if (!num_parse_yaml_int(n->text, to) && !read_cut(rd, n, to))
		return wrong(rd, key, n, "whole number", "one such as 10");
	return in_range(rd, key, n, *(int64_t *)to, format_integer);
}

bool conf_double(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_plain(rd, key, n, "a number"))
		return false;
	return str_to_double(n->text, to) || wrong(rd, key, n, "number", "one such as 0.5");
}

bool conf_duration_ms(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_scalar(rd, key, n, "a duration such as 30s or 1h30m"))
		return false;
	if (!num_parse_duration_ms(n->text, to))
		return wrong(rd, key, n, "duration", "one such as 30s or 1h30m (units y w d h m s ms, in this order)");
	return in_range(rd, key, n, *(int64_t *)to, num_format_duration);
}

bool conf_bytes(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_scalar(rd, key, n, "a size such as 512MB"))
		return false;
	if (!num_parse_bytes(n->text, to))
		return wrong(rd, key, n, "size", "one such as 512MB or 1GB");
	return in_range(rd, key, n, *(int64_t *)to, format_integer);
}

bool conf_size(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (n->kind == CONF_SCALAR && n->text.n > 0 && isdigit((unsigned char)n->text.p[n->text.n - 1]) && !str_eq(n->text, STR("0")))
		return conf_error(rd->report, n, "%s has no unit: write a size such as 512MB", key->name);
	return conf_bytes(rd, key, n, to);
}

static bool read_enum(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, bool (*same)(struct str, struct str), void *to)
{
	const char *const *names = key->arg, *nearest;
	struct buf all = { 0 };
	size_t count = 0;

	if (!want_scalar(rd, key, n, "one of its words"))
		return false;
	for (; names[count] != NULL; count++) {
		if (same(n->text, str_of(names[count]))) {
			*(int *)to = (int)count;
			buf_fini(&all);
			return true;
		}
		buf_printf(&all, count ? ", %s" : "%s", names[count]);
	}
	nearest = conf_nearest(n->text, names, count);
	if (nearest != NULL)
		conf_error(rd->report, n, "\"" STR_FMT "\" is no %s: did you mean \"%s\"?", STR_ARG(n->text), key->name, nearest);
	else
		conf_error(rd->report, n, "\"" STR_FMT "\" is no %s: one of %s is wanted", STR_ARG(n->text), key->name, buf_z(&all));
	buf_fini(&all);
	return false;
}

static bool same_text(struct str a, struct str b)
{
	return str_eq(a, b);
}

bool conf_enum(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_enum(rd, key, n, same_text, to);
}

bool conf_enum_nocase(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_enum(rd, key, n, str_eq_nocase, to);
}

/* "://" included; 0: it has none of <schemes>. */
static size_t scheme_of(struct str s, const char *const *schemes)
{
	for (; *schemes != NULL; schemes++) {
		size_t n = strlen(*schemes);

		if (s.n > n + 3 && str_eq_nocase((struct str){ s.p, n }, str_of(*schemes)) && memcmp(s.p + n, "://", 3) == 0)
			return n + 3;
	}
	return 0;
}

/* host, host:port, [address]:port. */
static bool is_host(struct str s)
{
	size_t end, at;

	while ((at = str_chr(s, '@')) < s.n)
		s = (struct str){ s.p + at + 1, s.n - at - 1 };
	if (s.n > 0 && s.p[0] == '[')
		end = str_chr(s, ']') + 1;
	else
		end = str_chr(s, ':');
	for (size_t i = 0; i < s.n; i++)
		if (strchr("{}|\\^`%\"<>", s.p[i]) != NULL && s.p[0] != '[')
			return false;
	if (end == 0 || end > s.n || (end < s.n && s.p[end] != ':'))
		return false;
	for (size_t i = end + 1; i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]))
			return false;
	return true;
}

/* scheme://host, without spaces, control characters and bytes that are escaped by halves. */
static bool is_url(struct str s, size_t scheme)
{
	size_t host = scheme, path = str_chr(s, '?');

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
		if (i < path && s.p[i] == '%' && !(i + 2 < s.n && isxdigit((unsigned char)s.p[i + 1]) && isxdigit((unsigned char)s.p[i + 2])))
			return false;
	}
	while (host < s.n && s.p[host] != '/' && s.p[host] != '?' && s.p[host] != '#')
		host++;
	return scheme > 0 && is_host((struct str){ s.p + scheme, host - scheme });
}

static struct str with_small_scheme(struct arena *a, struct str url, size_t scheme)
{
	char *p = arena_strz(a, url);

	for (size_t i = 0; i < scheme; i++)
		p[i] = (char)tolower((unsigned char)p[i]);
	return (struct str){ p, url.n };
}

bool conf_url(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	static const char *const http[] = { "http", "https", NULL };
	size_t scheme;

	if (!want_scalar(rd, key, n, "an address such as http://host:9090/path"))
		return false;
	scheme = scheme_of(n->text, http);
	if (!is_url(n->text, scheme))
		return conf_error(rd->report, n, "%s is no URL: write one such as http://host:9090/path", key->name);
	*(struct str *)to = with_small_scheme(rd->arena, n->text, scheme);
	return true;
}

/* Empty: none; without a scheme: http. The proxy looks names up, as Go has it: libcurl calls that socks5h. */
bool conf_proxy_url(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	static const char *const socks[] = { "socks5", "socks5h", NULL };
	size_t scheme = n->kind == CONF_SCALAR ? scheme_of(n->text, socks) : 0;

	if (n->kind == CONF_SCALAR && n->text.n == 0)
		return true;
	if (n->kind == CONF_SCALAR && str_find(n->text, STR("://")) == n->text.n && is_host(n->text)) {
		*(struct str *)to = arena_printf(rd->arena, "http://" STR_FMT, STR_ARG(n->text));
		return true;
	}
	if (scheme == 0)
		return conf_url(rd, key, n, to);
	if (!is_url(n->text, scheme))
		return conf_error(rd->report, n, "%s is no URL: write one such as socks5://host:1080", key->name);
	*(struct str *)to = arena_printf(rd->arena, "socks5h://" STR_FMT, (int)(n->text.n - scheme), n->text.p + scheme);
	return true;
}

static struct str join_path(struct arena *a, const struct conf_node *n)
{
	if (n->file == NULL || n->file->dir.n == 0 || n->text.n == 0 || n->text.p[0] == '/')
		return arena_str(a, n->text);
	return arena_printf(a, STR_FMT STR_FMT, STR_ARG(n->file->dir), STR_ARG(n->text));
}

bool conf_path(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	if (!want_scalar(rd, key, n, "a path"))
		return false;
	if (str_chr(n->text, '\0') < n->text.n)
		return conf_error(rd->report, n, "%s holds a NUL character: write a path", key->name);
	*(struct str *)to = join_path(rd->arena, n);
	return true;
}

/* A list of what <parse> reads into a struct str; one scalar counts as a list of one. */
static bool read_strs(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, conf_parse *parse,
    struct conf_strs *to)
{
	struct str *v;
	bool ok = true;

	if (n->kind == CONF_MAP)
		return conf_error(rd->report, n, "%s is a map: write a list", key->name);
	if (n->kind == CONF_SCALAR) {
		v = ARENA_NEW(rd->arena, struct str);
		*to = (struct conf_strs){ v, 1 };
		return parse(rd, key, n, v);
	}
	v = ARENA_ARRAY(rd->arena, n->n, struct str);
	for (size_t i = 0; i < n->n; i++) {
		v[i] = STR("");         /* what YAML's null is in a list of texts */
		ok = (n->items[i]->kind == CONF_NULL || parse(rd, key, n->items[i], &v[i])) && ok;
	}
	*to = (struct conf_strs){ v, n->n };
	return ok;
}

bool conf_str_list(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_strs(rd, key, n, conf_str, to);
}

bool conf_path_list(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_strs(rd, key, n, conf_path, to);
}

static bool want_seq(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n)
{
	return n->kind != CONF_SCALAR || conf_error(rd->report, n, "%s is a single value: write a list", key->name);
}

bool conf_str_seq(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return want_seq(rd, key, n) && read_strs(rd, key, n, conf_str, to);
}

bool conf_path_seq(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return want_seq(rd, key, n) && read_strs(rd, key, n, conf_path, to);
}

static bool read_regex(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, enum regex_mode mode,
    void *to)
{
	struct err e = { 0 };
	struct conf_held *held;
	struct regex *re;

	if (!want_scalar(rd, key, n, "a regular expression"))
		return false;
	re = regex_new(n->text, mode, &e);
	if (re == NULL)
		return conf_error_at(rd->report, n, e.pos > 0 ? (size_t)e.pos : 0, "%s", e.msg);
	held = mem_alloc(sizeof *held);
	*held = (struct conf_held){ rd->held, re };
	rd->held = held;
	*(struct regex **)to = re;
	return true;
}

bool conf_regex(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_regex(rd, key, n, REGEX_ANCHORED, to);
}

bool conf_regex_search(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_regex(rd, key, n, REGEX_SEARCH, to);
}

bool conf_regex_pcre(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return read_regex(rd, key, n, REGEX_SEARCH_PCRE, to);
}

void conf_release(struct conf_held *held)
{
	while (held != NULL) {
		struct conf_held *next = held->next;

		regex_free(held->re);
		free(held);
		held = next;
	}
}

bool conf_labels(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct conf_labels *out = to;
	bool ok = true;

	if (n->kind != CONF_MAP)
		return conf_error(rd->report, n, "%s is %s: write a map of names to texts", key->name, conf_kind_name(n->kind));
	out->v = ARENA_ARRAY(rd->arena, n->n, struct label);
	out->n = n->n;
	for (size_t i = 0; i < n->n; i++) {
		const struct conf_node *value = n->pairs[i].value;

		if (value->kind != CONF_SCALAR && value->kind != CONF_NULL)
			ok = conf_error(rd->report, value, "\"" STR_FMT "\" is %s: write a text", STR_ARG(n->pairs[i].key->text),
			                conf_kind_name(value->kind));
		out->v[i].name = arena_str(rd->arena, n->pairs[i].key->text);
		out->v[i].value = value->kind == CONF_NULL ? STR("") : arena_str(rd->arena, value->text);
	}
	return ok;
}

bool conf_raw(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	(void)rd;
	(void)key;
	*(const struct conf_node **)to = n;
	return true;
}

bool conf_sub(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	return conf_read(rd, key->arg, n, to);
}

bool conf_sub_ptr(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	const struct conf_table *t = key->arg;
	void *item = arena_alloc(rd->arena, t->bytes);

	memcpy(to, &item, sizeof item);
	return conf_read(rd, t, n, item);
}

bool conf_sub_list(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	const struct conf_table *t = key->arg;
	struct conf_list *out = to;
	bool ok = true;

	if (n->kind != CONF_SEQ)
		return conf_error(rd->report, n, "%s is %s: write a list, each item behind \"- \"", key->name, conf_kind_name(n->kind));
	assert(t->bytes > 0);
	*out = (struct conf_list){ arena_array(rd->arena, n->n, t->bytes), n->n, (const struct conf_node *const *)n->items };
	for (size_t i = 0; i < n->n; i++) {
		if (n->items[i]->kind == CONF_NULL)
			ok = conf_error(rd->report, n->items[i], "%s has an empty item: fill it, or remove it", key->name);
		else
			ok = conf_read(rd, t, n->items[i], (char *)out->v + i * t->bytes) && ok;
	}
	return ok;
}
