/* RE2's meaning, case by case: what matches, what is refused and where, the shapes that need no engine. */
#include "tests.h"

#include <stdlib.h>

#include "tocsin/querier.h"
#include "tocsin/regex.h"

static const struct {
	const char *pattern, *subject;
	bool matches;
} anchored_cases[] = {
	{ "", "", true }, { "", "a", false },
	{ "foo", "foo", true }, { "foo", "foobar", false }, { "foo", "xfoo", false },
	{ "^foo$", "foo", true }, { "^foo$", "foo\n", false }, { "foo$", "foo\n", false },
	{ "fo.", "foo", true }, { "fo.", "fo\n", true }, { "(?-s:fo.)", "fo\n", false }, { "(?-s)fo.", "fo\n", false },
	{ ".*", "", true }, { ".*", "a\nb", true }, { ".+", "", false }, { ".+", "\n", true },
	{ "foo.*", "foo", true }, { "foo.*", "fo", false }, { "foo.+", "foo", false }, { "foo.+", "foox", true },
	{ ".*foo", "foo", true }, { ".*foo", "foox", false }, { ".+foo", "foo", false }, { ".+foo", "xfoo", true },
	{ ".*foo.*", "afoob", true }, { ".*foo.*", "afob", false }, { ".+foo.+", "foo", false }, { ".+foo.+", "foofoo", false },
	{ ".+foo.+", "xfooy", true }, { ".*.*", "x", true }, { "(.*)", "x", true }, { ".*a.*b.*", "xaxbx", true },
	{ "a|b|c", "b", true }, { "a|b|c", "ab", false }, { "a|b|", "", true }, { "a(b|c)d", "acd", true }, { "a(b|c)?d", "ad", true },
	{ "a(b|c)d", "abcd", false }, { "(?i)foo", "FoO", true }, { "(?i:f)oo", "FoO", false }, { "(?i:f)oo", "Foo", true },
	{ "f(?i)oo|b", "fOO", true }, { "f(?i)oo|b", "B", true }, { "(f(?i)o)o", "fOO", false },
	{ "(?i)\xc3\x84rger", "\xc3\xa4RGER", true }, { "(?i)k", "\xe2\x84\xaa", true },
	{ "\\d+", "123", true }, { "\\d+", "\xd9\xa3", false }, { "\\w", "\xc3\xa4", false }, { "\\W", "\xc3\xa4", true },
	{ "\\s", "\v", false }, { "\\S", "\v", true }, { "[\\s]", "\v", false }, { "[\\S]", "\v", true }, { "[^\\S]", "\v", false },
	{ "[[:space:]]", "\v", true }, { "\\s", "\f", true }, { "[[:^alpha:]]", "1", true }, { "[[:word:]]+", "a_1", true },
	{ "[^a]", "\n", true }, { "[]a]+", "]a", true }, { "[^]a]", "]", false }, { "[a-]+", "a-", true }, { "[-a]+", "a-", true },
	{ "[a-c-e]+", "b-e", true }, { "[a&&b]+", "a&b", true }, { "[\\d-z]+", "1-z", true },
	{ "a{2,3}", "aa", true }, { "a{2,3}", "aaaa", false }, { "a{,3}", "a{,3}", true }, { "a{x", "a{x", true }, { "{", "{", true },
	{ "a{2", "a{2", true }, { "a{1,x}", "a{1,x}", true }, { "a{0}b", "b", true }, { "(a{2}){3}", "aaaaaa", true }, { "a{02}", "a{02}", true },
	{ "\\Qa.b\\E+", "a.bb", true }, { "\\Q\\E", "", true }, { "\\Qab\\Ec", "abc", true },
	{ "\\x41\\x{1F600}", "A\xf0\x9f\x98\x80", true }, { "\\101", "A", true }, { "\\0", "", false }, { "\\_\\-\\.", "_-.", true },
	{ "\\pL+", "a\xc3\xa4", true }, { "\\p{Greek}", "\xce\xb1", true }, { "\\P{Greek}", "\xce\xb1", false }, { "\\p{^Greek}", "a", true },
	{ "[\\p{Lu}\\d]+", "A1", true }, { "(?i)\\p{Lu}", "a", true }, { "[^\\PL]", "a", true },
	{ "(?U)a+", "aaa", true }, { "(?P<x>a)(?<y>b)", "ab", true }, { "(?:)", "", true }, { "()", "", true }, { "a**?", "", false },
	{ "a(?i)*", "aaa", true }, { "ab(?i)*", "abbb", true }, { "^*", "", true }, { "(?:^)*a", "a", true }, { "\\b*a", "a", true },
	{ "\\Aa\\z", "a", true }, { "a\\b", "a", true }, { "(?m)a$\\nb", "a\nb", true }, { "(?m)a\\n^", "a\n", true },
	{ "(?s).", "\n", true }, { "\\C", "", false }, { "\\a\\f\\t\\n\\r\\v", "\a\f\t\n\r\v", true }, { "a|", "", true }, { "|a", "a", true },
	{ "\xff", "", false }, { "a.c", "a\xff" "c", true }, { "a..c", "a\xff\xfe" "c", true }, { "a.c", "a\xff\xfe" "c", false },
	{ "[^x]", "\xff", true }, { "a\xef\xbf\xbd", "a\xff", true }, { "a\xef\xbf\xbd.*", "a\xff", true }, { "\\x{fffd}|b", "\xff", true },
	{ ".*b", "\xff" "b", true }, { "\\x{d800}", "a", false }, { "[\\x{d800}-\\x{dfff}]", "a", false }, { "[^\\x{d800}]", "a", true },
	{ "(a|ab)(c|bcd)(d*)", "abcd", true }, { "(a+|b)*c", "aabbac", true }, { "web-[0-9]{2}\\.example\\.com", "web-07.example.com", true },
	{ "(?i)\\p{Lu}", "\xc4\xb1", false }, { "(?i)\\P{Lu}", "\xc4\xb1", true }, { "(?i)[^\\P{Lu}]", "\xc4\xb1", false },
	{ "(?i)\\p{Lu}", "\xc3\xa9", true }, { "(?i)\\p{Ll}", "\xc4\xb0", false }, { "(?i)\\p{^Ll}", "\xc3\x89", false },
	{ "(?i)\\p{Lt}", "a", false }, { "(?i)\\p{Lt}", "\xc7\x86", true }, { "(?i)\\p{Ll}", "\xcd\x85", true },
	{ "[^\\pL\\D]", "\xe2\x80\xa8", false }, { "[^\\pL\\W]", "\xe2\x80\xa8", false }, { "[^\\PL\\S]", "\xe2\x80\xa8", false },
	{ "[^\\pN[:^digit:]]", "\xf0\x9f\x98\x80", false }, { "[\\pN[:^alpha:]]", "\xf0\x9f\x98\x80", true }, { "[^\\pL\\D]", "7", true },
	{ "(?i)\\W", "\xc5\xbf", false }, { "(?i)\\w", "\xc5\xbf", true }, { "\\W", "\xc5\xbf", true }, { "(?i)[^\\W]", "\xe2\x84\xaa", true },
	{ "(?i)[[:^lower:]]", "A", false }, { "(?i)[[:^ascii:]]", "\xe2\x84\xaa", false }, { "(?i)[[:^print:]]", "\xc3\xa4", true },
	{ "(a*)*", "aab", false }, { "(|a)+", "aaa", true }, { "(a*?)*b", "aab", true },
	{ "5..", "503", true }, { "2[0-9]{2}|3..", "204", true }, { "(?i-s:a.b)", "A\nB", false }, { "(?is)a.b", "A\nB", true },
};

static void anchored(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(anchored_cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(anchored_cases[i].pattern), REGEX_ANCHORED, &e);
		struct regex *matcher = regex_new(str_of(anchored_cases[i].pattern), REGEX_MATCHER, &e);
		struct regex_group whole;
		struct str subject = str_of(anchored_cases[i].subject);
		enum regex_verdict want = anchored_cases[i].matches ? REGEX_YES : REGEX_NO;

		if ((re == NULL) != (matcher == NULL) || (matcher != NULL && regex_match(matcher, subject) != want))
			fail_msg("/%s/ on \"%s\": a matcher differs", anchored_cases[i].pattern, subject.p);
		regex_free(matcher);
		if (re == NULL && !anchored_cases[i].matches)
			continue;       /* refused altogether: see refused_cases */
		if (re == NULL)
			fail_msg("%s: %s", anchored_cases[i].pattern, e.msg);
		if (regex_match(re, subject) != want)
			fail_msg("/%s/ on \"%s\": not %s", anchored_cases[i].pattern, subject.p, anchored_cases[i].matches ? "matched" : "refused");
		if (regex_find(re, subject, 0, &whole, 1) != want || (want == REGEX_YES && (whole.beg != 0 || whole.end != subject.n)))
			fail_msg("/%s/ on \"%s\": regex_find differs", anchored_cases[i].pattern, subject.p);
		if (want == REGEX_YES && !str_starts(subject, regex_prefix(re)))
			fail_msg("/%s/: prefix " STR_FMT, anchored_cases[i].pattern, STR_ARG(regex_prefix(re)));
		regex_free(re);
	}
}

static const struct {
	const char *pattern;
	int pos;
	const char *why;
} refused_cases[] = {
	{ "a(?=b)", 1, "lookahead" }, { "a(?!b)", 1, "negative lookahead" }, { "(?<=a)b", 0, "lookbehind" }, { "(?<!a)b", 0, "lookbehind" },
	{ "(a)\\1", 3, "backreferences" }, { "(?P=a)", 0, "backreferences" }, { "\\8", 0, "backreferences" }, { "a++", 1, "nested repeat" },
	{ "a*+", 1, "nested repeat" }, { "a**", 1, "nested repeat" }, { "a{2}{3}", 1, "nested repeat" }, { "a???", 1, "nested repeat" },
	{ "(?>a)", 0, "atomic" }, { "(?|a)", 0, "branch reset" }, { "\\h", 0, "class" }, { "\\R", 0, "class" }, { "\\X", 0, "class" },
	{ "\\N", 0, "class" }, { "\\K", 0, "Perl" }, { "\\G", 0, "Perl" }, { "\\C", 0, "Perl" }, { "\\k<a>", 0, "Perl" }, { "\\Z", 0, "\\z" },
	{ "(?(1)a|b)", 0, "conditional" }, { "(?R)", 0, "recursion" }, { "(?1)", 0, "unknown group" }, { "(?C)", 0, "callouts" },
	{ "(*ACCEPT)", 1, "missing argument" }, { "(*UTF8)a", 1, "missing argument" }, { "(?#x)", 0, "comments" }, { "(?x)a", 0, "unknown group" },
	{ "(?J)a", 0, "unknown group" }, { "(?i-)a", 0, "unknown group" }, { "(?'n'a)", 0, "unknown group" }, { "(?P<1-2>a)", 0, "group name" },
	{ "(?P<>a)", 0, "group name" }, { "(?P<a", 0, "group name" },
	{ "*", 0, "missing argument" }, { "a|*", 2, "missing argument" }, { "(+)", 1, "missing argument" }, { "{2}", 0, "missing argument" },
	{ "(?i)*", 4, "missing argument" }, { "a{1001}", 1, "1000" }, { "a{3,2}", 1, "below" }, { "(a{100}){11}", 8, "1000" },
	{ "((a{10}){10}){11}", 13, "1000" }, { "[a", 0, "missing ]" }, { "[]", 0, "missing ]" }, { "[z-a]", 1, "range" }, { "[[:foo:]]", 1, "class name" },
	{ "[a-\\d]", 3, "unknown escape" }, { "[\\b]", 1, "unknown escape" }, { "(a", 0, "missing )" }, { "a)", 1, "unexpected )" }, { "a\\", 1, "backslash" },
	{ "\\xg", 0, "hexadecimal" }, { "\\x{110000}", 0, "hexadecimal" }, { "\\x4", 0, "hexadecimal" }, { "\\p{Foo}", 0, "Unicode class" },
	{ "\\p{L&}", 0, "Unicode class" }, { "\\p{Xan}", 0, "Unicode class" }, { "\\p{Lu", 0, "missing }" }, { "\\p", 0, "Unicode class" },
	{ "\\pq", 0, "Unicode class" }, { "\\E", 0, "unknown escape" }, { "\\y", 0, "unknown escape" }, { "a\xff", 1, "UTF-8" }, { "a\xc3", 1, "UTF-8" },
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(refused_cases[i].pattern), REGEX_SEARCH, &e);

		if (re != NULL)
			fail_msg("/%s/ was taken", refused_cases[i].pattern);
		if (e.pos != refused_cases[i].pos || strstr(e.msg, refused_cases[i].why) == NULL)
			fail_msg("/%s/: at %d, not %d: %s", refused_cases[i].pattern, e.pos, refused_cases[i].pos, e.msg);
	}
}

/* A matcher stands in ^(?s:…)$, and an open quote would take the end of that in. */
static void a_quote_ends_in_its_matcher(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("a\\Qb"), REGEX_SEARCH, &e);

	(void)state;
	assert_non_null(re);
	regex_free(re);
	assert_null(regex_new(STR("a\\Qb"), REGEX_ANCHORED, &e));
	assert_int_equal(e.pos, 1);
	assert_non_null(strstr(e.msg, "missing \\E"));
}

/* As in Go: names may occur twice, then the first group that took part counts; of more groups than are kept nothing is read. */
static void groups_expand_within_bounds(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("(?:(?P<n>a)|(?P<n>b))(c)"), REGEX_ANCHORED, &e);
	struct regex_group groups[3];
	struct buf out = { 0 };

	(void)state;
	assert_non_null(re);
	assert_int_equal(regex_find(re, STR("bc"), 0, groups, 3), REGEX_YES);
	regex_expand(re, &out, STR("bc"), groups, 3, STR("$n-$2-$3-$9-$x"));
	assert_string_equal(buf_z(&out), "b-b---");
	buf_fini(&out);
	regex_free(re);
}

/* RE2 takes an empty turn of a loop only as its first, so a group keeps what the last turn that got further put into it. */
static void groups_of_loops_whose_turns_may_be_empty(void **state)
{
	static const struct {
		const char *pattern, *subject, *expanded;       /* as Go's regexp has them */
	} cases[] = {
		{ "((a*)(b*))*", "ab", "ab a b" }, { "(a|b*)+", "ab", "b  " }, { "(a*)*", "a", "a  " }, { "(a?)+", "a", "a  " }, { "(|a)+", "a", "a  " },
		{ "(\\S?-?)+", "a", "a  " }, { "(a*)+", "", "  " }, { "(a*)*(b)", "b", " b " }, { "((a*)+,?)*(c)", "aa,a,c", "a, a c" },
		{ "([^b]*?\\B)*?a", "a", "  " }, { "(a*?)*(b)", "aab", "a b " },
		{ "((?:a*?)*).??[^b]", "aaa", "aa  " }, { "(x)?((a*)+)(c)", "aac", " aa aa" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(cases[i].pattern), REGEX_ANCHORED, &e);
		struct str subject = str_of(cases[i].subject);
		struct regex_group groups[5];
		struct buf out = { 0 };

		assert_non_null(re);
		if (regex_match(re, subject) != REGEX_YES || regex_find(re, subject, 0, groups, 5) != REGEX_YES)
			fail_msg("/%s/ on \"%s\"", cases[i].pattern, subject.p);
		regex_expand(re, &out, subject, groups, 5, STR("$1 $2 $3"));
		if (!str_eq(buf_str(&out), str_of(cases[i].expanded)))
			fail_msg("/%s/ on \"%s\": %s", cases[i].pattern, subject.p, buf_z(&out));
		buf_fini(&out);
		regex_free(re);
	}
}

static void nesting_is_bounded(void **state)
{
	static char deep[4002];
	struct err e = { 0 };
	struct regex *re;

	(void)state;
	memset(deep, '(', 2000);
	memset(deep + 2000, ')', 2000);
	assert_null(regex_new(str_of(deep), REGEX_SEARCH, &e));
	assert_non_null(strstr(e.msg, "1000"));
	e = (struct err){ 0 };
	memset(deep, '(', 900);
	memset(deep + 900, ')', 900);
	deep[1800] = '\0';
	re = regex_new(str_of(deep), REGEX_SEARCH, &e);
	assert_non_null(re);
	assert_int_equal(regex_group_count(re), 900);
	regex_free(re);
}

/* As dashboards make them of all hosts: more than PCRE2 compiles into one program. */
static void long_lists_of_alternatives(void **state)
{
	static const struct {
		const char *before, *head, *tail, *behind, *yes, *no, *expanded;
	} cases[] = {
		{ "", "host-", "\\.example\\.com:9100", "", "host-3999.example.com:9100", "host-3999xexample.com:9100", "--" },
		{ "(", "host-", "\\.example\\.com:9100", ")", "host-3999.example.com:9100", "host-3999xexample.com:9100", "host-3999.example.com:9100--" },
		{ "", "host-", ".example.com:9100", "", "host-0001xexample.com:9100", "host-0001.example.com:910", "--" },
		{ "((", "host-", ".*", "))", "host-2000/a", "host-4000/a", "host-2000/a-host-2000/a-" },
		{ "(?i)(", "host-", "", ")", "HOST-3999", "HOST-4000", "HOST-3999--" },
		{ "^(?:", "host(-)", "(?P<n>[a-f])", ")$", "host-3000b", "host-3000g", "--b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct regex_group *groups = calloc(10000, sizeof *groups);
		struct buf text = { 0 }, out = { 0 };
		struct err e = { 0 };
		struct regex *re;

		buf_putz(&text, cases[i].before);
		for (int k = 0; k < 4000; k++) {
			buf_putz(&text, k > 0 ? "|" : "");
			buf_printf(&text, "%s%04d%s", cases[i].head, k, cases[i].tail);
		}
		buf_putz(&text, cases[i].behind);
		for (int mode = REGEX_ANCHORED; mode <= REGEX_MATCHER; mode++) {
			re = regex_new(buf_str(&text), (enum regex_mode)mode, &e);
			if (re == NULL)
				fail_msg("%zu: %s", i, e.msg);
			assert_int_equal(regex_match(re, str_of(cases[i].yes)), REGEX_YES);
			assert_int_equal(regex_match(re, str_of(cases[i].no)), REGEX_NO);
			if (mode == REGEX_ANCHORED) {
				assert_int_equal(regex_find(re, str_of(cases[i].yes), 0, groups, regex_group_count(re) + 1), REGEX_YES);
				regex_expand(re, &out, str_of(cases[i].yes), groups, regex_group_count(re) + 1, STR("$1-$2-${n}"));
				assert_string_equal(buf_z(&out), cases[i].expanded);
			}
			regex_free(re);
		}
		free(groups);
		buf_fini(&text);
		buf_fini(&out);
	}
}

static void a_long_list_elsewhere_names_its_limit(void **state)
{
	struct buf text = { 0 };
	struct err e = { 0 };

	(void)state;
	for (int k = 0; k < 4000; k++)
		buf_printf(&text, "host-%04d.example.com:9100|", k);
	assert_null(regex_new(buf_str(&text), REGEX_SEARCH, &e));
	assert_non_null(strstr(e.msg, "limit regex_program=65535"));
	buf_fini(&text);
}

static const struct {
	const char *pattern, *subject, *replacement, *result;   /* NULL: no match */
} search_cases[] = {
	{ "b+", "abbc", "[$0]", "[bb]" }, { "b+?", "abbc", "[$0]", "[b]" }, { "(?U)b+", "abbc", "[$0]", "[b]" }, { "(?U)b+?", "abbc", "[$0]", "[bb]" },
	{ "(a)(x)?(b)", "ab", "$1-$2-$3", "a--b" }, { "(?P<first>a)", "a", "${first}x$firstx$first", "axa" }, { "a", "a", "$$1 $ ${ ${1 $-", "$1 $ ${ ${1 $-" },
	{ "(a)", "a", "$1x ${1}x $9 $01", " ax  " }, { "$", "ab\n", "<$0>", "<>" }, { "b$", "ab\n", "", NULL }, { "(?m)b$", "ab\n", "$0", "b" },
	{ ".+", "ab\ncd", "$0", "ab" }, { "\xc3\xa4", "\xff\xc3\xa4", "$0", "\xc3\xa4" }, { ".", "\xff" "a", "$0", "\xff" }, { "a|ab", "ab", "$0", "a" },
	{ "(\\w+)@(\\w+)", "to bob@home now", "$2/$1", "home/bob" }, { "[^\\x00-\\x7f]", "a\xe2\x82\xac", "$0", "\xe2\x82\xac" },
};

static void search(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(search_cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(search_cases[i].pattern), REGEX_SEARCH, &e);
		struct str subject = str_of(search_cases[i].subject);
		struct regex_group groups[8];
		struct buf out = { 0 };

		if (re == NULL)
			fail_msg("%s: %s", search_cases[i].pattern, e.msg);
		if ((regex_find(re, subject, 0, groups, 8) == REGEX_YES) != (search_cases[i].result != NULL))
			fail_msg("/%s/ on \"%s\"", search_cases[i].pattern, subject.p);
		if (search_cases[i].result != NULL) {
			regex_expand(re, &out, subject, groups, 8, str_of(search_cases[i].replacement));
			assert_string_equal(buf_z(&out), search_cases[i].result);
		}
		buf_fini(&out);
		regex_free(re);
	}
}

static const struct {
	const char *pattern, *subject, *result;         /* the groups in brackets; NULL: no match */
} pcre_cases[] = {
	{ "error(?! ignored) (\\w+)", "error ignored, error disk", "[error disk][disk]" }, { "^(?!.*probe).*GET", "GET /probe", NULL },
	{ "^(?!.*probe).*GET", "GET /", "[GET]" }, { "(?<=took )(?<ms>\\d++)", "took 17ms", "[17][17]" }, { "(\\w+) \\1", "it was was", "[was was][was]" },
	{ "a\\h(b)?", "xa\tc", "[a\t][-]" }, { "(?C1)(?=\xc3\xa4)(.)", "\xff\xc3\xa4", "[\xc3\xa4][\xc3\xa4]" }, { "b$", "ab\n", NULL },
	{ "(?:\\((?R)*\\))", "x(())", "[(())]" }, { "(?=a)\\z", "a\n", NULL },
};

/* What RE2 has not. */
static void more_than_re2(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pcre_cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(pcre_cases[i].pattern), REGEX_SEARCH_PCRE, &e);
		struct str s = str_of(pcre_cases[i].subject);
		struct regex_group g[8];
		struct buf got = { 0 };

		if (re == NULL)
			fail_msg("%s: %s", pcre_cases[i].pattern, e.msg);
		if ((regex_find(re, s, 0, g, 8) == REGEX_YES) != (pcre_cases[i].result != NULL))
			fail_msg("/%s/ on \"%s\"", pcre_cases[i].pattern, s.p);
		for (size_t k = 0; pcre_cases[i].result != NULL && k <= regex_group_count(re); k++)
			buf_printf(&got, "[%.*s]", g[k].beg == SIZE_MAX ? 1 : (int)(g[k].end - g[k].beg), g[k].beg == SIZE_MAX ? "-" : s.p + g[k].beg);
		assert_string_equal(buf_z(&got), pcre_cases[i].result != NULL ? pcre_cases[i].result : "");
		buf_fini(&got);
		regex_free(re);
	}
}

/* RE2's meaning where it is RE2's; else PCRE2's names, limits and complaints. */
static void more_than_re2_has_its_bounds(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("(?=a)(?<x>a)(b)?(?P<y>c)"), REGEX_SEARCH_PCRE, &e);
	struct regex_group g[4];
	struct buf out = { 0 };

	(void)state;
	assert_non_null(re);
	assert_int_equal(regex_group_count(re), 3);
	assert_int_equal(regex_group_index(re, STR("y")), 3);
	assert_int_equal(regex_find(re, STR("zac"), 0, g, 4), REGEX_YES);
	regex_expand(re, &out, STR("zac"), g, 4, STR("$y-${x}-$2"));
	assert_string_equal(buf_z(&out), "c-a-");
	buf_fini(&out);
	regex_free(re);
	re = regex_new(STR("(a+)+(a+)+\\2$"), REGEX_SEARCH_PCRE, &e);
	assert_int_equal(regex_find(re, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), 0, g, 1), REGEX_LIMIT);
	regex_free(re);
	assert_null(regex_new(STR("(?=a"), REGEX_SEARCH_PCRE, &e));
	assert_string_equal(e.msg, "missing closing parenthesis");
	assert_int_equal(e.pos, 4);
	assert_null(regex_new(STR("a\\C(?=b)"), REGEX_SEARCH_PCRE, &e));
	assert_null(regex_new(STR("(?=\xff)"), REGEX_SEARCH_PCRE, &e));
	for (int i = 0; i < 20000; i++)
		buf_putz(&out, "(?=a)");
	assert_null(regex_new(buf_str(&out), REGEX_SEARCH_PCRE, &e));
	buf_fini(&out);
}

static void finds_from_an_offset_in_malformed_text(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("(a)."), REGEX_SEARCH, &e);
	struct str s = STR("a\xff\xfe" "a\xff");
	struct regex_group g[2];

	(void)state;
	assert_int_equal(regex_find(re, s, 1, g, 2), REGEX_YES);
	assert_int_equal(g[0].beg, 3);
	assert_int_equal(g[0].end, 5);
	assert_int_equal(g[1].end, 4);
	assert_int_equal(regex_find(re, s, 4, g, 2), REGEX_NO);
	regex_free(re);
}

static const struct {
	const char *pattern, *literals, *prefix;
} shape_cases[] = {
	{ "b|a|b", "a,b", "" }, { "foo", "foo", "foo" }, { "^(?:foo)$", "foo", "foo" }, { "a(b|c)", "ab,ac", "a" }, { "(x|y)(1|2)?", "x,x1,x2,y,y1,y2", "" },
	{ "foo.*", "", "foo" }, { "foo(bar)+", "", "foobar" }, { "foo(bar)*", "", "foo" }, { "(?i)foo", "", "" }, { "(?i)12", "12", "12" },
	{ "fo[ox]", "", "fo" }, { "foo|bar.*", "", "" }, { "a\\.b", "a.b", "a.b" }, { "", "", "" },
};

static void shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shape_cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(shape_cases[i].pattern), REGEX_ANCHORED, &e);
		const struct str *v;
		size_t n = regex_literals(re, &v);
		struct buf got = { 0 };

		for (size_t k = 0; k < n; k++)
			buf_printf(&got, k ? "," STR_FMT : STR_FMT, STR_ARG(v[k]));
		assert_string_equal(buf_z(&got), shape_cases[i].literals);
		assert_string_equal(regex_prefix(re).p, shape_cases[i].prefix);
		buf_fini(&got);
		regex_free(re);
	}
}

static void many_literals_need_no_engine(void **state)
{
	struct buf b = { 0 };
	struct err e = { 0 };
	struct regex *re;
	const struct str *v;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%shost-%d\\.example\\.com", i ? "|" : "", i);
	re = regex_new(buf_str(&b), REGEX_ANCHORED, &e);
	assert_non_null(re);
	assert_int_equal(regex_literals(re, &v), 10000);
	assert_int_equal(regex_match(re, STR("host-9999.example.com")), REGEX_YES);
	assert_int_equal(regex_match(re, STR("host-9999xexample.com")), REGEX_NO);
	regex_free(re);
	buf_fini(&b);
}

/* One way behind another would never end; all at once know the answer, but not the groups. */
static void what_explodes_is_answered(void **state)
{
	static const struct {
		const char *pattern, *text;     /* behind 80 a's */
		enum regex_verdict matches, with_groups;
	} cases[] = {
		{ "(a|aa)+[bc]", "", REGEX_NO, REGEX_NO },
		{ "(a|aa)+[bc]", "c", REGEX_YES, REGEX_YES },
		{ "(a|aa)+[bc]|a+d", "d", REGEX_YES, REGEX_LIMIT },
		{ "(.+)+Q?9|(.*)", "", REGEX_YES, REGEX_LIMIT },
		{ "((a+-?)+)+!?x?ä", "é", REGEX_NO, REGEX_NO },
		{ "(a|aa)+[bc]", "\xff", REGEX_NO, REGEX_NO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct regex *re = regex_new(str_of(cases[i].pattern), REGEX_ANCHORED, &e);
		struct regex_group g[2];
		char text[100];
		struct str s = { text, 80 + strlen(cases[i].text) };

		memset(text, 'a', 80);
		memcpy(text + 80, cases[i].text, s.n - 80);
		for (int turn = 0; turn < 2; turn++) {
			enum regex_verdict matches = regex_match(re, s), found = regex_find(re, s, 0, g, 2);

			if (matches != cases[i].matches || found != cases[i].with_groups)
				fail_msg("%s: %d %d", cases[i].pattern, matches, found);
		}
		regex_free(re);
	}
}

/* All ways at once take their time, too: of a long text nobody waits for them, nor where a match may begin anywhere. */
static void what_explodes_has_its_bounds(void **state)
{
	static char text[100000];
	struct err e = { 0 };
	struct regex *anchored = regex_new(STR("(a|aa)+[bc]"), REGEX_ANCHORED, &e), *search = regex_new(STR("(a|aa)+[bc]"), REGEX_SEARCH, &e);

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(regex_match(anchored, (struct str){ text, 4096 }), REGEX_NO);
	assert_int_equal(regex_match(anchored, (struct str){ text, 4097 }), REGEX_LIMIT);
	assert_int_equal(regex_match(search, (struct str){ text, 80 }), REGEX_LIMIT);
	assert_int_equal(regex_match(search, (struct str){ text, sizeof text }), REGEX_LIMIT);
	regex_free(anchored);
	regex_free(search);
}

static void a_limit_is_an_error(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("(a+)+(a+)+\\2$"), REGEX_SEARCH_PCRE, &e);
	struct matcher m = { .op = MATCH_NRE, .name = STR("path"), .re = re };
	struct label l = { STR("path"), STR_NULL };
	char text[80];

	(void)state;
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 'b';
	l.value = (struct str){ text, sizeof text };
	assert_int_equal(regex_match(re, l.value), REGEX_LIMIT);
	assert_false(matchers_test(&m, 1, (struct labels){ &l, 1 }, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "path"));
	regex_free(re);
}

static void matchers(void **state)
{
	struct err e = { 0 };
	struct regex *re = regex_new(STR("a.*|"), REGEX_ANCHORED, &e);
	const struct {
		enum match_op op;
		const char *value;      /* of the matcher, where it is no regex */
		const char *label;      /* NULL: missing */
		bool want;
	} cases[] = {
		{ MATCH_EQ, "x", "x", true },  { MATCH_EQ, "x", "y", false },  { MATCH_EQ, "", NULL, true },  { MATCH_EQ, "x", NULL, false },
		{ MATCH_NE, "x", "x", false }, { MATCH_NE, "x", NULL, true },  { MATCH_NE, "", NULL, false }, { MATCH_NE, "", "x", true },
		{ MATCH_RE, "", "abc", true }, { MATCH_RE, "", "bc", false },  { MATCH_RE, "", NULL, true },
		{ MATCH_NRE, "", "abc", false }, { MATCH_NRE, "", "b", true }, { MATCH_NRE, "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct matcher m = { cases[i].op, STR("l"), str_of(cases[i].value), re };
		struct label l = { STR("l"), str_of(cases[i].label) };
		bool got = matchers_test(&m, 1, (struct labels){ &l, cases[i].label != NULL }, &e);

		if (got != cases[i].want)
			fail_msg("case %zu", i);
	}
	assert_int_equal(e.code, ERR_NONE);
	regex_free(re);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchored),
		cmocka_unit_test(refused),
		cmocka_unit_test(nesting_is_bounded), cmocka_unit_test(a_quote_ends_in_its_matcher),
		cmocka_unit_test(groups_expand_within_bounds),
		cmocka_unit_test(groups_of_loops_whose_turns_may_be_empty),
		cmocka_unit_test(search),
		cmocka_unit_test(more_than_re2),
		cmocka_unit_test(more_than_re2_has_its_bounds),
		cmocka_unit_test(finds_from_an_offset_in_malformed_text),
		cmocka_unit_test(shapes),
		cmocka_unit_test(many_literals_need_no_engine),
		cmocka_unit_test(what_explodes_is_answered), cmocka_unit_test(what_explodes_has_its_bounds), cmocka_unit_test(a_limit_is_an_error),
		cmocka_unit_test(matchers),
		cmocka_unit_test(long_lists_of_alternatives),
		cmocka_unit_test(a_long_list_elsewhere_names_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
