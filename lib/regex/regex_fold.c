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

/* Calls <put> for each character of <all> that the class matches. */
static void each_member(struct str class, struct str all, void (*put)(struct buf *, struct str character), struct buf *out)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	int code;
	pcre2_code *re = regex_program(class, &code);
	size_t at = 0;

	if (re == NULL || m == NULL)
		mem_abort(0);
	while (pcre2_match(re, (PCRE2_SPTR)all.p, all.n, at, PCRE2_NO_UTF_CHECK, m, NULL) > 0) {
		const size_t *found = pcre2_get_ovector_pointer(m);

		put(out, (struct str){ all.p + found[0], found[1] - found[0] });
		at = found[1];
	}
	pcre2_match_data_free(m);
	pcre2_code_free(re);
}

static void put_text(struct buf *out, struct str character)
{
	buf_puts(out, character);
}

static void put_number(struct buf *out, struct str character)
{
	uint32_t c = str_utf8_rune(character);

	buf_put(out, (const char *)&c, sizeof c);
}

static uint32_t number_at(const struct buf *numbers, size_t i)
{
	uint32_t c;

	memcpy(&c, buf_str(numbers).p + i * sizeof c, sizeof c);
	return c;
}

/* The characters as ranges, and between them those that are not there. */
static void put_ranges(const struct buf *numbers, struct buf *members, struct buf *others)
{
	uint32_t next = 0;

	for (size_t i = 0, last; i < numbers->n / sizeof next; i = last + 1) {
		uint32_t from = number_at(numbers, i), to;

		for (last = i; last + 1 < numbers->n / sizeof next && number_at(numbers, last + 1) == number_at(numbers, last) + 1;)
			last++;
		to = number_at(numbers, last);
		put_range(members, from, to);
		if (from > next)
			put_range(others, next, from - 1);
		next = to + 1;
	}
	put_range(others, next, LAST);
}

static void load_category(struct category *c, struct str some)
{
	struct buf class = { 0 }, numbers = { 0 }, folded = { 0 }, ignored = { 0 };

	buf_printf(&class, "\\p{%s}", c->name);
	each_member(buf_str(&class), some, put_number, &numbers);
	buf_putz(&folded, "(?i:[");
	put_ranges(&numbers, &folded, &ignored);
	buf_putz(&folded, "])");
	numbers.n = 0;
	each_member(buf_str(&folded), some, put_number, &numbers);
	put_ranges(&numbers, &c->members, &c->others);
	buf_fini(&class);
	buf_fini(&numbers);
	buf_fini(&folded);
	buf_fini(&ignored);
}

static void load(void)
{
	struct buf all = { 0 }, some = { 0 };

	put_all_characters(&all);
	/* what has a case at all: letters, one mark, Roman numerals, letters in circles */
	each_member(STR("[\\p{L&}\\p{M}\\p{Nl}\\p{So}]"), buf_str(&all), put_text, &some);
	for (size_t i = 0; i < ARRAY_LEN(categories); i++)
		load_category(&categories[i], buf_str(&some));
	buf_fini(&all);
	buf_fini(&some);
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
