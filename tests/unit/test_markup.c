/* Texts that are cut: within the limit whatever it is, valid afterwards, and marked. */
#include "tests.h"

#include <string.h>

#include "notify/receivers/markup.h"

struct cut_case {
	const char *text;
	struct markup_limit limit;
	const char *want;
};

#define TAIL " (x)", 4

static void rows(void **state)
{
	static const struct cut_case cases[] = {
		{ "fits", { .max = 4 }, "fits" },
		{ "fits", { .max = 8, .tail = { TAIL } }, "fits (x)" },
		{ "too long", { .max = 5 }, "too …" },
		{ "too long", { .max = 8, .tail = { TAIL } }, "too… (x)" },
		{ "äöü€", { .max = 4 }, "äöü€" },
		{ "äöü€", { .max = 3 }, "äö…" },
		{ "äöü€", { .max = 8, .bytes = true }, "äö…" },
		{ "AT&T; and so on", { .max = 6 }, "AT&T;…" },
		{ "AT&T and so on", { .max = 4 }, "AT&…" },
		{ "line", { .max = 4, .ascii = true }, "line" },
		{ "lines", { .max = 4, .ascii = true }, "l..." },
		{ "<b>bold</b>", { MARKUP_HTML, .max = 11 }, "<b>bold</b>" },
		{ "<b>bold</b>", { MARKUP_HTML, .max = 10 }, "<b>bo</b>…" },
		{ "<b>bold</b>", { MARKUP_HTML, .max = 7 }, "…" },
		{ "a &lt; b &amp; c", { MARKUP_HTML, .max = 8 }, "a &lt; …" },
		{ "a &lt; b &amp; c", { MARKUP_HTML, .max = 6 }, "a …" },
		{ "1 < 2 and <i>3</i>", { MARKUP_HTML, .max = 17 }, "1 < 2 and …" },
		{ "<a href=\"http://x/?a&amp;b\">link</a> and", { MARKUP_HTML, .max = 38 }, "<a href=\"http://x/?a&amp;b\">link</a> …" },
		{ "<a href=\"http://x/?a&amp;b\">link</a> and", { MARKUP_HTML, .max = 34 }, "<a href=\"http://x/?a&amp;b\">l</a>…" },
		{ "<tg-spoiler>a<br>b</tg-spoiler>", { MARKUP_HTML, .max = 30 }, "<tg-spoiler>a</tg-spoiler>…" },
		{ "a\\_b\\_c", { MARKUP_MARKDOWN, .max = 5 }, "a\\_b…" },
		{ "a\\_b\\_c", { MARKUP_MARKDOWN, .max = 3 }, "a…" },
		{ "*bold _both_*", { MARKUP_MARKDOWN, .max = 11 }, "*bold _b_*…" },
		{ "see [it](http://x/_y_) now", { MARKUP_MARKDOWN, .max = 24 }, "see [it](http://x/_y_) …" },
		{ "see [it](http://x/_y_) now", { MARKUP_MARKDOWN, .max = 20 }, "see …" },
		{ "```\na_b*c\n``` end", { MARKUP_MARKDOWN, .max = 12 }, "```\na_b*```…" },
		{ "see <http://x/|it> now", { MARKUP_SLACK, .max = 20 }, "see <http://x/|it> …" },
		{ "see <http://x/|it> now", { MARKUP_SLACK, .max = 15 }, "see …" },
		{ "a &lt; b", { MARKUP_SLACK, .max = 5 }, "a …" },
	};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct str got = markup_cut(&a, str_of(cases[i].text), &cases[i].limit);

		if (!str_eq(got, str_of(cases[i].want))) {
			print_error("%s in %zu: want \"%s\", got \"" STR_FMT "\"\n", cases[i].text, cases[i].limit.max, cases[i].want, STR_ARG(got));
			bad++;
		}
		arena_fini(&a);
	}
	assert_int_equal(bad, 0);
}

static size_t characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* As an XML parser would see it: every tag is closed by its own, every & is an entity. */
static bool is_well_formed(struct str s)
{
	struct str open[8] = { { 0 } };
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		struct str rest = { s.p + i, s.n - i };
		size_t end = str_chr(rest, s.p[i] == '&' ? ';' : '>');

		if (s.p[i] != '<' && s.p[i] != '&')
			continue;
		if (end >= rest.n)
			return false;
		i += end;
		if (rest.p[0] == '&')
			continue;
		if (rest.p[1] != '/')
			open[n++] = (struct str){ rest.p + 1, strcspn(rest.p + 1, " >") };
		else if (n == 0 || !str_eq(open[--n], (struct str){ rest.p + 2, end - 2 }))
			return false;
	}
	return n == 0;
}

static void every_limit(void **state)
{
	static const char html[] = "<b>Down &amp; out: <i>a&lt;b&gt;</i></b>\nsince ever <code>x{y=\"ü\"} &gt; 1</code>\n"
				   "<a href=\"http://x/?q=1&amp;r=2\">So<b>ur</b>ce</a> &#39;…&#39; <pre>last</pre>";
	const struct str text = str_of(html), tail = STR(" (possible repeat)");

	(void)state;
	assert_true(is_well_formed(text));
	for (size_t max = 30; max < text.n + tail.n; max++) {
		struct arena a = { 0 };
		struct str got = markup_cut(&a, text, &(struct markup_limit){ MARKUP_HTML, .max = max, .tail = tail });

		if (characters(got) > max || !is_well_formed(got) || !str_ends(got, tail) || !str_is_utf8(got))
			fail_msg("%zu: " STR_FMT, max, STR_ARG(got));
		assert_true((characters(text) + tail.n > max) == (str_find(got, STR("… (possible")) < got.n));
		arena_fini(&a);
	}
}

static void plain(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_string_equal(markup_plain(&a, STR("<b>a</b> &lt; b<br>1 < 2 &amp;amp; <a href=\"x\">l</a>&unknown; &#39;q&#34;")).p,
			    "a < b\n1 < 2 &amp; l&unknown; 'q\"");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(every_limit),
		cmocka_unit_test(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
