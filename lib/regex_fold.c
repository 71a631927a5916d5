/* (?i)\p{Lu} and its like. RE2 takes the letters of the category and those that fold to one of them: 'a', but not the dotless i,
 * which folds to nothing. PCRE2 takes every cased letter. So the letters are asked for, one after the other, the first time
 * somebody wants them, and written down as ranges. */
#include <pthread.h>

#include "regex_ast.h"
#include "regex_private.h"
#include "tocsin/mem.h"

static struct category {
	const char *name;
	struct buf members, others;     /* ranges, never freed */
} categories[] = { { .name = "Lu" }, { .name = "Ll" }, { .name = "Lt" } };

static pthread_once_t once = PTHREAD_ONCE_INIT;

enum { LAST = 0x10ffff };

static void put_range(struct buf *out, uint32_t from, uint32_t to)
{
	if (from <= to)
		buf_printf(out, "\\x{%x}-\\x{%x}", from, to);
}

static void put_all_characters(struct buf *out)
{
	char utf8[4];

	for (uint32_t c = 0; c <= LAST; c++)
		if (c < 0xd800 || c > 0xdfff)
			buf_put(out, utf8, str_utf8_put(utf8, c));
}

static uint32_t rune_before(struct str all, size_t end)
{
	size_t at = end - 1;

	while (((unsigned char)all.p[at] & 0xc0) == 0x80)
		at--;
	return str_utf8_rune((struct str){ all.p + at, end - at });
}

/* The characters of <all> that <one> matches, as ranges, and those that it does not. */
static void sort_out(struct str one, struct str all, struct buf *members, struct buf *others)
{
	struct buf run = { 0 };
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	pcre2_code *re;
	uint32_t next = 0;
	size_t at = 0;
	int code;

	buf_printf(&run, STR_FMT "+", STR_ARG(one));
	re = regex_program(buf_str(&run), &code);
	if (re == NULL || m == NULL)
		mem_abort(0);
	while (pcre2_match(re, (PCRE2_SPTR)all.p, all.n, at, PCRE2_NO_UTF_CHECK, m, NULL) > 0) {
		const size_t *found = pcre2_get_ovector_pointer(m);
		uint32_t from = str_utf8_rune((struct str){ all.p + found[0], found[1] - found[0] }), to = rune_before(all, found[1]);

		put_range(members, from, to);
		if (from > next)
			put_range(others, next, from - 1);
		next = to + 1;
		at = found[1];
	}
	put_range(others, next, LAST);
	pcre2_match_data_free(m);
	pcre2_code_free(re);
	buf_fini(&run);
}

static void load(void)
{
	struct buf all = { 0 };

	put_all_characters(&all);
	for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
		struct buf plain = { 0 }, folded = { 0 }, ignored = { 0 };

		buf_printf(&plain, "\\p{%s}", categories[i].name);
		buf_putz(&folded, "(?i:[");
		sort_out(buf_str(&plain), buf_str(&all), &folded, &ignored);
		buf_putz(&folded, "])");
		sort_out(buf_str(&folded), buf_str(&all), &categories[i].members, &categories[i].others);
		buf_fini(&plain);
		buf_fini(&folded);
		buf_fini(&ignored);
	}
	buf_fini(&all);
}

struct str regex_folded_category(struct str name, bool negated)
{
	for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
		if (!str_eq(str_of(categories[i].name), name))
			continue;
		pthread_once(&once, load);
		return buf_str(negated ? &categories[i].others : &categories[i].members);
	}
	return (struct str){ 0 };
}
