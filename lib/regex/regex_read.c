/* Characters of a pattern, one behind the other, and the escapes that stand for one. The first failure ends the reading. */
#include "regex_read.h"

#include <assert.h>

/* Reading ends here: everything after sees the end of the pattern. */
bool re_fail(struct re_parser *p, size_t at, const char *what)
{
	p->at = p->s.n;
	return err_set(p->e, ERR_SYNTAX, (int)at, "%s", what);
}

bool re_failed(const struct re_parser *p)
{
	return p->e->code != ERR_NONE;
}

char re_peek(const struct re_parser *p, size_t ahead)
{
	return p->at + ahead < p->s.n ? p->s.p[p->at + ahead] : '\0';
}

bool re_looking_at(const struct re_parser *p, const char *z)
{
	return str_starts((struct str){ p->s.p + p->at, p->s.n - p->at }, str_of(z));
}

bool re_accept(struct re_parser *p, const char *z)
{
	if (!re_looking_at(p, z))
		return false;
	p->at += strlen(z);
	return true;
}

struct re_node *re_node_new(struct re_parser *p, enum re_kind kind, size_t pos)
{
	struct re_node *n = ARENA_NEW(p->arena, struct re_node);

	n->kind = kind;
	n->pos = (int)pos;
	n->height = 1;
	return n;
}

bool re_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct str re_take_char(struct re_parser *p)
{
	struct str rest = { p->s.p + p->at, p->s.n - p->at }, c = { rest.p, str_utf8_len(rest) };

	assert(c.n > 0);
	p->at += c.n;
	return c;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *hit;

	if (c >= 'A' && c <= 'F')
		c = (char)(c + 'a' - 'A');
	hit = c ? strchr(digits, c) : NULL;
	return hit ? (int)(hit - digits) : -1;
}

/* "\x41", "\x{1F600}"; the position is behind the x. */
static uint32_t parse_hex(struct re_parser *p, size_t beg)
{
	uint32_t rune = 0;
	size_t digits = 0;
	bool braced = re_accept(p, "{");

	while (hex_digit(re_peek(p, 0)) >= 0 && rune <= 0x10ffff && (braced || digits < 2)) {
		rune = rune * 16 + (uint32_t)hex_digit(re_peek(p, 0));
		p->at++;
		digits++;
	}
	if (digits == 0 || (!braced && digits != 2) || (braced && !re_accept(p, "}")) || rune > 0x10ffff)
		re_fail(p, beg, "invalid hexadecimal escape: \\x takes two digits, or up to 10FFFF in braces");
	return rune;
}

static uint32_t parse_octal(struct re_parser *p)
{
	uint32_t rune = 0;

	for (int i = 0; i < 3 && re_peek(p, 0) >= '0' && re_peek(p, 0) <= '7'; i++, p->at++)
		rune = rune * 8 + (uint32_t)(re_peek(p, 0) - '0');
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
uint32_t re_parse_escape(struct re_parser *p)
{
	static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
	size_t beg = p->at++;
	char c = re_peek(p, 0);
	const char *hit = c ? strchr(letters, c) : NULL;

	if (c == '0' || (c >= '1' && c <= '7' && re_peek(p, 1) >= '0' && re_peek(p, 1) <= '7'))
		return parse_octal(p);
	p->at++;
	if (c == 'x')
		return parse_hex(p, beg);
	if (hit != NULL)
		return (unsigned char)values[hit - letters];
	if (c > 0 && !re_is_alnum(c))
		return (unsigned char)c;
	re_fail(p, beg, why_refused(p->at > p->s.n ? '\0' : c));
	return 0;
}
