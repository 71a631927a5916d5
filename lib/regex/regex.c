/* Compiles the tree of regex_parse.c for PCRE2 and matches. Shapes that need no engine (literals, "x.*", ".*") are recognised and
 * matched directly. PCRE2 compiles no more than 64 KB into one program: a longer list of alternatives, such as dashboards make of
 * all hosts, is several.
 * Subjects: PCRE2 wants valid UTF-8; where one is not, each bad byte is handed over as U+FFFD, as Go reads it. */
#include "regex_private.h"

#include <assert.h>
#include <stdlib.h>

#include "regex_ast.h"
#include "tocsin/mem.h"

enum {
	MATCH_LIMIT = REGEX_MATCH_LIMIT,
	DEPTH_LIMIT = 250 * 1000,
	HEAP_LIMIT_KB = 20 * 1024,
	TOO_LARGE = 120,                /* PCRE2's code for it */
	NEST_LIMIT = 5000,              /* of the emitted pattern; the tree is at most REGEX_MAX_HEIGHT high */
	LITERALS_PRODUCT = 1000,        /* of alternations in a row: (a|b)(c|d) is four */
	LITERALS_BYTES = 1024 * 1024,
};

static bool is_search(const struct regex *re)
{
	return re->mode == REGEX_SEARCH || re->mode == REGEX_SEARCH_PCRE;
}

static struct str heap_str(struct str s)
{
	return (struct str){ mem_strndup(s.p, s.n), s.n };
}

static void free_str(struct str s)
{
	char *p;

	memcpy(&p, &s.p, sizeof p);
	free(p);
}

/* ---- Compiling. ---- */

static pcre2_compile_context *compile_context(void)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);

	if (c == NULL)
		mem_abort(0);
	pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	pcre2_set_parens_nest_limit(c, NEST_LIMIT);
	return c;
}

/* Refused: <code>, and <at> where. */
static pcre2_code *compile_at(struct str pattern, uint32_t more, int *code, PCRE2_SIZE *at)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | more;
	pcre2_compile_context *c = compile_context();
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, code, at, c);

	pcre2_compile_context_free(c);
	return re;
}

pcre2_code *regex_program(struct str pattern, int *code)
{
	PCRE2_SIZE at;

	return compile_at(pattern, PCRE2_NO_UTF_CHECK, code, &at);
}

bool regex_script_exists(struct str name)
{
	struct buf b = { 0 };
	pcre2_code *re;
	int code;

	buf_printf(&b, "\\p{sc:" STR_FMT "}", STR_ARG(name));
	re = regex_program(buf_str(&b), &code);
	buf_fini(&b);
	pcre2_code_free(re);
	return re != NULL;
}

static size_t count_groups(const struct re_node *n)
{
	size_t count = n->kind == RE_CAPTURE;

	for (n = n->first; n != NULL; n = n->next)
		count += count_groups(n);
	return count;
}

/* Takes <code> and <numbers> over. */
static void take_program(struct regex *re, pcre2_code *code, size_t n_skipped, size_t *numbers, size_t n_groups)
{
	re->programs = mem_grow(re->programs, &re->cap_programs, re->n_programs + 1, sizeof *re->programs);
	re->programs[re->n_programs++] = (struct program){ code, pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0, n_skipped, numbers,
	    n_groups, false };
}

/* Compiles <out> and takes its numbers over; false with <code> where PCRE2 refuses it. */
static bool add_program(struct regex *re, struct regex_out *out, size_t n_skipped, int *code)
{
	pcre2_code *compiled = regex_program(buf_str(&out->text), code);

	buf_fini(&out->text);
	if (compiled == NULL) {
		free(out->numbers);
		return false;
	}
	take_program(re, compiled, n_skipped, out->numbers, out->n_read);
	return true;
}

/* Groups around the alternatives. */
static void open_outer(struct regex_out *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_putc(&out->text, '(');
		out->numbers = mem_grow(out->numbers, &out->cap_read, out->n_read + 1, sizeof *out->numbers);
		out->numbers[out->n_read++] = ++out->n_emitted;
	}
}

static bool not_compiled(int code, struct err *e)
{
	char why[160];

	if (code == TOO_LARGE)
		return err_set(e, ERR_LIMIT, 0, "the expression needs more than the limit regex_program=65535 bytes compiled");
	pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
	return err_set(e, ERR_LIMIT, 0, "the expression cannot be compiled: %s", why);
}

/* <n> alternatives from <first> on, in <re>->n_outer groups; halves of them where they are too many for one program. */
static bool compile_some(struct regex *re, const struct re_node *first, size_t n, size_t n_skipped, struct err *e)
{
	const struct re_node *middle = first;
	struct regex_out out = { .wants_groups = re->mode != REGEX_MATCHER };
	size_t n_groups = n_skipped, half = 0;
	int code;

	buf_putz(&out.text, "\\A(?:");
	open_outer(&out, re->n_outer);
	for (size_t i = 0; i < n; i++, middle = middle->next) {
		buf_putz(&out.text, i > 0 ? "|" : "");
		regex_emit(&out, middle);
	}
	for (size_t i = 0; i < re->n_outer; i++)
		buf_putc(&out.text, ')');
	buf_putz(&out.text, ")\\z");
	if (add_program(re, &out, n_skipped, &code))
		return true;
	if (code != TOO_LARGE || n < 2)
		return not_compiled(code, e);
	for (middle = first; half < n / 2; half++, middle = middle->next)
		n_groups += count_groups(middle);
	return compile_some(re, first, half, n_skipped, e) && compile_some(re, middle, n - half, n_groups, e);
}

/* The alternatives an anchored pattern is made of, maybe in groups; NULL: it is made otherwise. */
static const struct re_node *alternatives(struct regex *re, const struct re_node *tree, size_t *n)
{
	size_t outer = 0;

	for (; tree->kind == RE_CAPTURE && tree->first != NULL && tree->first->next == NULL; tree = tree->first)
		outer++;
	if (tree->kind != RE_ALTERNATE)
		return NULL;
	*n = 0;
	for (const struct re_node *c = tree->first; c != NULL; c = c->next)
		++*n;
	re->n_outer = outer;
	return tree->first;
}

static bool compile_whole(struct regex *re, const struct re_node *tree, int *code)
{
	struct regex_out out = { .wants_groups = re->mode != REGEX_MATCHER };

	buf_putz(&out.text, !is_search(re) ? "\\A(?:" : "");
	regex_emit(&out, tree);
	buf_putz(&out.text, !is_search(re) ? ")\\z" : "");
	return add_program(re, &out, 0, code);
}

/* At the end of a turn of a loop (regex_emit.c): an empty one may only be the first, since PCRE2 takes none behind an empty one. */
static int check_turn(pcre2_callout_block *at, void *unused)
{
	const size_t *loop = &at->offset_vector[2 * at->callout_number], *turn = loop + 2;

	(void)unused;
	return *turn == at->current_position && *turn != *loop;
}

static void set_limits(struct regex *re)
{
	re->limits = pcre2_match_context_create(NULL);
	if (re->limits == NULL)
		mem_abort(0);
	pcre2_set_match_limit(re->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KB);
}

static bool compile_tree(struct regex *re, const struct re_node *tree, struct err *e)
{
	const struct re_node *first = NULL;
	size_t n;
	int code;

	set_limits(re);
	pcre2_set_callout(re->limits, check_turn, NULL);
	if (compile_whole(re, tree, &code))
		return true;
	if (code == TOO_LARGE && !is_search(re))
		first = alternatives(re, tree, &n);
	return first != NULL ? compile_some(re, first, n, 0, e) : not_compiled(code, e);
}

/* ---- Shapes that need no engine. ---- */

struct texts {
	struct str *v;
	size_t n, cap, bytes;
};

static bool add_text(struct arena *a, struct texts *t, struct str s)
{
	t->v = arena_grow(a, t->v, t->n, &t->cap, t->n + 1, sizeof *t->v);
	t->v[t->n++] = s;
	t->bytes += s.n;
	return t->bytes <= LITERALS_BYTES;
}

static bool expand(struct arena *a, const struct re_node *n, struct texts *out);

static struct str join(struct arena *a, struct str left, struct str right)
{
	char *p = arena_alloc_raw(a, left.n + right.n + 1);

	if (left.n > 0)
		memcpy(p, left.p, left.n);
	if (right.n > 0)
		memcpy(p + left.n, right.p, right.n);
	p[left.n + right.n] = '\0';
	return (struct str){ p, left.n + right.n };
}

static bool expand_product(struct arena *a, struct texts *left, const struct texts *right)
{
	struct texts all = { 0 };

	if (right->n == 0 || left->n > LITERALS_PRODUCT / right->n)
		return false;
	for (size_t i = 0; i < left->n; i++)
		for (size_t k = 0; k < right->n; k++)
			if (!add_text(a, &all, join(a, left->v[i], right->v[k])))
				return false;
	*left = all;
	return true;
}

/* Runs of single characters are joined first, so that a long literal is copied once. */
static bool expand_concat(struct arena *a, const struct re_node *n, struct texts *out)
{
	struct texts all = { 0 };

	add_text(a, &all, STR(""));
	for (const struct re_node *c = n->first; c != NULL;) {
		struct texts one = { 0 };
		struct buf run = { 0 };

		for (; c != NULL && c->kind == RE_LITERAL && !c->fold; c = c->next)
			buf_puts(&run, c->text);
		if (run.n > 0) {
			add_text(a, &one, arena_str(a, buf_str(&run)));
		} else if (!expand(a, c, &one)) {
			return false;
		} else {
			c = c->next;
		}
		buf_fini(&run);
		if (!expand_product(a, &all, &one))
			return false;
	}
	for (size_t i = 0; i < all.n; i++)
		if (!add_text(a, out, all.v[i]))
			return false;
	return true;
}

/* Adds every string <n> stands for; false when it is not just literals, or too many. */
static bool expand(struct arena *a, const struct re_node *n, struct texts *out)
{
	switch (n->kind) {
	case RE_EMPTY:
		return add_text(a, out, STR(""));
	case RE_LITERAL:
		return !n->fold && add_text(a, out, n->text);
	case RE_CAPTURE:
		return expand(a, n->first, out);
	case RE_CONCAT:
		return expand_concat(a, n, out);
	case RE_ALTERNATE:
		for (n = n->first; n != NULL; n = n->next)
			if (!expand(a, n, out))
				return false;
		return true;
	case RE_REPEAT:
		return n->min == 0 && n->max == 1 && add_text(a, out, STR("")) && expand(a, n->first, out);
	case RE_ANY: case RE_ANY_IN_LINE: case RE_CLASS: case RE_LINE_BEGIN: case RE_LINE_END: case RE_TEXT_BEGIN: case RE_TEXT_END:
	case RE_WORD_EDGE: case RE_NO_WORD_EDGE:
		return false;
	}
	abort();
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* A bad byte of a subject counts as U+FFFD, which comparing bytes would not see. */
static bool has_replacement(struct str s)
{
	return str_find(s, STR("\xef\xbf\xbd")) < s.n;
}

static bool find_literals(struct regex *re, const struct re_node *tree, struct arena *tmp)
{
	struct texts all = { 0 };
	struct buf joined = { 0 };
	const char *p;

	if (!expand(tmp, tree, &all))
		return false;
	for (size_t i = 0; i < all.n; i++)
		if (has_replacement(all.v[i]))
			return false;
	qsort(all.v, all.n, sizeof *all.v, by_bytes);
	re->literals = mem_alloc(all.n * sizeof *all.v);
	for (size_t i = 0; i < all.n; i++) {
		if (i > 0 && str_eq(all.v[i - 1], all.v[i]))
			continue;
		re->literals[re->n_literals++] = all.v[i];
		buf_puts(&joined, all.v[i]);
	}
	re->literal = heap_str(buf_str(&joined));
	buf_fini(&joined);
	p = re->literal.p;
	for (size_t i = 0; i < re->n_literals; p += re->literals[i++].n)
		re->literals[i].p = p;
	re->fast = FAST_LITERALS;
	return true;
}

/* ".*" and ".+" over any character, maybe in parentheses. */
static enum wild wild_of(const struct re_node *n)
{
	while (n->kind == RE_CAPTURE)
		n = n->first;
	if (n->kind != RE_REPEAT || n->first->kind != RE_ANY || n->max >= 0 || n->min > 1)
		return WILD_NONE;
	return n->min == 0 ? WILD_ANY : WILD_SOME;
}

/* [.*] literal [.*] */
static bool find_around(struct regex *re, const struct re_node *tree)
{
	const struct re_node *n = tree->kind == RE_CONCAT ? tree->first : tree;
	enum wild left = wild_of(n), right = WILD_NONE;
	struct buf run = { 0 };

	if (left != WILD_NONE)
		n = tree->kind == RE_CONCAT ? n->next : NULL;
	for (; n != NULL && n->kind == RE_LITERAL && !n->fold; n = tree->kind == RE_CONCAT ? n->next : NULL)
		buf_puts(&run, n->text);
	if (n != NULL && run.n > 0) {
		right = wild_of(n);
		n = right != WILD_NONE ? n->next : n;
	}
	if (n == NULL && !has_replacement(buf_str(&run))) {
		re->fast = FAST_AROUND;
		re->left = left;
		re->right = right;
		re->literal = heap_str(buf_str(&run));
	}
	buf_fini(&run);
	return re->fast == FAST_AROUND;
}

/* The text every match begins with; false where it ends before <n> does. */
static bool take_prefix(struct buf *out, const struct re_node *n)
{
	if (n->kind == RE_LITERAL && !n->fold) {
		buf_puts(out, n->text);
		return true;
	}
	if (n->kind == RE_CAPTURE)
		return take_prefix(out, n->first);
	if (n->kind == RE_REPEAT && n->min > 0)
		take_prefix(out, n->first);
	if (n->kind == RE_CONCAT) {
		for (n = n->first; n != NULL; n = n->next)
			if (!take_prefix(out, n))
				return false;
		return true;
	}
	return n->kind == RE_EMPTY;
}

static void find_prefix(struct regex *re, const struct re_node *tree)
{
	struct buf out = { 0 };
	struct str prefix;

	take_prefix(&out, tree);
	prefix = buf_str(&out);
	prefix.n = str_find(prefix, STR("\xef\xbf\xbd"));
	re->prefix = heap_str(prefix);
	buf_fini(&out);
}

/* ^ and $ around an anchored pattern add nothing. */
static struct re_node *strip_anchors(struct re_node *tree)
{
	struct re_node **last;

	if (tree->kind != RE_CONCAT)
		return tree;
	while (tree->first != NULL && tree->first->kind == RE_TEXT_BEGIN)
		tree->first = tree->first->next;
	for (last = &tree->first; *last != NULL && (*last)->next != NULL;)
		last = &(*last)->next;
	if (*last != NULL && (*last)->kind == RE_TEXT_END)
		*last = NULL;
	if (tree->first == NULL)
		tree->kind = RE_EMPTY;
	return tree->first != NULL && tree->first->next == NULL ? tree->first : tree;
}

/* ---- Making one. ---- */

/* In the order of their opening parentheses. */
static void name_groups(struct regex *re, const struct re_node *n)
{
	if (n->kind == RE_CAPTURE)
		re->names[++re->n_groups] = n->text;
	for (n = n->first; n != NULL; n = n->next)
		name_groups(re, n);
}

/* The names PCRE2 has for its groups. They live as long as the code. */
static void name_pcre_groups(struct regex *re, const pcre2_code *code)
{
	uint32_t n, count, entry;
	PCRE2_SPTR table;

	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n);
	pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry);
	pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
	re->n_groups = n;
	re->names = mem_alloc((n + 1) * sizeof *re->names);
	for (; count > 0; count--, table += entry)
		re->names[table[0] << 8 | table[1]] = str_of((const char *)table + 2);
}

/* What is none of RE2's patterns. <e> holds what RE2 would say, which stays where PCRE2 refuses it for another reason than an extra
 * of its own. */
static bool build_pcre(struct regex *re, struct err *e)
{
	size_t *numbers, at = 0;
	pcre2_code *code;
	char why[160];
	int error;

	code = compile_at(re->pattern, 0, &error, &at);
	if (code == NULL) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
		if (strstr(e->msg, "part of RE2") == NULL)
			return false;
		*e = (struct err){ 0 };
		return err_set(e, ERR_SYNTAX, (int)at, "%s", why);
	}
	*e = (struct err){ 0 };
	set_limits(re);
	name_pcre_groups(re, code);
	numbers = mem_alloc((re->n_groups + 1) * sizeof *numbers);
	for (size_t i = 0; i < re->n_groups; i++)
		numbers[i] = i + 1;
	take_program(re, code, 0, numbers, re->n_groups);
	return true;
}

static bool build(struct regex *re, struct arena *tmp, struct err *e)
{
	struct re_node *tree = regex_parse(tmp, re->pattern, !is_search(re), e);

	if (tree == NULL)
		return re->mode == REGEX_SEARCH_PCRE && e->code == ERR_SYNTAX && build_pcre(re, e);
	re->names = mem_alloc((count_groups(tree) + 1) * sizeof *re->names);
	name_groups(re, tree);
	if (!is_search(re)) {
		tree = strip_anchors(tree);
		if (!find_literals(re, tree, tmp))
			find_around(re, tree);
	}
	find_prefix(re, tree);
	return (re->fast != FAST_NONE && (re->n_groups == 0 || re->mode == REGEX_MATCHER)) || compile_tree(re, tree, e);
}

struct regex *regex_new(struct str pattern, enum regex_mode mode, struct err *e)
{
	struct regex *re = mem_alloc(sizeof *re);
	struct arena tmp = { 0 };
	bool ok;

	re->mode = mode;
	re->pattern = heap_str(pattern);
	ok = build(re, &tmp, e);
	arena_fini(&tmp);
	if (ok)
		return re;
	regex_free(re);
	return NULL;
}

size_t regex_bytes(const struct regex *re)
{
	size_t bytes = sizeof *re + re->pattern.n + re->prefix.n + re->literal.n + re->n_literals * sizeof *re->literals;

	for (size_t i = 0; i < re->n_programs; i++) {
		size_t code = 0, jit = 0;

		pcre2_pattern_info(re->programs[i].code, PCRE2_INFO_SIZE, &code);
		pcre2_pattern_info(re->programs[i].code, PCRE2_INFO_JITSIZE, &jit);
		bytes += sizeof *re->programs + code + jit;
	}
	return bytes;
}

void regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	for (size_t i = 0; i < re->n_programs; i++) {
		pcre2_code_free(re->programs[i].code);
		free(re->programs[i].numbers);
	}
	free(re->programs);
	pcre2_match_context_free(re->limits);
	free_str(re->pattern);
	free_str(re->prefix);
	free_str(re->literal);
	free(re->literals);
	free(re->names);
	free(re);
}

struct str regex_pattern(const struct regex *re)
{
	return re->pattern;
}

size_t regex_literals(const struct regex *re, const struct str **out)
{
	*out = re->literals;
	return re->n_literals;
}

struct str regex_prefix(const struct regex *re)
{
	return re->prefix;
}

size_t regex_group_count(const struct regex *re)
{
	return re->n_groups;
}

int regex_group_index(const struct regex *re, struct str name)
{
	for (size_t i = 1; i <= re->n_groups; i++)
		if (name.n > 0 && str_eq(re->names[i], name))
			return (int)i;
	return -1;
}

/* ---- Matching. ---- */

static bool match_around(const struct regex *re, struct str s)
{
	size_t before = re->left == WILD_SOME, behind = re->right == WILD_SOME;
	struct str lit = re->literal;

	if (s.n < before + lit.n + behind)
		return false;
	if (re->left == WILD_NONE)
		return str_starts(s, lit) && (re->right != WILD_NONE || s.n == lit.n);
	if (re->right == WILD_NONE)
		return str_ends(s, lit);
	s = (struct str){ s.p + before, s.n - before - behind };
	return lit.n == 0 || str_find(s, lit) < s.n;
}

static bool match_fast(const struct regex *re, struct str s)
{
	if (re->fast == FAST_AROUND)
		return match_around(re, s);
	if (re->n_literals == 1)
		return str_eq(re->literals[0], s);
	return bsearch(&s, re->literals, re->n_literals, sizeof s, by_bytes) != NULL;
}

static enum regex_verdict run(const struct regex *re, const struct program *program, struct str s, size_t from,
    pcre2_match_data *data)
{
	PCRE2_SPTR p = (PCRE2_SPTR)(s.n > 0 ? s.p : "");
	int rc = PCRE2_ERROR_JIT_STACKLIMIT;

	if (program->jit)
		rc = pcre2_jit_match(program->code, p, s.n, from, 0, data, re->limits);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(program->code, p, s.n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, re->limits);
	if (rc == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	if (rc >= 0)
		return REGEX_YES;
	if (rc == PCRE2_ERROR_NOMEMORY)
		mem_abort(0);
	assert(rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
	    rc == PCRE2_ERROR_RECURSELOOP);
	return REGEX_LIMIT;
}

/* Whether there is a match, by all ways at once, of a text that is not too long, with a pattern that says where it begins: for each byte every way is
 * compared with every other. It knows no groups. */
static enum regex_verdict run_broad(const struct regex *re, const struct program *program, struct str s, size_t from, pcre2_match_data *data)
{
	enum { WAYS = 2048, TEXT_BYTES = 4096 }; /* some 300 ways: a few tenths of a second at the worst */
	int ways[WAYS], rc;

	if (is_search(re) || s.n > TEXT_BYTES)
		return REGEX_LIMIT;
	rc = pcre2_dfa_match(program->code, (PCRE2_SPTR)(s.n > 0 ? s.p : ""), s.n, from, PCRE2_NO_UTF_CHECK | PCRE2_DFA_SHORTEST, data, re->limits, ways,
	    WAYS);
	return rc >= 0 ? REGEX_YES : rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

/* One step behind another, as long as that is not too many; from then on the broad way is asked first. */
static enum regex_verdict run_bounded(const struct regex *re, struct program *program, struct str s, size_t from, pcre2_match_data *data, bool groups)
{
	enum regex_verdict verdict = REGEX_LIMIT;
	bool explodes = atomic_load_explicit(&program->explodes, memory_order_relaxed);

	if (!explodes)
		verdict = run(re, program, s, from, data);
	if (verdict != REGEX_LIMIT)
		return verdict;
	atomic_store_explicit(&program->explodes, true, memory_order_relaxed);
	verdict = run_broad(re, program, s, from, data);
	if (verdict == REGEX_NO || (verdict == REGEX_YES && !groups))
		return verdict;
	return explodes ? run(re, program, s, from, data) : REGEX_LIMIT;
}

/* <at> bytes into the text that buf_put_utf8 makes of <s>, as bytes into <s>, or the other way round. */
static size_t translate(struct str s, size_t at, bool to_raw)
{
	size_t raw = 0, clean = 0;

	while (raw < s.n && (to_raw ? clean : raw) < at) {
		size_t len = str_utf8_len((struct str){ s.p + raw, s.n - raw });

		raw += len ? len : 1;
		clean += len ? len : 3;
	}
	return to_raw ? raw : clean;
}

/* What PCRE2 calls group <i> of the pattern in <program>; SIZE_MAX: it is in another one. */
static size_t group_in(const struct regex *re, const struct program *program, size_t i)
{
	if (i > re->n_outer) {
		if (i <= re->n_outer + program->n_skipped)
			return SIZE_MAX;
		i -= program->n_skipped;
	}
	if (i > program->n_groups)
		return SIZE_MAX;
	return i > 0 ? program->numbers[i - 1] : 0;
}

static void read_groups(const struct regex *re, const struct program *program, pcre2_match_data *data,
    struct regex_group *groups, size_t n,
                        const struct str *raw)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
	uint32_t have = pcre2_get_ovector_count(data);

	for (size_t i = 0; i < n; i++) {
		size_t k = group_in(re, program, i);

		if (k >= have || at[2 * k] == PCRE2_UNSET)
			groups[i] = (struct regex_group){ SIZE_MAX, SIZE_MAX };
		else if (raw == NULL)
			groups[i] = (struct regex_group){ at[2 * k], at[2 * k + 1] };
		else
			groups[i] = (struct regex_group){ translate(*raw, at[2 * k], true), translate(*raw, at[2 * k + 1], true) };
	}
}

static enum regex_verdict run_program(const struct regex *re, struct program *p, struct str s, size_t from,
    struct regex_group *groups,
                                      size_t n)
{
	pcre2_match_data *data = n == 0 ? pcre2_match_data_create(1, NULL) : pcre2_match_data_create_from_pattern(p->code, NULL);
	struct buf clean = { 0 };
	enum regex_verdict verdict;

	if (data == NULL)
		mem_abort(0);
	if (str_is_utf8(s)) {
		verdict = run_bounded(re, p, s, from, data, n > 0);
		if (verdict == REGEX_YES)
			read_groups(re, p, data, groups, n, NULL);
	} else {
		buf_put_utf8(&clean, s);
		verdict = run_bounded(re, p, buf_str(&clean), translate(s, from, false), data, n > 0);
		if (verdict == REGEX_YES)
			read_groups(re, p, data, groups, n, &s);
		buf_fini(&clean);
	}
	pcre2_match_data_free(data);
	return verdict;
}

static enum regex_verdict run_engine(const struct regex *re, struct str s, size_t from, struct regex_group *groups, size_t n)
{
	enum regex_verdict verdict = REGEX_NO;

	assert(re->n_programs > 0);
	for (size_t i = 0; i < re->n_programs && verdict == REGEX_NO; i++)
		verdict = run_program(re, &re->programs[i], s, from, groups, n);
	return verdict;
}

enum regex_verdict regex_match(const struct regex *re, struct str s)
{
	if (re->fast != FAST_NONE)
		return match_fast(re, s) ? REGEX_YES : REGEX_NO;
	return run_engine(re, s, 0, NULL, 0);
}

enum regex_verdict regex_find(const struct regex *re, struct str s, size_t from, struct regex_group *groups, size_t n)
{
	if (from > s.n)
		return REGEX_NO;
	if (re->n_programs > 0)
		return run_engine(re, s, from, groups, n);
	if (from > 0 || !match_fast(re, s))
		return REGEX_NO;
	for (size_t i = 0; i < n; i++)
		groups[i] = i == 0 ? (struct regex_group){ 0, s.n } : (struct regex_group){ SIZE_MAX, SIZE_MAX };
	return REGEX_YES;
}
