/* Reads a pattern of RE2's language (as Go's regexp/syntax takes it) into a tree. Everything outside that language ends here
 * with a position and a reason, so that no construct of PCRE2's own reaches the compiler.
 * Grammar: alternate = concat { "|" concat };  concat = { item [ repeat ] };  repeat = ("*" | "+" | "?" | "{n,m}") [ "?" ]. */
#include <assert.h>
#include <stdlib.h>

#include "regex_ast.h"
#include "tocsin/buf.h"
#include "tocsin/mem.h"

enum { FLAG_I = 1, FLAG_M = 2, FLAG_S = 4, FLAG_U = 8 };

struct parser {
	struct arena *arena;
	struct err *e;
	struct str s;
	size_t at;
	unsigned flags;
	int depth;
	struct buf names;       /* of capture groups, a newline behind each */
};

static struct re_node *parse_alternate(struct parser *p);

/* Reading ends here: everything after sees the end of the pattern. */
static bool fail(struct parser *p, size_t at, const char *what)
{
	p->at = p->s.n;
	return err_set(p->e, ERR_SYNTAX, (int)at, "%s", what);
}

static bool failed(const struct parser *p)
{
	return p->e->code != ERR_NONE;
}

static bool at_end(const struct parser *p)
{
	return p->at >= p->s.n || failed(p);
}

static char peek(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->s.n ? p->s.p[p->at + ahead] : '\0';
}

static bool looking_at(const struct parser *p, const char *z)
{
	return str_starts((struct str){ p->s.p + p->at, p->s.n - p->at }, str_of(z));
}

static bool accept(struct parser *p, const char *z)
{
	if (!looking_at(p, z))
		return false;
	p->at += strlen(z);
	return true;
}

static struct re_node *node_new(struct parser *p, enum re_kind kind, size_t pos)
{
	struct re_node *n = ARENA_NEW(p->arena, struct re_node);

	n->kind = kind;
	n->pos = (int)pos;
	n->height = 1;
	return n;
}

static struct re_node *node_over(struct parser *p, enum re_kind kind, struct re_node *child)
{
	struct re_node *n = node_new(p, kind, (size_t)child->pos);

	n->first = child;
	for (; child != NULL; child = child->next)
		if (child->height >= n->height)
			n->height = child->height + 1;
	if (n->height > REGEX_MAX_HEIGHT)
		fail(p, (size_t)n->pos, "the expression nests deeper than 1000 levels");
	return n;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_letter_or_wide(struct str s)
{
	return s.n > 1 || (is_alnum(s.p[0]) && s.p[0] > '9');
}

static struct re_node *literal(struct parser *p, struct str text, size_t pos)
{
	struct re_node *n = node_new(p, RE_LITERAL, pos);

	n->text = text;
	n->fold = (p->flags & FLAG_I) != 0 && is_letter_or_wide(text);
	return n;
}

static struct str take_char(struct parser *p)
{
	struct str rest = { p->s.p + p->at, p->s.n - p->at }, c = { rest.p, str_utf8_len(rest) };

	assert(c.n > 0);
	p->at += c.n;
	return c;
}

static struct str encode(struct parser *p, uint32_t rune)
{
	char *z = arena_alloc(p->arena, 5);
	size_t n = 0;

	if (rune < 0x80) {
		z[n++] = (char)rune;
	} else if (rune < 0x800) {
		z[n++] = (char)(0xc0 | rune >> 6);
		z[n++] = (char)(0x80 | (rune & 0x3f));
	} else if (rune < 0x10000) {
		z[n++] = (char)(0xe0 | rune >> 12);
		z[n++] = (char)(0x80 | (rune >> 6 & 0x3f));
		z[n++] = (char)(0x80 | (rune & 0x3f));
	} else {
		z[n++] = (char)(0xf0 | rune >> 18);
		z[n++] = (char)(0x80 | (rune >> 12 & 0x3f));
		z[n++] = (char)(0x80 | (rune >> 6 & 0x3f));
		z[n++] = (char)(0x80 | (rune & 0x3f));
	}
	return (struct str){ z, n };
}

static uint32_t decode(struct str c)
{
	static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t rune = (unsigned char)c.p[0] & lead_mask[c.n];

	for (size_t i = 1; i < c.n; i++)
		rune = rune << 6 | ((unsigned char)c.p[i] & 0x3f);
	return rune;
}

/* ---- Escapes that stand for one character, in and outside of classes. ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *hit;

	if (c >= 'A' && c <= 'F')
		c = (char)(c + 'a' - 'A');
	hit = c ? strchr(digits, c) : NULL;
	return hit ? (int)(hit - digits) : -1;
}

/* "\x41", "\x{1F600}"; the position is behind the x. */
static uint32_t parse_hex(struct parser *p, size_t beg)
{
	uint32_t rune = 0;
	size_t digits = 0;
	bool braced = accept(p, "{");

	while (hex_digit(peek(p, 0)) >= 0 && rune <= 0x10ffff && (braced || digits < 2)) {
		rune = rune * 16 + (uint32_t)hex_digit(peek(p, 0));
		p->at++;
		digits++;
	}
	if (digits == 0 || (!braced && digits != 2) || (braced && !accept(p, "}")) || rune > 0x10ffff)
		fail(p, beg, "invalid hexadecimal escape: \\x takes two digits, or up to 10FFFF in braces");
	return rune;
}

static uint32_t parse_octal(struct parser *p)
{
	uint32_t rune = 0;

	for (int i = 0; i < 3 && peek(p, 0) >= '0' && peek(p, 0) <= '7'; i++, p->at++)
		rune = rune * 8 + (uint32_t)(peek(p, 0) - '0');
	return rune;
}

static const char *why_refused(char c)
{
	if (c >= '1' && c <= '9')
		return "backreferences are not part of RE2: write out what is to be repeated";
	switch (c) {
	case '\0':
		return "the pattern ends in a backslash: write \\\\ for a backslash itself";
	case 'Z':
		return "\\Z is not part of RE2: \\z is the end of the text";
	case 'h': case 'H': case 'R': case 'V': case 'X': case 'N':
		return "this escape is not part of RE2: write a character class instead";
	case 'K': case 'G': case 'g': case 'k': case 'C':
		return "this Perl escape is not part of RE2";
	default:
		return "unknown escape: RE2 has no meaning for a backslash before this character";
	}
}

/* The position is at the backslash. */
static uint32_t parse_escape(struct parser *p)
{
	static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
	size_t beg = p->at++;
	char c = peek(p, 0);
	const char *hit = c ? strchr(letters, c) : NULL;

	if (c == '0' || (c >= '1' && c <= '7' && peek(p, 1) >= '0' && peek(p, 1) <= '7'))
		return parse_octal(p);
	p->at++;
	if (c == 'x')
		return parse_hex(p, beg);
	if (hit != NULL)
		return (unsigned char)values[hit - letters];
	if (c > 0 && !is_alnum(c))
		return (unsigned char)c;
	fail(p, beg, why_refused(p->at > p->s.n ? '\0' : c));
	return 0;
}

/* ---- Classes. ---- */

/* Their ASCII meaning, and PCRE2's own name for the rest. \s has no \v in RE2. */
static const struct {
	struct str name;
	const char *members, *others;
} named_classes[] = {
	{ { "\\d", 2 }, "0-9", "\\D" },
	{ { "\\w", 2 }, "0-9A-Za-z_", "\\W" },
	{ { "\\s", 2 }, "\\t\\n\\f\\r\\x20", "\\S\\x0b" },
	{ { "alnum", 5 }, "0-9A-Za-z", "[:^alnum:]" },
	{ { "alpha", 5 }, "A-Za-z", "[:^alpha:]" },
	{ { "ascii", 5 }, "\\x00-\\x7f", "[:^ascii:]" },
	{ { "blank", 5 }, "\\t\\x20", "[:^blank:]" },
	{ { "cntrl", 5 }, "\\x00-\\x1f\\x7f", "[:^cntrl:]" },
	{ { "digit", 5 }, "0-9", "[:^digit:]" },
	{ { "graph", 5 }, "\\x21-\\x7e", "[:^graph:]" },
	{ { "lower", 5 }, "a-z", "[:^lower:]" },
	{ { "print", 5 }, "\\x20-\\x7e", "[:^print:]" },
	{ { "punct", 5 }, "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e", "[:^punct:]" },
	{ { "space", 5 }, "\\t\\n\\x0b\\f\\r\\x20", "[:^space:]" },
	{ { "upper", 5 }, "A-Z", "[:^upper:]" },
	{ { "word", 4 }, "0-9A-Za-z_", "[:^word:]" },
	{ { "xdigit", 6 }, "0-9A-Fa-f", "[:^xdigit:]" },
};

static bool put_named(struct buf *out, struct str name, bool negated)
{
	for (size_t i = 0; i < ARRAY_LEN(named_classes); i++) {
		if (!str_eq(named_classes[i].name, name))
			continue;
		buf_putz(out, negated ? named_classes[i].others : named_classes[i].members);
		return true;
	}
	return false;
}

/* \d \D \s \S \w \W */
static bool parse_perl_class(struct parser *p, struct buf *out)
{
	char c = peek(p, 1), lower[2] = { '\\', (char)(c | 0x20) };

	if (peek(p, 0) != '\\' || c == '\0' || strchr("dDsSwW", c) == NULL)
		return false;
	p->at += 2;
	return put_named(out, (struct str){ lower, 2 }, c < 'a');
}

static bool is_category(struct str name)
{
	static const char list[] = " C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs ";
	char padded[4] = { ' ', 0, ' ', ' ' };

	if (name.n == 0 || name.n > 2)
		return false;
	memcpy(padded + 1, name.p, name.n);
	return memmem(list, sizeof list - 1, padded, name.n + 2) != NULL;
}

static bool is_script_name(struct str name)
{
	if (name.n < 2 || name.n > 40 || name.p[0] < 'A' || name.p[0] > 'Z')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != '_' && (!is_alnum(name.p[i]) || name.p[i] <= '9'))
			return false;
	return regex_script_exists(name);
}

static void put_property(struct parser *p, struct buf *out, struct str name, bool negated, size_t beg)
{
	char letter = negated ? 'P' : 'p';

	if ((p->flags & FLAG_I) != 0 && (str_eq(name, STR("Lu")) || str_eq(name, STR("Ll")) || str_eq(name, STR("Lt"))))
		buf_printf(out, "\\%c{L&}", letter);
	else if (is_category(name) || str_eq(name, STR("Any")))
		buf_printf(out, "\\%c{" STR_FMT "}", letter, STR_ARG(name));
	else if (is_script_name(name))
		buf_printf(out, "\\%c{sc:" STR_FMT "}", letter, STR_ARG(name));
	else
		fail(p, beg, "unknown Unicode class: categories such as \\p{Lu} and scripts such as \\p{Greek} are known");
}

/* \pL \p{Greek} \P{^Greek} */
static bool parse_property(struct parser *p, struct buf *out)
{
	size_t beg = p->at;
	bool negated = looking_at(p, "\\P");
	struct str name;

	if (!accept(p, "\\p") && !accept(p, "\\P"))
		return false;
	if (accept(p, "{")) {
		name = (struct str){ p->s.p + p->at, p->s.n - p->at };
		name.n = str_chr(name, '}');
		p->at += name.n + 1;
	} else {
		name = p->at < p->s.n ? take_char(p) : (struct str){ p->s.p + p->at, 0 };
	}
	if (p->at > p->s.n)
		return fail(p, beg, "missing } behind \\p{");
	if (name.n > 0 && name.p[0] == '^') {
		negated = !negated;
		name = (struct str){ name.p + 1, name.n - 1 };
	}
	put_property(p, out, name, negated, beg);
	return true;
}

/* [:alpha:] [:^alpha:] */
static bool parse_posix(struct parser *p, struct buf *out)
{
	struct str rest = { p->s.p + p->at, p->s.n - p->at }, name;
	size_t end;
	bool negated;

	if (!looking_at(p, "[:") || (end = str_find(rest, STR(":]"))) == rest.n || end < 2)
		return false;
	name = (struct str){ rest.p + 2, end - 2 };
	negated = name.n > 0 && name.p[0] == '^';
	if (negated)
		name = (struct str){ name.p + 1, name.n - 1 };
	if (!put_named(out, name, negated))
		return fail(p, p->at, "unknown class name: [:alpha:], [:digit:], [:space:] and so on are known");
	p->at += end + 2;
	return true;
}

static uint32_t parse_class_char(struct parser *p)
{
	if (peek(p, 0) == '\\')
		return parse_escape(p);
	return decode(take_char(p));
}

static void parse_class_range(struct parser *p, struct buf *out)
{
	size_t beg = p->at;
	uint32_t lo = parse_class_char(p), hi = lo;

	if (peek(p, 0) == '-' && p->at + 1 < p->s.n && peek(p, 1) != ']') {
		p->at++;
		hi = parse_class_char(p);
	}
	if (hi < lo)
		fail(p, beg, "invalid class range: its end is before its beginning");
	/* PCRE2 takes no surrogates; RE2 takes them, and nothing can match them. */
	if (lo >= 0xd800 && lo <= 0xdfff)
		lo = 0xe000;
	if (hi >= 0xd800 && hi <= 0xdfff)
		hi = 0xd7ff;
	if (lo <= hi)
		buf_printf(out, "\\x{%x}-\\x{%x}", lo, hi);
}

static void parse_class_items(struct parser *p, struct buf *out, size_t beg)
{
	for (bool first = true; !failed(p) && (first || peek(p, 0) != ']'); first = false) {
		if (p->at >= p->s.n) {
			fail(p, beg, "missing ] behind a character class");
			return;
		}
		if (!parse_posix(p, out) && !failed(p) && !parse_perl_class(p, out) && !parse_property(p, out) && !failed(p))
			parse_class_range(p, out);
	}
	accept(p, "]");
}

static struct re_node *class_node(struct parser *p, struct str text, size_t beg)
{
	struct re_node *n = node_new(p, RE_CLASS, beg);

	n->text = arena_str(p->arena, text);
	n->fold = (p->flags & FLAG_I) != 0;
	return n;
}

static struct re_node *parse_class(struct parser *p)
{
	struct buf out = { 0 };
	size_t beg = p->at++, empty;
	bool negated = accept(p, "^");
	struct re_node *n;

	buf_putz(&out, negated ? "[^" : "[");
	empty = out.n;
	parse_class_items(p, &out, beg);
	buf_putc(&out, ']');
	if (out.n > empty + 1)
		n = class_node(p, buf_str(&out), beg);
	else
		n = class_node(p, negated ? STR("[\\x{0}-\\x{10ffff}]") : STR("[^\\x{0}-\\x{10ffff}]"), beg);
	buf_fini(&out);
	return n;
}

/* ---- Groups and flags. ---- */

static void add_name(struct parser *p, struct str name, size_t beg)
{
	struct str rest = buf_str(&p->names), seen;

	for (size_t i = 0; i < name.n; i++) {
		if (is_alnum(name.p[i]) || name.p[i] == '_')
			continue;
		fail(p, beg, "invalid group name: letters, digits and underscores are allowed");
		return;
	}
	while (name.n > 0 && str_cut(&rest, '\n', &seen)) {
		if (!str_eq(seen, name))
			continue;
		fail(p, beg, "two groups have this name: every name may occur once");
		return;
	}
	buf_puts(&p->names, name);
	buf_putc(&p->names, '\n');
}

/* Behind "(?P<" or "(?<". */
static struct str parse_group_name(struct parser *p, size_t beg)
{
	struct str name = { p->s.p + p->at, p->s.n - p->at };

	name.n = str_chr(name, '>');
	p->at += name.n + 1;
	if (name.n == 0 || p->at > p->s.n)
		fail(p, beg, "invalid group name: write (?P<name>…)");
	return name;
}

static struct re_node *parse_group_body(struct parser *p, size_t beg)
{
	struct re_node *n;
	unsigned flags = p->flags;

	if (++p->depth > REGEX_MAX_HEIGHT) {
		fail(p, beg, "the expression nests deeper than 1000 levels");
		return node_new(p, RE_EMPTY, beg);
	}
	n = parse_alternate(p);
	p->depth--;
	p->flags = flags;
	if (!accept(p, ")"))
		fail(p, beg, "missing ) for this group");
	return n;
}

/* Behind "(?": "i-s:" or "i-s)". False when these are no flags. */
static bool parse_flags(struct parser *p, unsigned *flags)
{
	static const char letters[] = "imsU";
	bool off = false, seen = false;
	const char *hit;

	for (*flags = p->flags; p->at < p->s.n; p->at++) {
		char c = peek(p, 0);

		if (c == ':' || c == ')')
			return !off || seen;
		hit = c ? strchr(letters, c) : NULL;
		if (c == '-' && !off) {
			off = true;
			seen = false;
		} else if (hit != NULL) {
			unsigned bit = 1u << (hit - letters);

			*flags = off ? *flags & ~bit : *flags | bit;
			seen = true;
		} else {
			return false;
		}
	}
	return false;
}

static const char *why_no_group(const struct parser *p)
{
	static const struct {
		const char *begin, *why;
	} rows[] = {
		{ "?=", "lookahead is not part of RE2: match the text itself, or use two matchers" },
		{ "?!", "negative lookahead is not part of RE2: use a second matcher with !~" },
		{ "?<=", "lookbehind is not part of RE2: match the text itself, or use two matchers" },
		{ "?<!", "negative lookbehind is not part of RE2: use a second matcher with !~" },
		{ "?>", "atomic groups are not part of RE2: write (?:…)" },
		{ "?|", "branch reset groups are not part of RE2: write (?:…)" },
		{ "?P=", "backreferences are not part of RE2: write out what is to be repeated" },
		{ "?P>", "recursion is not part of RE2" },
		{ "?&", "recursion is not part of RE2" },
		{ "?R", "recursion is not part of RE2" },
		{ "?(", "conditional groups are not part of RE2: write an alternation" },
		{ "?C", "callouts are not part of RE2" },
		{ "?#", "comments are not part of RE2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (looking_at(p, rows[i].begin))
			return rows[i].why;
	return "unknown group syntax: RE2 has (…), (?:…), (?P<name>…) and the flags i, m, s, U";
}

static struct re_node *parse_capture(struct parser *p, struct str name, size_t beg)
{
	struct re_node *n;

	add_name(p, name, beg);
	n = node_over(p, RE_CAPTURE, parse_group_body(p, beg));
	n->text = name;
	return n;
}

/* The position is at "(". NULL for a flag setting that opens no group. */
static struct re_node *parse_group(struct parser *p)
{
	size_t beg = p->at++;
	const char *why = why_no_group(p);
	unsigned flags, before = p->flags;
	struct re_node *n;

	if (!looking_at(p, "?"))
		return parse_capture(p, (struct str){ p->s.p + p->at, 0 }, beg);
	if (!looking_at(p, "?<=") && !looking_at(p, "?<!") && (accept(p, "?P<") || accept(p, "?<")))
		return parse_capture(p, parse_group_name(p, beg), beg);
	p->at++;
	if (!parse_flags(p, &flags)) {
		fail(p, beg, why);
		return NULL;
	}
	p->flags = flags;
	if (accept(p, ")"))
		return NULL;
	p->at++;
	n = parse_group_body(p, beg);
	p->flags = before;
	return n;
}

/* ---- Items and repeats. ---- */

static struct re_node *parse_backslash(struct parser *p)
{
	static const struct {
		char letter;
		enum re_kind kind;
	} asserts[] = { { 'A', RE_TEXT_BEGIN }, { 'z', RE_TEXT_END }, { 'b', RE_WORD_EDGE }, { 'B', RE_NO_WORD_EDGE } };
	size_t beg = p->at;
	struct buf out = { 0 };
	struct re_node *n;
	uint32_t rune;

	for (size_t i = 0; i < ARRAY_LEN(asserts); i++) {
		if (peek(p, 1) != asserts[i].letter)
			continue;
		p->at += 2;
		return node_new(p, asserts[i].kind, beg);
	}
	buf_putc(&out, '[');
	if (parse_perl_class(p, &out) || parse_property(p, &out)) {
		buf_putc(&out, ']');
		n = class_node(p, buf_str(&out), beg);
	} else {
		rune = failed(p) ? 0 : parse_escape(p);
		/* A surrogate is no character: nothing matches it. */
		n = rune >= 0xd800 && rune <= 0xdfff ? class_node(p, STR("[^\\x{0}-\\x{10ffff}]"), beg)
		                                     : literal(p, encode(p, rune), beg);
	}
	buf_fini(&out);
	return n;
}

/* One item; NULL when it was only a flag setting. */
static struct re_node *parse_item(struct parser *p)
{
	size_t beg = p->at;

	switch (peek(p, 0)) {
	case '(':
		return parse_group(p);
	case '[':
		return parse_class(p);
	case '\\':
		return parse_backslash(p);
	case '.':
		p->at++;
		return node_new(p, (p->flags & FLAG_S) != 0 ? RE_ANY : RE_ANY_IN_LINE, beg);
	case '^':
		p->at++;
		return node_new(p, (p->flags & FLAG_M) != 0 ? RE_LINE_BEGIN : RE_TEXT_BEGIN, beg);
	case '$':
		p->at++;
		return node_new(p, (p->flags & FLAG_M) != 0 ? RE_LINE_END : RE_TEXT_END, beg);
	default:
		return literal(p, take_char(p), beg);
	}
}

static bool take_number(struct parser *p, int *out)
{
	size_t beg = p->at;

	for (*out = 0; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++)
		if (*out <= REGEX_MAX_REPEAT)
			*out = *out * 10 + (peek(p, 0) - '0');
	return p->at > beg && (p->at == beg + 1 || p->s.p[beg] != '0');
}

/* "{2}" "{2,}" "{2,3}"; anything else that begins with a brace is just text. */
static bool take_braces(struct parser *p, int *min, int *max)
{
	size_t beg = p->at;

	p->at++;
	if (take_number(p, min)) {
		*max = *min;
		if (accept(p, ",") && !take_number(p, max)) {
			*max = -1;
			if (peek(p, 0) != '}')
				*min = -1;
		}
		if (*min >= 0 && accept(p, "}"))
			return true;
	}
	p->at = beg;
	return false;
}

static bool take_repeat(struct parser *p, int *min, int *max)
{
	switch (peek(p, 0)) {
	case '*':
		*min = 0;
		*max = -1;
		break;
	case '+':
		*min = 1;
		*max = -1;
		break;
	case '?':
		*min = 0;
		*max = 1;
		break;
	case '{':
		return take_braces(p, min, max);
	default:
		return false;
	}
	p->at++;
	return true;
}

/* RE2 bounds the product of nested counted repeats. */
static bool repeats_fit(const struct re_node *n, int budget)
{
	int times = n->max < 0 ? n->min : n->max;

	if (n->kind == RE_REPEAT && !(n->min <= 1 && n->max == -1) && !(n->min == 0 && n->max == 1)) {
		if (times == 0)
			return true;
		if (times > budget)
			return false;
		budget /= times;
	}
	for (n = n->first; n != NULL; n = n->next)
		if (!repeats_fit(n, budget))
			return false;
	return true;
}

/* The repeat operators behind <item>, if there are any. */
static struct re_node *parse_repeat(struct parser *p, struct re_node *item)
{
	size_t beg = p->at;
	struct re_node *n;
	int min, max;

	if (!take_repeat(p, &min, &max))
		return item;
	n = node_over(p, RE_REPEAT, item);
	n->min = min;
	n->max = max;
	n->lazy = accept(p, "?") != ((p->flags & FLAG_U) != 0);
	if (max >= 0 && max < min)
		fail(p, beg, "invalid repeat count: the second number is below the first");
	else if (min > REGEX_MAX_REPEAT || max > REGEX_MAX_REPEAT || ((min >= 2 || max >= 2) && !repeats_fit(n, REGEX_MAX_REPEAT)))
		fail(p, beg, "invalid repeat count: RE2 allows 1000, multiplied over nested repeats");
	else if (take_repeat(p, &min, &max))
		fail(p, beg, "invalid nested repeat operator: RE2 has no possessive or doubled repeats, use a group");
	return n;
}

struct list {
	struct re_node *first, *before_last, *last;
};

static void append(struct list *l, struct re_node *n)
{
	if (l->last != NULL)
		l->last->next = n;
	else
		l->first = n;
	l->before_last = l->last;
	l->last = n;
}

/* \Q…\E: all but the last character go straight to the list, since a repeat binds to the last one only. */
static struct re_node *parse_quoted(struct parser *p, struct list *l)
{
	struct re_node *n = NULL;

	p->at += 2;
	while (p->at < p->s.n && !looking_at(p, "\\E")) {
		size_t beg = p->at;

		if (n != NULL)
			append(l, n);
		n = literal(p, take_char(p), beg);
	}
	accept(p, "\\E");
	return n;
}

/* A repeat behind a flag setting, as in "a(?i)*", belongs to the item before it. */
static bool repeat_last(struct parser *p, struct list *l)
{
	struct re_node *n;
	size_t beg = p->at;
	int min, max;

	if (!take_repeat(p, &min, &max))
		return false;
	p->at = beg;
	if (l->last == NULL)
		return fail(p, beg, "missing argument to a repeat operator: write \\ before it to mean the character");
	n = parse_repeat(p, l->last);
	if (l->before_last != NULL)
		l->before_last->next = n;
	else
		l->first = n;
	l->last = n;
	return true;
}

static struct re_node *parse_concat(struct parser *p)
{
	struct list l = { 0 };
	struct re_node *n;
	size_t beg = p->at;

	while (!at_end(p) && peek(p, 0) != '|' && peek(p, 0) != ')') {
		if (repeat_last(p, &l) || failed(p))
			continue;
		n = looking_at(p, "\\Q") ? parse_quoted(p, &l) : parse_item(p);
		if (n != NULL && !failed(p))
			append(&l, parse_repeat(p, n));
	}
	if (l.first == NULL)
		return node_new(p, RE_EMPTY, beg);
	return l.first == l.last ? l.first : node_over(p, RE_CONCAT, l.first);
}

static struct re_node *parse_alternate(struct parser *p)
{
	struct list l = { 0 };

	do {
		append(&l, parse_concat(p));
	} while (!failed(p) && accept(p, "|"));
	return l.first == l.last ? l.first : node_over(p, RE_ALTERNATE, l.first);
}

struct re_node *regex_parse(struct arena *a, struct str pattern, bool dot_all, struct err *e)
{
	struct parser p = { .arena = a, .e = e, .s = pattern, .flags = dot_all ? FLAG_S : 0 };
	struct re_node *n;

	if (pattern.n > REGEX_MAX_BYTES) {
		err_set(e, ERR_LIMIT, -1, "the expression is longer than %d bytes", REGEX_MAX_BYTES);
		return NULL;
	}
	if (!str_is_utf8(pattern)) {
		size_t at = 0, len;

		while ((len = str_utf8_len((struct str){ pattern.p + at, pattern.n - at })) > 0)
			at += len;
		fail(&p, at, "the expression is not valid UTF-8");
		return NULL;
	}
	n = parse_alternate(&p);
	if (!failed(&p) && p.at < pattern.n)
		fail(&p, p.at, "unexpected ): write \\) to mean the character");
	buf_fini(&p.names);
	return failed(&p) ? NULL : n;
}
