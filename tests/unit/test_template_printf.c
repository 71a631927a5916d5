/* Printf of templates against what Go prints. The rows of the first table were made with Go's fmt (1.19), those of the
 * second follow its documentation for values that only templates have. */
#include "tests.h"

#include "notify/receivers/receiver.h"

struct row {
	const char *text, *want;
};

static const struct row plain[] = {
	{ "{{ printf \"%v|%+v|%#v|%T\" 1 }}", "1|%!v(MISSING)|%!v(MISSING)|%!T(MISSING)" },
	{ "{{ printf \"%[1]v|%+[1]v|%#[1]v|%[1]T\" \"a\\\"b\" }}", "a\"b|a\"b|\"a\\\"b\"|string" },
	{ "{{ printf \"%[1]v|%+[1]v|%#[1]v|%[1]T\" 1.5 }}", "1.5|1.5|1.5|float64" },
	{ "{{ printf \"%[1]v|%#[1]v|%[1]T\" true }}", "true|true|bool" },
	{ "{{ printf \"%[1]v|%#[1]v|%[1]T|%[1]d\" nil }}", "<nil>|<nil>|<nil>|%!d(<nil>)" },
	{ "{{ printf \"%[1]q|%+[1]q|%#[1]q\" \"a\\tü\\u200b`\" }}",
	  "\"a\\tü\\u200b`\"|\"a\\t\\u00fc\\u200b`\"|\"a\\tü\\u200b`\"" },
	{ "{{ printf \"%[1]q|%+[1]q|%#[1]q\" \"a\\\\b\" }}", "\"a\\\\b\"|\"a\\\\b\"|`a\\b`" },
	{ "{{ printf \"%x|% x|%#x|% #X|%.1x|%8.2x\" \"hi!\" \"hi!\" \"hi!\" \"hi!\" \"hi!\" \"hi!\" }}",
	  "686921|68 69 21|0x686921|0X68 0X69 0X21|68|    6869" },
	{ "{{ printf \"%5s|%-5s|%05s|%.1s|%7.2q|%5t|%-7t|%05t\" \"ab\" \"ab\" \"ab\" \"ab\" \"abc\" true true true }}",
	  "   ab|ab   |000ab|a|   \"ab\"| true|true   |0true" },
	{ "{{ printf \"%d|%+d|% d|%05d|%-5d|%+05d|%.3d|%8.3d|%08.3d|%.0d\" 42 42 42 -42 42 42 7 7 7 0 }}",
	  "42|+42| 42|-0042|42   |+0042|007|     007|     007|" },
	{ "{{ printf \"%b|%o|%O|%#o|%x|%X|%#x|%#X|%c|%q|%U|%#U\" 5 8 8 8 255 255 255 255 228 39 228 228 }}",
	  "101|10|0o10|010|ff|FF|0xff|0XFF|ä|'\\''|U+00E4|U+00E4 'ä'" },
	{ "{{ printf \"%e|%E|%.2e|%f|%.0f|%6.2f|%-8.1f|%08.3f|%+.1f|% .1f|%#.0f\" "
	  "1234.5678 1234.5678 1234.5678 1234.5678 2.5 3.14159 3.14159 -3.14159 2.0 2.0 3.0 }}",
	  "1.234568e+03|1.234568E+03|1.23e+03|1234.567800|2|  3.14|3.1     |-003.142|+2.0| 2.0|3." },
	{ "{{ printf \"%g|%G|%.3g|%#g|%#.3g|%+g|%x|%X|%.2x|%b\" 1e21 1e-7 1234.5678 1.0 1.0 0.1 1.0 0.1 0.1 1.0 }}",
	  "1e+21|1E-07|1.23e+03|1.00000|1.00|+0.1|0x1p+00|0X1.999999999999AP-04|0x1.9ap-04|4503599627370496p-52" },
	{ "{{ printf \"%[2]s %[1]s\" \"a\" \"b\" }}", "b a" },
	{ "{{ printf \"%[3]*.[2]*[1]f|%6.2f\" 12.0 2 6 }}", " 12.00|%!f(int=    02)" },
	{ "{{ printf \"%[1]d %d %[1]d %d\" 1 2 }}", "1 2 1 2" },
	{ "{{ printf \"%*d|%-*d|%*d\" 5 3 5 3 -5 3 }}", "    3|3    |3    " },
	{ "{{ printf \"%.*f\" 2 3.14159 }}", "3.14" },
	{ "{{ printf \"%[5]d|%[0]d|%[x]d|%[1]2d|%[1\" 1 2 }}",
	  "%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)|%!(NOVERB)" },
	{ "{{ printf \"%.[1]*d|%[2\" 1 7 }}", "7|%!(NOVERB)" },
	{ "{{ printf \"%!|%z|%-z|%é\" 1 \"a\" 2.5 true }}", "%!!(int=1)|%!z(string=a)|%!z(float64=2.5)|%!é(bool=true)" },
	{ "{{ printf \"%d|%s|%t|%f|%x\" \"hi\" 1 1 \"x\" true }}",
	  "%!d(string=hi)|%!s(int=1)|%!t(int=1)|%!f(string=x)|%!x(bool=true)" },
	{ "{{ printf \"%d %d\" 1 }}", "1 %!d(MISSING)" },
	{ "{{ printf \"%d\" 1 \"x\" 2.5 }}", "1%!(EXTRA string=x, float64=2.5)" },
	{ "{{ printf \"%\" }}", "%!(NOVERB)" },
	{ "{{ printf \"%*d\" \"a\" 3 }}", "%!(BADWIDTH)3" },
	{ "{{ printf \"%.*d\" -1 3 }}", "%!(BADPREC)3" },
	{ "{{ printf \"%99999999d\" 1 }}", "%!(NOVERB)%!(EXTRA int=1)" },
	{ "{{ printf \"%p|%w\" 1 2 }}", "%!p(int=1)|%!w(int=2)" },
	{ "{{ printf \"%%|%5%|%d%%\" 7 }}", "%|%|7%" },
};

/* .L: labels; .A: a list; .T: a time; .D: a duration; */
static const struct row composed[] = {
	{ "{{ printf \"%v|%+v|%T\" .L .L .L }}", "map[a:b c:d]|map[a:b c:d]|template.KV" },
	{ "{{ printf \"%#v|%q|%d\" .L .L .L }}",
	  "template.KV{\"a\":\"b\", \"c\":\"d\"}|"
	  "map[\"a\":\"b\" \"c\":\"d\"]|map[%!d(string=a):%!d(string=b) %!d(string=c):%!d(string=d)]" },
	{ "{{ printf \"%v|%+v\" .L.SortedPairs .L.SortedPairs }}", "[{a b} {c d}]|[{Name:a Value:b} {Name:c Value:d}]" },
	{ "{{ printf \"%#v\" .L.SortedPairs }}",
	  "template.Pairs{template.Pair{Name:\"a\", Value:\"b\"}, template.Pair{Name:\"c\", Value:\"d\"}}" },
	{ "{{ printf \"%v|%s|%q|%3s|%x|%#v|%T\" .L.Names .L.Names .L.Names .L.Names .L.Names .L.Names .L.Names }}",
	  "[a c]|[a c]|[\"a\" \"c\"]|[  a   c]|[61 63]|[]string{\"a\", \"c\"}|[]string" },
	{ "{{ printf \"%v|%d|%05.1f|%#v\" .A .A .A .A }}",
	  "[1 2.5 x <nil>]|[1 %!d(float64=2.5) %!d(string=x) %!d(<nil>)]|[%!f(int=    1) 002.5 %!f(string=0000x) %!f(<nil>)]|"
	  "[]interface {}{1, 2.5, \"x\", interface {}(nil)}" },
	{ "{{ printf \"%s|%v|%30v|%T\" .T .T .T .T }}",
	  "2023-11-14 22:13:20.5 +0000 UTC|2023-11-14 22:13:20.5 +0000 UTC|2023-11-14 22:13:20.5 +0000 UTC|time.Time" },
	{ "{{ printf \"%#v|%.10s|%q\" .T .T .T }}",
	  "time.Date(2023, time.November, 14, 22, 13, 20, 500000000, time.UTC)|2023-11-14|\"2023-11-14 22:13:20.5 +0000 UTC\"" },
	{ "{{ printf \"%v|%s|%d|%8s|%#v|%T|%x\" .D .D .D .D .D .D .D }}",
	  "1m30s|1m30s|90000000000|   1m30s|90000000000|time.Duration|316d333073" },
	{ "{{ printf \"%s|%d|%02d|%v|%T\" .T.Month .T.Month .T.Month .T.Weekday .T.Month }}", "November|11|11|Tuesday|time.Month" },
};

static struct template_value data(struct arena *a)
{
	static const struct template_type type = { "*template.Data", { 0 }, NULL, 0 };
	struct label *l = ARENA_ARRAY(a, 2, struct label);
	struct template_value *list = ARENA_ARRAY(a, 4, struct template_value), labels;

	l[0] = (struct label){ STR("a"), STR("b") };
	l[1] = (struct label){ STR("c"), STR("d") };
	labels = template_labels(a, (struct labels){ l, 2 }, &notice_kv_type);
	list[0] = template_int(1);
	list[1] = template_float(2.5);
	list[2] = template_str(STR("x"));
	list[3] = (struct template_value){ .kind = TEMPLATE_NIL };
	return notice_record(a,
			     (const struct template_field[]){ { STR("L"), labels },
							      { STR("A"), template_list_of(a, list, 4, NULL) },
							      { STR("T"), template_time_utc(1700000000500) },
							      { STR("D"), { .kind = TEMPLATE_DURATION, .i = 90000000000 } } },
			     4, &type);
}

static int differs(const struct row *r)
{
	struct arena a = { 0 };
	struct err e = { 0 };
	struct buf out = { 0 };
	struct template *t = template_new(STR("t"), str_of(r->text), &notice_template_env, NULL, &e);
	bool same = t != NULL && template_expand(t, data(&a), NULL, &a, &out, &e) && str_eq(buf_str(&out), str_of(r->want));

	if (!same)
		print_error("%s\n  want %s\n  got  %s%s\n", r->text, r->want, buf_z(&out), e.msg);
	template_free(t);
	buf_fini(&out);
	arena_fini(&a);
	return !same;
}

static void as_go_prints(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		bad += differs(&plain[i]);
	for (size_t i = 0; i < ARRAY_LEN(composed); i++)
		bad += differs(&composed[i]);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_go_prints) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
