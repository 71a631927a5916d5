/* Templates: what Go and Prometheus print, checked against promtool 2.42 where that version knows the function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tocsin/template.h"

struct template_case {
	const char *text, *want;        /* want beginning with '!': the error contains the rest */
};

static const struct template_case cases[] = {
	{ "plain", "plain" },
	{ "", "" },
	/* fields, variables, pipelines */
	{ "{{ $value }}", "1e+08" },
	{ "{{ .Value }}|{{ $.Value }}", "1e+08|1e+08" },
	{ "{{ $labels.instance }} {{$labels.nope}}|", "h1:9100 |" },
	{ "{{ $labels }}", "map[a:b instance:h1:9100]" },
	{ "{{ $value | humanize }}", "100M" },
	{ "{{ $x := 3 }}{{ $x }}{{ $x = 4 }}{{ $x }}", "34" },
	{ "{{ with $y := \"q\" }}{{ . }}{{ $y }}{{ end }}", "qq" },
	{ "{{ $nope }}", "!undefined variable $nope" },
	{ "{{ nope }}", "!function \"nope\" not defined" },
	{ "{{ .Nope }}", "!can't evaluate field Nope in type" },
	{ "{{ if }}x{{ end }}", "!missing value for if" },
	{ "{{ if true }}x", "!no {{end}} for if" },
	{ "{{ end }}", "!unexpected {{end}}" },
	{ "{{ $value", "!unclosed action" },
	{ "{{ \"abc }}", "!unterminated quoted string" },
	{ "{{ 1 | 2 }}", "!non executable command in pipeline" },
	/* trimming and comments */
	{ "a  {{- 1 -}}  b", "a1b" },
	{ "a {{/* c */}} b", "a  b" },
	{ "a {{- /* c */ -}} b", "ab" },
	{ "{{ -3 }}{{- 3 }}", "-33" },
	/* control */
	{ "{{ if eq \"a\" \"b\" }}1{{ else if true }}2{{ else }}3{{ end }}", "2" },
	{ "{{ if and true 0 }}1{{ else }}2{{ end }}", "2" },
	{ "{{ range $i, $e := slice \"abc\" }}{{ end }}", "!range can't iterate over" },
	{ "{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", "a=b;instance=h1:9100;" },
	{ "{{ range 3 }}{{ . }}{{ if eq . 1 }}{{ break }}{{ end }}{{ end }}", "01" },
	{ "{{ range $i, $e := 3 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $e }}{{ end }}", "02" },
	{ "{{ range query \"none\" }}x{{ else }}none{{ end }}", "none" },
	{ "{{ break }}", "!{{break}} outside {{range}}" },
	{ "{{ define \"x\" }}[{{ . }}]{{ end }}{{ template \"x\" 5 }}", "[5]" },
	{ "{{ block \"x\" 7 }}<{{ . }}>{{ end }}", "<7>" },
	{ "{{ template \"gone\" }}", "!no such template: gone" },
	{ "{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", "!TEMPLATE_MAX_DEPTH" },
	{ "{{ with $labels.nope }}1{{ else with $labels.a }}2{{ . }}{{ end }}", "2b" },
	{ "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1" },
	{ "{{ if true }}{{ $z := 2 }}{{ end }}{{ $z }}", "!undefined variable $z" },
	{ "{{ range 2000000 }}{{ end }}", "!TEMPLATE_MAX_STEPS" },
	{ "{{ range 5000 }}{{ $x := printf \"%10000d\" 1 }}{{ end }}", "!TEMPLATE_MAX_MEMORY_BYTES" },
	/* numbers and printing */
	{ "{{ 123456.0 }} {{ 1234567.0 }} {{ 1e5 }} {{ 0.00001 }} {{ 3.0 }} {{ 0x1F }} {{ 'a' }} {{ 0b11 }} {{ 0o17 }} {{ 017 }}",
	  "123456 1.234567e+06 100000 1e-05 3 31 97 3 15 15" },
	{ "{{ printf \"%v %g %G\" 1e6 1e6 1e-7 }}", "1e+06 1e+06 1E-07" },
	{ "{{ printf \"%.3g %.10g %e %#g %+d %x %X %o %b %c %U\" 1234567.0 1234567.0 1234567.0 1.0 5 255 255 8 5 65 65 }}",
	  "1.23e+06 1234567 1.234567e+06 1.00000 +5 ff FF 10 101 A U+0041" },
	{ "{{ printf \"%08.3f %+.2e|%6.2f|%-8v|%8s|%-8s|%.2s|%q\" 3.14159 12345.678 3.14159 \"ab\" \"ab\" \"ab\" \"abcdef\" 65 }}",
	  "0003.142 +1.23e+04|  3.14|ab      |      ab|ab      |ab|'A'" },
	{ "{{ printf \"%d %s\" $value }} {{ printf \"%d\" 1 2 }}", "%!d(float64=1e+08) %!s(MISSING) 1%!(EXTRA int=2)" },
	{ "{{ printf \"%5d|%-5s|%x|%q|%t|%%\" 3 \"ab\" \"hi\" \"q\\\"\" true }}", "    3|ab   |6869|\"q\\\"\"|true|%" },
	{ "{{ printf \"%.2f\" $value }} {{ $value | printf \"%.0f\" }}", "100000000.00 100000000" },
	{ "{{ printf \"%*d\" 5 3 }}", "    3" },
	{ "{{ printf \"%\" }}", "%!(NOVERB)" },
	{ "{{ print 1 2 \"x\" 3 }}|{{ println 1 \"x\" }}", "1 2x3|1 x\n" },
	{ "{{ eq $value 1 }}", "!error calling eq: incompatible types for comparison" },
	{ "{{ gt $value 1.0 }} {{ lt 1 2 }} {{ le 2 2 }} {{ ne \"a\" \"b\" }} {{ eq 1 2 1 }} {{ not true }}", "true true true true true false" },
	{ "{{ len \"abc\" }} {{ index $labels \"a\" }} {{ slice \"abcdef\" 1 3 }} {{ len $labels }}", "3 b bc 2" },
	{ "{{ index (query \"two\") 5 }}", "!index out of range: 5" },
	{ "{{ or \"\" \"b\" }} {{ and 1 0 5 }}", "b 0" },
	{ "{{ html \"<a&'\" }} {{ urlquery \"a b&c\" }} {{ js \"it's\" }}", "&lt;a&amp;&#39; a+b%26c it\\'s" },
	{ "{{ `raw \\n` }}{{ \"t\\tu\\u00e9\" }}", "raw \\nt\tu\xc3\xa9" },
	{ "{{ ($labels.a) }} {{ (query \"two\" | first).Value }}", "b 1" },
	/* Prometheus's functions */
	{ "{{ humanize 1234567.0 }} {{ humanize 0.0 }} {{ humanize 0.00123 }} {{ humanize -12345 }} {{ humanize 999.9 }}",
	  "1.235M 0 1.23m -12.35k 999.9" },
	{ "{{ humanize1024 1048576.0 }} {{ humanize1024 1.0 }} {{ humanize1024 1536 }}", "1Mi 1 1.5ki" },
	{ "{{ humanizeDuration 0 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 3700 }} {{ humanizeDuration 90061 }} "
	  "{{ humanizeDuration 0.0015 }} {{ humanizeDuration -75 }}", "0s 59.5s 1h 1m 40s 1d 1h 1m 1s 1.5ms -1m 15s" },
	{ "{{ humanizePercentage 0.1234567 }} {{ \"0.5\" | humanizePercentage }}", "12.35% 50%" },
	{ "{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC" },
	{ "{{ with toTime 1435065584.128 }}{{ .Year }} {{ .Month }} {{ .Day }} {{ .Weekday }} {{ .YearDay }} {{ .Hour }}:{{ .Minute }}:{{ .Second }} "
	  "{{ .Nanosecond }} {{ .UnixNano }} {{ .UnixMicro }}{{ end }}",
	  "2015 June 23 Tuesday 174 13:19:44 128000000 1435065584128000000 1435065584128000" },
	{ "{{ with toTime 0.0 }}{{ printf \"%s|%5v|%d|%v\" .Month .Weekday .Month (eq .Month 1) }}{{ end }}", "January|Thursday|1|true" },
	{ "{{ with toTime 1435065584.5 }}{{ .Truncate 3600000000000 }}|{{ .Round 3600000000000 }}|{{ .Round 1000000000 }}{{ end }}",
	  "2015-06-23 13:00:00 +0000 UTC|2015-06-23 13:00:00 +0000 UTC|2015-06-23 13:19:45 +0000 UTC" },
	{ "{{ with toTime 1.0 }}{{ .Equal . }} {{ .Equal (toTime 2.0) }} {{ .Compare (toTime 2.0) }} {{ .Equal 1 }}{{ end }}", "!expected time.Time; got int" },
	{ "{{ with toTime 1.0 }}{{ .Equal . }} {{ .Equal (toTime 2.0) }} {{ .Compare (toTime 2.0) }}{{ end }}", "true false -1" },
	{ "{{ (toTime 1435065584.0).Local.Format \"15:04\" }}", "13:19" },
	{ "{{ with toDuration 5430.5 }}{{ .Hours }} {{ .Minutes }} {{ .Seconds }} {{ .Milliseconds }} {{ .Truncate 60000000000 }} {{ .Round 60000000000 }} "
	  "{{ .String }}{{ end }}", "1.5084722222222222 90.50833333333334 5430.5 5430500 1h30m0s 1h31m0s 1h30m30.5s" },
	{ "{{ with toDuration -90 }}{{ .Round 60000000000 }} {{ .Abs }}{{ end }}", "-2m0s 1m30s" },
	{ "{{ (toTime 1435065584.0).Format \"2006-01-02T15:04:05Z07:00 Mon Jan _2 3PM\" }}", "2015-06-23T13:19:44Z Tue Jun 23 1PM" },
	{ "{{ humanize \"x\" }}", "!error calling humanize: parsing \"x\": invalid syntax" },
	{ "{{ toUpper \"ab\" }}{{ toLower \"AB\" }} {{ title \"aa bB cc\" }}", "ABab Aa BB Cc" },
	{ "{{ stripPort \"h:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"h\" }}", "h ::1 h" },
	{ "{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"a.b\" }}", "a:80 10.0.0.1:80 a" },
	{ "{{ externalURL }} {{ pathPrefix }}", "http://t.example:9/p /p" },
	{ "{{ graphLink \"up == 0\" }} {{ tableLink \"a\" }}", "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=a&g0.tab=1" },
	{ "{{ parseDuration \"1h2m10ms\" }} {{ now }} {{ toDuration 90.5 }}", "3720.01 1000 1m30.5s" },
	{ "{{ query \"two\" | first | value }} {{ query \"two\" | first | label \"x\" }}", "1 z" },
	{ "{{ range query \"two\" | sortByLabel \"x\" }}{{ .Labels.x }}{{ .Value }};{{ end }}", "y2;z1;" },
	{ "{{ query \"none\" | first }}", "!first() called on vector with no elements" },
	{ "{{ query \"bad\" }}", "!error calling query: no such thing" },
	{ "{{ with args 1 \"x\" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }}", "1x<no value>" },
	{ "{{ toUpper 1 }}", "!wrong type for value; expected string; got int" },
	{ "{{ humanize }}", "!wrong number of args for humanize: want 1 got 0" },
	{ "{{ match \"a+\" \"baa\" }} {{ reReplaceAll \"(a)(b)?\" \"<$1>\" \"xabay\" }}", "true x<a><a>y" },
};

static bool query(struct template_prometheus *p, struct str expr, struct template_call *c)
{
	struct label *z = ARENA_ARRAY(c->arena, 2, struct label);
	struct template_value *v = ARENA_ARRAY(c->arena, 2, struct template_value);
	size_t n = str_eq(expr, STR("two")) ? 2 : 0;

	(void)p;
	if (str_eq(expr, STR("bad")))
		return err_set(c->e, ERR_EXEC, -1, "no such thing");
	z[0] = (struct label){ STR("x"), STR("z") };
	z[1] = (struct label){ STR("x"), STR("y") };
	v[0] = template_sample(c->arena, (struct labels){ &z[0], 1 }, 1);
	v[1] = template_sample(c->arena, (struct labels){ &z[1], 1 }, 2);
	c->out = template_list_of(c->arena, v, n, &template_sample_list);
	return true;
}

static const struct template_variable variables[] = {
	{ "$labels", "Labels" }, { "$externalLabels", "ExternalLabels" }, { "$externalURL", "ExternalURL" }, { "$value", "Value" },
};

static struct template_value data(struct arena *a)
{
	static const struct label l[] = { { { "a", 1 }, { "b", 1 } }, { { "instance", 8 }, { "h1:9100", 7 } } };
	struct template_field *f = ARENA_ARRAY(a, 4, struct template_field);
	struct template_map *m = ARENA_NEW(a, struct template_map);

	f[0] = (struct template_field){ STR("Labels"), template_labels(a, (struct labels){ l, 2 }, NULL) };
	f[1] = (struct template_field){ STR("ExternalLabels"), template_labels(a, (struct labels){ NULL, 0 }, NULL) };
	f[2] = (struct template_field){ STR("ExternalURL"), template_str(STR("http://t.example:9/p")) };
	f[3] = (struct template_field){ STR("Value"), template_float(1e8) };
	*m = (struct template_map){ f, 4, NULL };
	return (struct template_value){ .kind = TEMPLATE_RECORD, .map = m };
}

static bool run(const char *text, struct arena *a, struct buf *out, struct err *e)
{
	const struct template_env env = { template_prometheus_funcs, TEMPLATE_PROMETHEUS_FUNCS, variables, ARRAY_LEN(variables) };
	struct template_prometheus world = { query, 1000000, STR("http://t.example:9/p") };
	struct template *t = template_new(STR("t"), str_of(text), &env, NULL, e);
	bool ok = t != NULL && template_expand(t, data(a), &world, a, out, e);

	template_free(t);
	return ok;
}

static void test_expansion(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct template_case *c = &cases[i];
		struct arena a = { 0 };
		struct buf out = { 0 };
		struct err e = { 0 };
		bool ok = run(c->text, &a, &out, &e), right;

		if (c->want[0] == '!')
			right = !ok && out.n == 0 && strstr(e.msg, c->want + 1) != NULL;
		else
			right = ok && str_eq(buf_str(&out), str_of(c->want));
		if (!right) {
			bad++;
			print_error("%s\n  want %s\n  got  %s %s\n", c->text, c->want, ok ? buf_z(&out) : "(error)", e.msg);
		}
		buf_fini(&out);
		arena_fini(&a);
	}
	assert_int_equal(bad, 0);
}

/* The wording of a failure is what people see on their phone: position, template, snippet and reason. */
static void test_error_text(void **state)
{
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_false(run("line one\nv {{ eq $value 1 }}", &a, &out, &e));
	assert_string_equal(e.msg, "template: t:2:5: executing \"t\" at <eq $value 1>: error calling eq: incompatible types for comparison");
	e = (struct err){ 0 };
	assert_false(run("ab {{ nope }}", &a, &out, &e));
	assert_int_equal(e.pos, 6);
	buf_fini(&out);
	arena_fini(&a);
}

/* A base offers its definitions to templates parsed later; the nearer definition wins. */
static void test_base(void **state)
{
	const struct template_env env = { 0 };
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };
	struct template *base = template_new(STR("base"), STR("{{ define \"x\" }}base{{ end }}{{ define \"y\" }}y{{ end }}"), &env, NULL, &e);
	struct template *t = template_new(STR("t"), STR("{{ define \"x\" }}own{{ end }}{{ template \"x\" }} {{ template \"y\" }}"), &env,
	                                  base, &e);

	(void)state;
	assert_non_null(t);
	assert_true(template_expand(t, template_int(0), NULL, &a, &out, &e));
	assert_string_equal(buf_z(&out), "own y");
	buf_reset(&out);
	assert_true(template_expand_named(t, STR("y"), template_int(0), NULL, &a, &out, &e));
	assert_string_equal(buf_z(&out), "y");
	template_free(t);
	template_free(base);
	buf_fini(&out);
	arena_fini(&a);
}

/* What is defined again counts for the base's own templates too. */
static void test_override(void **state)
{
	const struct template_env env = { 0 };
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };
	struct template *base = template_new(STR("base"), STR("{{ define \"x\" }}base{{ end }}{{ define \"y\" }}<{{ template \"x\" }}>{{ end }}"),
					     &env, NULL, &e);
	struct template *t = template_new(STR("t"), STR("{{ define \"x\" }}own{{ end }}{{ template \"y\" }}"), &env, base, &e);

	(void)state;
	assert_true(template_expand(t, template_int(0), NULL, &a, &out, &e));
	assert_string_equal(buf_z(&out), "<own>");
	template_free(t);
	template_free(base);
	buf_fini(&out);
	arena_fini(&a);
}

static void test_html(void **state)
{
	static const struct template_func funcs[] = { { "safeHtml", 1, 1, template_fn_safe_html } };
	static const struct template_env env = { funcs, ARRAY_LEN(funcs), NULL, 0 };
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };
	struct template *t = template_new(STR("t"), STR("<b>{{ . }}</b>{{ safeHtml . }}{{ html . }}{{ printf \"%s!\" . }}"), &env, NULL, &e);

	(void)state;
	assert_non_null(t);
	assert_true(template_expand_html(t, template_str(STR("<&\"'>")), NULL, &a, &out, &e));
	assert_string_equal(buf_z(&out), "<b>&lt;&amp;&#34;&#39;&gt;</b><&\"'>&lt;&amp;&#34;&#39;&gt;&lt;&amp;&#34;&#39;&gt;!");
	template_free(t);
	buf_fini(&out);
	arena_fini(&a);
}

static void test_plain(void **state)
{
	static const struct {
		const char *text;
		bool plain;
	} texts[] = {
		{ "", true }, { "a } b", true }, { "{{/* c */}}a", false }, { "a {{- /* c */}}", false },
		{ "{{define \"x\"}}{{end}}a", false }, { "a{{.}}", false },
	};
	const struct template_env env = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = { 0 };
		struct template *t = template_new(STR("t"), str_of(texts[i].text), &env, NULL, &e);

		print_message("  %s\n", texts[i].text);
		assert_non_null(t);
		assert_int_equal(template_is_plain(t), texts[i].plain);
		template_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_error_text),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_plain),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
