/* Warnings about rules that are valid and surely not meant so. They look at the text and at what the expression selects. */
#include "rules/rule.h"

#include <ctype.h>

#include "tocsin/num.h"

/* Position of <word> as a whole word behind <from>; n when absent. */
static size_t find_word(struct str s, struct str word, size_t from)
{
	while (from + word.n <= s.n) {
		struct str rest = { s.p + from, s.n - from };
		size_t at = from + str_find(rest, word), end = at + word.n;
		bool left = at == 0 || !(isalnum((unsigned char)s.p[at - 1]) || s.p[at - 1] == '_' || s.p[at - 1] == ':');

		if (at >= s.n)
			break;
		if (left && (end == s.n || !(isalnum((unsigned char)s.p[end]) || s.p[end] == '_' || s.p[end] == ':')))
			return at;
		from = at + 1;
	}
	return s.n;
}

static struct str metric_of(const struct promql_selector *s)
{
	for (size_t i = 0; i < s->n_matchers; i++)
		if (s->matchers[i].op == MATCH_EQ && str_eq(s->matchers[i].name, STR(LABEL_NAME)))
			return s->matchers[i].value;
	return STR_NULL;
}

/* First argument of a call: histogram_quantile(0.95, …) -> "0.95". */
static struct str first_argument(struct str expr, size_t call)
{
	struct str rest = { expr.p + call, expr.n - call };
	size_t open = str_chr(rest, '('), comma = str_chr(rest, ',');

	if (open >= comma || comma == rest.n)
		return STR("0.95");
	return str_trim((struct str){ rest.p + open + 1, comma - open - 1 });
}

/* A classic histogram is read through rate() of its _bucket series; the bare name exists only as a native histogram. */
static void lint_quantile(const struct rule *rule, const struct conf_node *expr, struct conf_report *report)
{
	size_t call = find_word(expr->text, STR("histogram_quantile"), 0), n;
	const struct promql_selector *s;

	if (call == expr->text.n)
		return;
	n = promql_query_selectors(rule->query, &s);
	for (size_t i = 0; i < n; i++) {
		struct str metric = metric_of(&s[i]);
		struct str quantile = first_argument(expr->text, call);
		size_t at = find_word(expr->text, metric, 0);

		if (metric.n == 0 || str_ends(metric, STR("_bucket")) || s[i].range_ms > 0 || at == expr->text.n)
			continue;
		conf_warn_at(report, expr, at, STR_FMT " is no _bucket series, so this works on a native histogram only: for a classic one write "
		             "histogram_quantile(" STR_FMT ", sum by (le) (rate(" STR_FMT "_bucket[5m])))",
		             STR_ARG(metric), STR_ARG(quantile), STR_ARG(metric));
	}
}

static bool is_comparison(struct str s, size_t i)
{
	char c = s.p[i], d = i + 1 < s.n ? s.p[i + 1] : '\0';

	return c == '>' || c == '<' || (c == '=' && d == '=') || (c == '!' && d == '=');
}

/* Where the first comparison outside of {} and quotes stands; n when there is none. */
static size_t find_comparison(struct str s)
{
	int braces = 0;
	char quote = '\0';

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (quote != '\0') {
			if (c == '\\' && quote != '`')
				i++;
			else if (c == quote)
				quote = '\0';
		} else if (c == '"' || c == '\'' || c == '`')
			quote = c;
		else if (c == '{' || c == '}')
			braces += c == '{' ? 1 : -1;
		else if (braces == 0 && is_comparison(s, i))
			return i;
	}
	return s.n;
}

/* The end of a call that begins at <s>: behind its closing parenthesis; 0 when it is not closed. */
static size_t call_length(struct str s)
{
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Matchers without the one that picks the failures: the total they are a part of. */
static void put_total(struct buf *b, const struct promql_selector *s)
{
	static const char *const ops[] = { "=", "!=", "=~", "!~" };
	const char *sep = "{";

	buf_puts(b, metric_of(s));
	for (size_t i = 0; i < s->n_matchers; i++) {
		const struct matcher *m = &s->matchers[i];

		if (str_eq(m->name, STR(LABEL_NAME)) || str_eq(m->name, STR("status")) || str_eq(m->name, STR("code")) ||
		    str_eq(m->name, STR("status_code")))
			continue;
		buf_printf(b, "%s" STR_FMT "%s\"", sep, STR_ARG(m->name), ops[m->op]);
		labels_escape(b, m->value);
		buf_putc(b, '"');
		sep = ",";
	}
	if (*sep == ',')
		buf_putc(b, '}');
}

/* "[5m] offset 1h" of rate(x[5m] offset 1h), as it is written. */
static struct str window_of(struct str call)
{
	size_t at = call.n;

	while (at > 0 && call.p[at - 1] != '[')
		at--;
	return at > 0 ? str_between(call.p + at - 1, call.p + call.n - 1) : STR_NULL;
}

static bool names_a_ratio(const struct rule *rule)
{
	char name[128];
	size_t n = rule->id.name.n < sizeof name - 1 ? rule->id.name.n : sizeof name - 1;

	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)rule->id.name.p[i]);
	name[n] = '\0';
	return strstr(name, "rate") != NULL || strstr(name, "ratio") != NULL || strstr(name, "percent") != NULL;
}

/* rate(errors[5m]) > 0.01 is one error in a hundred seconds, not one request in a hundred. */
static void lint_ratio(const struct rule *rule, const struct conf_node *expr, struct conf_report *report)
{
	struct str s = str_trim(expr->text), call, window, right;
	const struct promql_selector *sel;
	size_t op, n = promql_query_selectors(rule->query, &sel), length;
	double bound;
	struct buf b = { 0 };

	if (!str_starts(s, STR("rate(")) || n != 1 || sel[0].range_ms == 0 || metric_of(&sel[0]).n == 0 || !names_a_ratio(rule))
		return;
	length = call_length(s);
	op = find_comparison(s);
	call = (struct str){ s.p, length };
	window = window_of(call);
	if (length == 0 || op == s.n || op < length || str_trim(str_between(s.p + length, s.p + op)).n > 0 || s.p[op] != '>')
		return;
	right = str_trim((struct str){ s.p + op + 1, s.n - op - 1 });
	if (!str_to_double(right, &bound) || bound <= 0 || bound >= 1)
		return;
	buf_printf(&b, "sum(" STR_FMT ") / sum(rate(", STR_ARG(call));
	put_total(&b, &sel[0]);
	buf_printf(&b, STR_FMT ")) > " STR_FMT, STR_ARG(window), STR_ARG(right));
	conf_warn(report, expr, "this compares errors per second, not a ratio: for the share of all requests write " STR_FMT,
	          STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

static void lint_comparison(const struct rule *rule, const struct conf_node *expr, struct conf_report *report)
{
	static const char *const conditions[] = { "absent", "absent_over_time", "and", "unless", "bool", "ALERTS", "vector" };

	if (rule->recording || find_comparison(expr->text) < expr->text.n)
		return;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (find_word(expr->text, str_of(conditions[i]), 0) < expr->text.n)
			return;
	conf_warn(report, expr, "the expression compares nothing: the alert fires for every series it returns, whatever the value; "
	          "add a comparison such as \"> 0\"");
}

void rule_lint(const struct rule *rule, const struct conf_node *expr, const struct conf_node *severity, struct conf_report *report)
{
	if (severity != NULL)
		conf_warn(report, severity, "severity beside expr is ours alone, promtool rejects it: "
		          "it takes \"labels: {severity: " STR_FMT "}\"", STR_ARG(severity->text));
	lint_quantile(rule, expr, report);
	lint_ratio(rule, expr, report);
	lint_comparison(rule, expr, report);
}
