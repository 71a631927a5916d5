/* Reads a pattern of RE2's language (as Go's regexp/syntax takes it) into a tree. Everything outside that language ends here
 * with a position and a reason, so that no construct of PCRE2's own reaches the compiler.
 * Grammar: alternate = concat { "|" concat };  concat = { item [ repeat ] };  repeat = ("*" | "+" | "?" | "{n,m}") [ "?" ]. */
#include "regex_read.h"

static struct re_node *parse_alternate(struct re_parser *p);

static bool at_end(const struct re_parser *p)
{
	return p->at >= p->s.n || re_failed(p);
}

static struct re_node *node_over(struct re_parser *p, enum re_kind kind, struct re_node *child)
{
	struct re_node *n = re_node_new(p, kind, (size_t)child->pos);

	n->first = child;
	for (; child != NULL; child = child->next)
		if (child->height >= n->height)
			n->height = child->height + 1;
	if (n->height > REGEX_MAX_HEIGHT)
		re_fail(p, (size_t)n->pos, "the expression nests deeper than 1000 levels");
	return n;
}

static bool is_letter_or_wide(struct str s)
{
	return s.n > 1 || (re_is_alnum(s.p[0]) && s.p[0] > '9');
}

static struct re_node *literal(struct re_parser *p, struct str text, size_t pos)
{
	struct re_node *n = re_node_new(p, RE_LITERAL, pos);

	n->text = text;
	n->fold = (p->flags & RE_FLAG_I) != 0 && is_letter_or_wide(text);
	return n;
}

static struct str encode(struct re_parser *p, uint32_t rune)
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

/* ---- Groups and flags. ---- */

static void check_name(struct re_parser *p, struct str name, size_t beg)
{
	for (size_t i = 0; i < name.n; i++)
		if (!re_is_alnum(name.p[i]) && name.p[i] != '_') {
			re_fail(p, beg, "invalid group name: letters, digits and underscores are allowed");
			return;
		}
}

/* Behind "(?P<" or "(?<". */
static struct str parse_group_name(struct re_parser *p, size_t beg)
{
	struct str name = { p->s.p + p->at, p->s.n - p->at };

	name.n = str_chr(name, '>');
	p->at += name.n + 1;
	if (name.n == 0 || p->at > p->s.n)
		re_fail(p, beg, "invalid group name: write (?P<name>…)");
	return name;
}

static struct re_node *parse_group_body(struct re_parser *p, size_t beg)
{
	struct re_node *n;
	unsigned flags = p->flags;

	if (++p->depth > REGEX_MAX_HEIGHT) {
		re_fail(p, beg, "the expression nests deeper than 1000 levels");
		return re_node_new(p, RE_EMPTY, beg);
	}
	n = parse_alternate(p);
	p->depth--;
	p->flags = flags;
	if (!re_accept(p, ")"))
		re_fail(p, beg, "missing ) for this group");
	return n;
}

/* Behind "(?": "i-s:" or "i-s)". False when these are no flags. */
static bool parse_flags(struct re_parser *p, unsigned *flags)
{
	static const char letters[] = "imsU";
	bool off = false, seen = false;
	const char *hit;

	for (*flags = p->flags; p->at < p->s.n; p->at++) {
		char c = re_peek(p, 0);

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

static const char *why_no_group(const struct re_parser *p)
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
		if (re_looking_at(p, rows[i].begin))
			return rows[i].why;
	return "unknown group syntax: RE2 has (…), (?:…), (?P<name>…) and the flags i, m, s, U";
}

static struct re_node *parse_capture(struct re_parser *p, struct str name, size_t beg)
{
	struct re_node *n;

	check_name(p, name, beg);
	n = node_over(p, RE_CAPTURE, parse_group_body(p, beg));
	n->text = name;
	return n;
}

/* The position is at "(". NULL for a flag setting that opens no group. */
static struct re_node *parse_group(struct re_parser *p)
{
	size_t beg = p->at++;
	const char *why = why_no_group(p);
	unsigned flags, before = p->flags;
	struct re_node *n;

	if (!re_looking_at(p, "?"))
		return parse_capture(p, (struct str){ p->s.p + p->at, 0 }, beg);
	if (!re_looking_at(p, "?<=") && !re_looking_at(p, "?<!") && (re_accept(p, "?P<") || re_accept(p, "?<")))
		return parse_capture(p, parse_group_name(p, beg), beg);
	p->at++;
	if (!parse_flags(p, &flags)) {
		re_fail(p, beg, why);
		return NULL;
	}
	p->flags = flags;
	if (re_accept(p, ")"))
		return NULL;
	p->at++;
	n = parse_group_body(p, beg);
	p->flags = before;
	return n;
}

/* ---- Items and repeats. ---- */

static struct re_node *parse_backslash(struct re_parser *p)
{
	static const struct {
		char letter;
		enum re_kind kind;
	} asserts[] = { { 'A', RE_TEXT_BEGIN }, { 'z', RE_TEXT_END }, { 'b', RE_WORD_EDGE }, { 'B', RE_NO_WORD_EDGE } };
	size_t beg = p->at;
	struct re_node *n;
	uint32_t rune;

	for (size_t i = 0; i < ARRAY_LEN(asserts); i++) {
		if (re_peek(p, 1) != asserts[i].letter)
			continue;
		p->at += 2;
		return re_node_new(p, asserts[i].kind, beg);
	}
	n = re_parse_class_escape(p);
	if (n != NULL || re_failed(p))
		return n;
	rune = re_parse_escape(p);
	/* A surrogate is no character: nothing matches it. */
	return rune >= 0xd800 && rune <= 0xdfff ? re_empty_class(p, beg) : literal(p, encode(p, rune), beg);
}

/* One item; NULL when it was only a flag setting. */
static struct re_node *parse_item(struct re_parser *p)
{
	size_t beg = p->at;

	switch (re_peek(p, 0)) {
	case '(':
		return parse_group(p);
	case '[':
		return re_parse_class(p);
	case '\\':
		return parse_backslash(p);
	case '.':
		p->at++;
		return re_node_new(p, (p->flags & RE_FLAG_S) != 0 ? RE_ANY : RE_ANY_IN_LINE, beg);
	case '^':
		p->at++;
		return re_node_new(p, (p->flags & RE_FLAG_M) != 0 ? RE_LINE_BEGIN : RE_TEXT_BEGIN, beg);
	case '$':
		p->at++;
		return re_node_new(p, (p->flags & RE_FLAG_M) != 0 ? RE_LINE_END : RE_TEXT_END, beg);
	default:
		return literal(p, re_take_char(p), beg);
	}
}

static bool take_number(struct re_parser *p, int *out)
{
	size_t beg = p->at;

	for (*out = 0; re_peek(p, 0) >= '0' && re_peek(p, 0) <= '9'; p->at++)
		if (*out <= REGEX_MAX_REPEAT)
			*out = *out * 10 + (re_peek(p, 0) - '0');
	return p->at > beg && (p->at == beg + 1 || p->s.p[beg] != '0');
}

/* "{2}" "{2,}" "{2,3}"; anything else that begins with a brace is just text. */
static bool take_braces(struct re_parser *p, int *min, int *max)
{
	size_t beg = p->at;

	p->at++;
	if (take_number(p, min)) {
		*max = *min;
		if (re_accept(p, ",") && !take_number(p, max)) {
			*max = -1;
			if (re_peek(p, 0) != '}')
				*min = -1;
		}
		if (*min >= 0 && re_accept(p, "}"))
			return true;
	}
	p->at = beg;
	return false;
}

static bool take_repeat(struct re_parser *p, int *min, int *max)
{
	switch (re_peek(p, 0)) {
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
static struct re_node *parse_repeat(struct re_parser *p, struct re_node *item)
{
	size_t beg = p->at;
	struct re_node *n;
	int min, max;

	if (!take_repeat(p, &min, &max))
		return item;
	n = node_over(p, RE_REPEAT, item);
	n->min = min;
	n->max = max;
	n->lazy = re_accept(p, "?") != ((p->flags & RE_FLAG_U) != 0);
	if (max >= 0 && max < min)
		re_fail(p, beg, "invalid repeat count: the second number is below the first");
	else if (min > REGEX_MAX_REPEAT || max > REGEX_MAX_REPEAT || ((min >= 2 || max >= 2) && !repeats_fit(n, REGEX_MAX_REPEAT)))
		re_fail(p, beg, "invalid repeat count: RE2 allows 1000, multiplied over nested repeats");
	else if (take_repeat(p, &min, &max))
		re_fail(p, beg, "invalid nested repeat operator: RE2 has no possessive or doubled repeats, use a group");
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
static struct re_node *parse_quoted(struct re_parser *p, struct list *l)
{
	struct re_node *n = NULL;

	size_t quote = p->at;

	p->at += 2;
	while (p->at < p->s.n && !re_looking_at(p, "\\E")) {
		size_t beg = p->at;

		if (n != NULL)
			append(l, n);
		n = literal(p, re_take_char(p), beg);
	}
	if (!re_accept(p, "\\E") && p->wrapped)
		re_fail(p, quote, "missing \\E: the quote would go on behind the expression");
	return n;
}

/* A repeat behind a flag setting, as in "a(?i)*", belongs to the item before it. */
static bool repeat_last(struct re_parser *p, struct list *l)
{
	struct re_node *n;
	size_t beg = p->at;
	int min, max;

	if (!take_repeat(p, &min, &max))
		return false;
	p->at = beg;
	if (l->last == NULL)
		return re_fail(p, beg, "missing argument to a repeat operator: write \\ before it to mean the character");
	n = parse_repeat(p, l->last);
	if (l->before_last != NULL)
		l->before_last->next = n;
	else
		l->first = n;
	l->last = n;
	return true;
}

static struct re_node *parse_concat(struct re_parser *p)
{
	struct list l = { 0 };
	struct re_node *n;
	size_t beg = p->at;

	while (!at_end(p) && re_peek(p, 0) != '|' && re_peek(p, 0) != ')') {
		if (repeat_last(p, &l) || re_failed(p))
			continue;
		n = re_looking_at(p, "\\Q") ? parse_quoted(p, &l) : parse_item(p);
		if (n != NULL && !re_failed(p))
			append(&l, parse_repeat(p, n));
	}
	if (l.first == NULL)
		return re_node_new(p, RE_EMPTY, beg);
	return l.first == l.last ? l.first : node_over(p, RE_CONCAT, l.first);
}

static struct re_node *parse_alternate(struct re_parser *p)
{
	struct list l = { 0 };

	do {
		append(&l, parse_concat(p));
	} while (!re_failed(p) && re_accept(p, "|"));
	return l.first == l.last ? l.first : node_over(p, RE_ALTERNATE, l.first);
}

/* What follows from the children; they come first. */
static void derive(struct re_node *n)
{
	bool all = true, any = false;

	for (struct re_node *c = n->first; c != NULL; c = c->next) {
		derive(c);
		all = all && c->nullable;
		any = any || c->nullable;
	}
	if (n->kind == RE_LITERAL || n->kind == RE_ANY || n->kind == RE_ANY_IN_LINE || n->kind == RE_CLASS)
		n->nullable = false;
	else
		n->nullable = n->kind == RE_ALTERNATE ? any : all || (n->kind == RE_REPEAT && n->min == 0);
}

struct re_node *regex_parse(struct arena *a, struct str pattern, bool dot_all, struct err *e)
{
	struct re_parser p = { .arena = a, .e = e, .s = pattern, .flags = dot_all ? RE_FLAG_S : 0, .wrapped = dot_all };
	struct re_node *n;

	if (pattern.n > REGEX_MAX_BYTES) {
		err_set(e, ERR_LIMIT, -1, "the expression is longer than %d bytes", REGEX_MAX_BYTES);
		return NULL;
	}
	if (!str_is_utf8(pattern)) {
		size_t at = 0, len;

		while ((len = str_utf8_len((struct str){ pattern.p + at, pattern.n - at })) > 0)
			at += len;
		re_fail(&p, at, "the expression is not valid UTF-8");
		return NULL;
	}
	n = parse_alternate(&p);
	if (!re_failed(&p) && p.at < pattern.n)
		re_fail(&p, p.at, "unexpected ): write \\) to mean the character");
	if (re_failed(&p))
		return NULL;
	derive(n);
	return n;
}
