/* The functions Prometheus adds to Go's templates, with its exact number formats. Source: Prometheus documentation,
 * "Template reference". Those that need the world (query, now, the external URL) get it through struct template_prometheus. */
#include "tocsin/template.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "template_ast.h"
#include "tocsin/num.h"
#include "tocsin/regex.h"

static const struct template_type sample_type = { .name = "*template.sample" };
const struct template_type template_sample_list = { .name = "template.queryResult" };

struct template_value template_sample(struct arena *a, struct labels labels, double value)
{
	struct template_field *v = ARENA_ARRAY(a, 2, struct template_field);
	struct template_map *m = ARENA_NEW(a, struct template_map);

	v[0] = (struct template_field){ STR("Labels"), template_labels(a, labels, NULL) };
	v[1] = (struct template_field){ STR("Value"), template_float(value) };
	*m = (struct template_map){ v, 2, &sample_type };
	return (struct template_value){ .kind = TEMPLATE_RECORD, .map = m };
}

static bool answer_printf(struct template_call *c, const char *fmt, ...) PRINTF(2, 3);
static bool answer_printf(struct template_call *c, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->out = template_str(arena_str(c->arena, str_of(text)));
	return true;
}

/* ---- numbers ---- */

/* Go's %.4g<suffix>. */
static bool answer_4g(struct template_call *c, const char *sign, double v, const char *suffix)
{
	if (isfinite(v))
		return answer_printf(c, "%s%.4g%s", sign, v, suffix);
	return answer_printf(c, "%s%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf", suffix);
}

static bool scaled_down(struct template_call *c, double v, const char *unit)
{
	static const char small[][2] = { "m", "u", "n", "p", "f", "a", "z", "y" };
	char suffix[20];
	const char *prefix = "";

	for (size_t i = 0; i < ARRAY_LEN(small) && fabs(v) < 1; i++) {
		prefix = small[i];
		v *= 1000;
	}
	snprintf(suffix, sizeof suffix, "%s%s", prefix, unit);
	return answer_4g(c, "", v, suffix);
}

static bool scaled_up(struct template_call *c, double v, double step, const char *unit)
{
	static const char large[][2] = { "k", "M", "G", "T", "P", "E", "Z", "Y" };
	char suffix[20] = "";

	for (size_t i = 0; i < ARRAY_LEN(large) && fabs(v) >= step; i++) {
		snprintf(suffix, sizeof suffix, "%s%s", large[i], unit);
		v /= step;
	}
	return answer_4g(c, "", v, suffix);
}

static bool fn_humanize(struct template_call *c)
{
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	if (v == 0 || !isfinite(v))
		return answer_4g(c, "", v, "");
	return fabs(v) >= 1 ? scaled_up(c, v, 1000, "") : scaled_down(c, v, "");
}

static bool fn_humanize1024(struct template_call *c)
{
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	return fabs(v) <= 1 || !isfinite(v) ? answer_4g(c, "", v, "") : scaled_up(c, v, 1024, "i");
}

bool template_fn_humanize_duration(struct template_call *c)
{
	const char *sign = "";
	long long s;
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	if (!isfinite(v))
		return answer_4g(c, "", v, "");
	if (v == 0)
		return answer_4g(c, "", v, "s");
	if (fabs(v) < 1)
		return scaled_down(c, v, "s");
	if (v < 0) {
		sign = "-";
		v = -v;
	}
	s = v < 9e18 ? (long long)v : 9000000000000000000LL;
	if (s >= 86400)
		return answer_printf(c, "%s%lldd %lldh %lldm %llds", sign, s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	if (s >= 3600)
		return answer_printf(c, "%s%lldh %lldm %llds", sign, s / 3600, s / 60 % 60, s % 60);
	if (s >= 60)
		return answer_printf(c, "%s%lldm %llds", sign, s / 60, s % 60);
	return answer_4g(c, sign, v, "s");
}

static bool fn_humanize_percentage(struct template_call *c)
{
	double v;

	return template_arg_number(c, 0, &v) && answer_4g(c, "", v * 100, "%");
}

/* Seconds since 1970 as a time; false when it is none. */
static bool to_time(double v, struct template_value *out)
{
	if (!isfinite(v) || fabs(v) > 9.2e9)
		return false;
	*out = template_time_utc((int64_t)floor(v * 1e3));
	return true;
}

static bool fn_humanize_timestamp(struct template_call *c)
{
	struct buf b = { 0 };
	struct template_value t;
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	if (!isfinite(v))
		return answer_4g(c, "", v, "");
	if (!to_time(v, &t))
		return err_set(c->e, ERR_EXEC, -1, "%g cannot be represented as a nanoseconds timestamp since it overflows int64", v * 1e9);
	template_print_arg(&b, t);
	return template_answer(c, &b);
}

static bool fn_to_time(struct template_call *c)
{
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	return to_time(v, &c->out) || err_set(c->e, ERR_EXEC, -1, "%g cannot be represented as a timestamp", v);
}

static bool fn_to_duration(struct template_call *c)
{
	double v;

	if (!template_arg_number(c, 0, &v))
		return false;
	if (!isfinite(v) || fabs(v) > 9.2e9)
		return err_set(c->e, ERR_EXEC, -1, "%g cannot be represented as a duration", v);
	c->out = (struct template_value){ .kind = TEMPLATE_DURATION, .i = (int64_t)(v * 1e9) };
	return true;
}

static bool fn_parse_duration(struct template_call *c)
{
	struct str s;
	int64_t ms;

	if (!template_arg_str(c, 0, &s))
		return false;
	if (!num_parse_duration_ms(s, &ms))
		return err_set(c->e, ERR_EXEC, -1, "not a valid duration string: \"" STR_FMT "\"", STR_ARG(s));
	c->out = template_float((double)ms / 1000);
	return true;
}

static bool fn_now(struct template_call *c)
{
	const struct template_prometheus *p = c->user;

	c->out = template_float((double)p->now_ms / 1000);
	return true;
}

/* ---- texts ---- */

static bool map_case(struct template_call *c, bool upper)
{
	struct buf b = { 0 };
	struct str s;

	if (!template_arg_str(c, 0, &s))
		return false;
	buf_put_case(&b, s, upper);
	return template_answer(c, &b);
}

bool template_fn_to_upper(struct template_call *c)
{
	return map_case(c, true);
}

bool template_fn_to_lower(struct template_call *c)
{
	return map_case(c, false);
}

/* The first letter of each word; the other letters stay as they are. */
bool template_fn_title(struct template_call *c)
{
	bool inside = false;
	struct str s;
	char *p;

	if (!template_arg_str(c, 0, &s))
		return false;
	p = arena_strz(c->arena, s);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)p[i];
		bool apostrophe = ch == '\'' && inside && i + 1 < s.n && isalpha((unsigned char)p[i + 1]);

		if (!inside && ch < 0x80)
			p[i] = (char)toupper(ch);
		inside = isalnum(ch) || ch >= 0x80 || ch == '_' || apostrophe;
	}
	c->out = template_str((struct str){ p, s.n });
	return true;
}

static struct regex *arg_regex(struct template_call *c, struct str *pattern)
{
	struct err e = { 0 };
	struct regex *re;

	if (!template_arg_str(c, 0, pattern))
		return NULL;
	re = regex_new(*pattern, REGEX_SEARCH, &e);
	if (re == NULL)
		err_set(c->e, ERR_EXEC, -1, "error parsing regexp: %s", e.msg);
	return re;
}

static bool too_much_work(struct template_call *c, struct str pattern)
{
	return err_set(c->e, ERR_LIMIT, -1,
	    "regular expression \"" STR_FMT "\" needs more than " REGEX_LIMIT_NAME " of backtracking", STR_ARG(pattern));
}

bool template_fn_match(struct template_call *c)
{
	struct str pattern, s;
	struct regex *re = template_arg_str(c, 1, &s) ? arg_regex(c, &pattern) : NULL;
	enum regex_verdict v;

	if (re == NULL)
		return false;
	v = regex_match(re, s);
	regex_free(re);
	c->out = template_bool(v == REGEX_YES);
	return v != REGEX_LIMIT || too_much_work(c, pattern);
}

/* reReplaceAll pattern replacement text */
bool template_fn_replace_all(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str pattern, to, s;
	struct regex *re = template_arg_str(c, 1, &to) && template_arg_str(c, 2, &s) ? arg_regex(c, &pattern) : NULL;
	struct regex_group g[100];
	size_t n, at = 0;
	enum regex_verdict v = REGEX_NO;

	if (re == NULL)
		return false;
	n = regex_group_count(re) + 1;
	if (n > ARRAY_LEN(g))
		n = ARRAY_LEN(g);
	while (at <= s.n && !b.overflow && (v = regex_find(re, s, at, g, n)) == REGEX_YES) {
		buf_put(&b, s.p + at, g[0].beg - at);
		regex_expand(re, &b, s, g, n, to);
		at = g[0].end;
		if (g[0].end == g[0].beg) {             /* an empty match: one character on */
			if (at < s.n)
				buf_putc(&b, s.p[at]);
			at++;
		}
	}
	if (at < s.n)
		buf_put(&b, s.p + at, s.n - at);
	regex_free(re);
	if (v == REGEX_LIMIT) {
		buf_fini(&b);
		return too_much_work(c, pattern);
	}
	return template_answer(c, &b);
}

bool template_fn_safe_html(struct template_call *c)
{
	struct str s;

	c->out = c->args[0];
	c->out.safe = true;
	return template_arg_str(c, 0, &s);
}

/* "host:port" and "[v6]:port"; false when it is not of that form. */
static bool split_host_port(struct str s, struct str *host, struct str *port)
{
	size_t colon = s.n;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return false;
	*port = (struct str){ s.p + colon, s.n - colon };
	*host = (struct str){ s.p, colon - 1 };
	if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']') {
		*host = (struct str){ host->p + 1, host->n - 2 };
		return str_chr(*host, '[') == host->n && str_chr(*host, ']') == host->n;
	}
	return str_chr(*host, ':') == host->n && str_chr(*host, '[') == host->n && str_chr(*host, ']') == host->n;
}

static bool fn_strip_port(struct template_call *c)
{
	struct str s, host, port;

	if (!template_arg_str(c, 0, &s))
		return false;
	c->out = template_str(split_host_port(s, &host, &port) ? host : s);
	return true;
}

static bool is_address(struct str host)
{
	char z[64];
	unsigned char to[16];

	if (host.n >= sizeof z)
		return false;
	snprintf(z, sizeof z, STR_FMT, STR_ARG(host));
	return inet_pton(AF_INET, z, to) == 1 || inet_pton(AF_INET6, z, to) == 1;
}

static bool fn_strip_domain(struct template_call *c)
{
	struct str s, host, port = STR_NULL;

	if (!template_arg_str(c, 0, &s))
		return false;
	if (!split_host_port(s, &host, &port)) {
		host = s;
		port = STR_NULL;
	}
	c->out = template_str(s);
	if (is_address(host))
		return true;
	host.n = str_chr(host, '.');
	c->out = template_str(port.n ? arena_printf(c->arena, STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(port)) : host);
	return true;
}

/* ---- links ---- */

static bool link_to(struct template_call *c, int tab)
{
	struct str s;

	if (!template_arg_str(c, 0, &s) || !template_fn_query_escape(c))
		return false;
	c->out = template_str(arena_printf(c->arena, "/graph?g0.expr=" STR_FMT "&g0.tab=%d", STR_ARG(c->out.s), tab));
	return true;
}

static bool fn_graph_link(struct template_call *c)
{
	return link_to(c, 0);
}

static bool fn_table_link(struct template_call *c)
{
	return link_to(c, 1);
}

static bool fn_external_url(struct template_call *c)
{
	const struct template_prometheus *p = c->user;

	c->out = template_str(p->external_url);
	return true;
}

static bool fn_path_prefix(struct template_call *c)
{
	struct str url = ((const struct template_prometheus *)c->user)->external_url;
	size_t scheme = str_find(url, STR("://"));
	struct str rest = scheme < url.n ? (struct str){ url.p + scheme + 3, url.n - scheme - 3 } : url;
	size_t slash = str_chr(rest, '/');

	c->out = template_str((struct str){ rest.p + slash, rest.n - slash });
	return true;
}

/* ---- query results ---- */

static bool fn_query(struct template_call *c)
{
	struct template_prometheus *p = c->user;
	struct str expr;

	if (!template_arg_str(c, 0, &expr))
		return false;
	if (p->query == NULL)
		return err_set(c->e, ERR_EXEC, -1, "queries cannot be asked here");
	return p->query(p, expr, c);
}

static bool fn_first(struct template_call *c)
{
	const struct template_list *l;

	if (!template_arg_list(c, 0, &l))
		return false;
	if (l->n == 0)
		return err_set(c->e, ERR_EXEC, -1, "first() called on vector with no elements");
	c->out = l->v[0];
	return true;
}

static bool arg_sample(struct template_call *c, size_t i, const struct template_map **out)
{
	*out = NULL;
	if (c->args[i].kind != TEMPLATE_RECORD || c->args[i].map->type != &sample_type)
		return err_set(c->e, ERR_EXEC, -1, "wrong type for value; expected *template.sample; got %s",
		    template_type_name(c->args[i]));
	*out = c->args[i].map;
	return true;
}

static struct template_value sample_label(const struct template_map *sample, struct str name)
{
	const struct template_map *labels = sample->v[0].value.map;

	for (size_t i = 0; i < labels->n; i++)
		if (str_eq(labels->v[i].name, name))
			return labels->v[i].value;
	return template_str(STR(""));
}

static bool fn_label(struct template_call *c)
{
	const struct template_map *sample;
	struct str name;

	if (!template_arg_str(c, 0, &name) || !arg_sample(c, 1, &sample))
		return false;
	c->out = sample_label(sample, name);
	return true;
}

static bool fn_value(struct template_call *c)
{
	const struct template_map *sample;

	if (!arg_sample(c, 0, &sample))
		return false;
	c->out = sample->v[1].value;
	return true;
}

static bool fn_strvalue(struct template_call *c)
{
	const struct template_map *sample;

	if (!arg_sample(c, 0, &sample))
		return false;
	c->out = sample_label(sample, STR("__value__"));
	return true;
}

struct sort_key {
	struct str by;
	size_t at;
	struct template_value v;
};

static int by_label(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int c = str_cmp(x->by, y->by);

	return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

static bool fn_sort_by_label(struct template_call *c)
{
	const struct template_list *l;
	const struct template_map *sample;
	struct template_value *sorted;
	struct sort_key *keys;
	struct str name;

	if (!template_arg_str(c, 0, &name) || !template_arg_list(c, 1, &l))
		return false;
	keys = ARENA_ARRAY(c->arena, l->n, struct sort_key);
	sorted = ARENA_ARRAY(c->arena, l->n, struct template_value);
	for (size_t i = 0; i < l->n; i++) {
		struct template_call one = { .args = &l->v[i], .n_args = 1, .e = c->e };

		if (!arg_sample(&one, 0, &sample))
			return false;
		keys[i] = (struct sort_key){ sample_label(sample, name).s, i, l->v[i] };
	}
	if (l->n > 1)
		qsort(keys, l->n, sizeof *keys, by_label);
	for (size_t i = 0; i < l->n; i++)
		sorted[i] = keys[i].v;
	c->out = template_list_of(c->arena, sorted, l->n, l->type);
	return true;
}

/* Positional arguments as .arg0, .arg1 … */
static bool fn_args(struct template_call *c)
{
	struct template_field *v = ARENA_ARRAY(c->arena, c->n_args, struct template_field);
	struct template_map *m = ARENA_NEW(c->arena, struct template_map);

	for (size_t i = 0; i < c->n_args; i++)
		v[i] = (struct template_field){ arena_printf(c->arena, "arg%zu", i), c->args[i] };
	*m = (struct template_map){ v, c->n_args, NULL };
	c->out = (struct template_value){ .kind = TEMPLATE_MAP, .map = m };
	return true;
}

const struct template_func template_prometheus_funcs[TEMPLATE_PROMETHEUS_FUNCS] = {
	{ "args", 0, -1, fn_args },
	{ "externalURL", 0, 0, fn_external_url },
	{ "first", 1, 1, fn_first },
	{ "graphLink", 1, 1, fn_graph_link },
	{ "humanize", 1, 1, fn_humanize },
	{ "humanize1024", 1, 1, fn_humanize1024 },
	{ "humanizeDuration", 1, 1, template_fn_humanize_duration },
	{ "humanizePercentage", 1, 1, fn_humanize_percentage },
	{ "humanizeTimestamp", 1, 1, fn_humanize_timestamp },
	{ "label", 2, 2, fn_label },
	{ "match", 2, 2, template_fn_match },
	{ "now", 0, 0, fn_now },
	{ "parseDuration", 1, 1, fn_parse_duration },
	{ "pathPrefix", 0, 0, fn_path_prefix },
	{ "query", 1, 1, fn_query },
	{ "reReplaceAll", 3, 3, template_fn_replace_all },
	{ "safeHtml", 1, 1, template_fn_safe_html },
	{ "sortByLabel", 2, 2, fn_sort_by_label },
	{ "stripDomain", 1, 1, fn_strip_domain },
	{ "stripPort", 1, 1, fn_strip_port },
	{ "strvalue", 1, 1, fn_strvalue },
	{ "tableLink", 1, 1, fn_table_link },
	{ "title", 1, 1, template_fn_title },
	{ "toDuration", 1, 1, fn_to_duration },
	{ "toLower", 1, 1, template_fn_to_lower },
	{ "toTime", 1, 1, fn_to_time },
	{ "toUpper", 1, 1, template_fn_to_upper },
	{ "urlQueryEscape", 1, 1, template_fn_query_escape },
	{ "value", 1, 1, fn_value },
};
