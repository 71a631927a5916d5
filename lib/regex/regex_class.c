/* Character classes of a pattern: brackets, \d and its like, Unicode properties. They become text that PCRE2 reads, made of ranges
 * and of what both languages know under one name. */
#include "regex_read.h"

/* Everything behind ASCII but the two whose other case is in ASCII: the long s and the Kelvin sign. */
#define NO_FOLD_BEHIND(first) "\\x{" first "}-\\x{17e}\\x{180}-\\x{2129}\\x{212b}-\\x{10ffff}"

/* Everything behind it. */
#define BEHIND(first) "\\x{" first "}-\\x{10ffff}"

/* Their ASCII meaning; the rest under PCRE2's own name, which is quick, and spelt out; the rest where letter case is ignored, NULL:
 * the same. RE2 folds a class before it negates it. \s has no \v in RE2. */
static const struct {
	struct str name;
	const char *members, *others, *others_spelt, *others_folded;
} named_classes[] = {
	{ { "\\d", 2 }, "0-9", "\\D", "\\x00-\\x2f" BEHIND("3a"), NULL },
	{ { "\\w", 2 }, "0-9A-Za-z_", "\\W", "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x5e\\x60" BEHIND("7b"),
	  "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x5e\\x60" NO_FOLD_BEHIND("7b") },
	{ { "\\s", 2 }, "\\t\\n\\f\\r\\x20", "\\S\\x0b", "\\x00-\\x08\\x0b\\x0e-\\x1f" BEHIND("21"), NULL },
	{ { "alnum", 5 }, "0-9A-Za-z", "[:^alnum:]", "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60" BEHIND("7b"),
	  "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60" NO_FOLD_BEHIND("7b") },
	{ { "alpha", 5 }, "A-Za-z", "[:^alpha:]", "\\x00-\\x40\\x5b-\\x60" BEHIND("7b"), "\\x00-\\x40\\x5b-\\x60" NO_FOLD_BEHIND("7b") },
	{ { "ascii", 5 }, "\\x00-\\x7f", "[:^ascii:]", BEHIND("80"), NO_FOLD_BEHIND("80") },
	{ { "blank", 5 }, "\\t\\x20", "[:^blank:]", "\\x00-\\x08\\x0a-\\x1f" BEHIND("21"), NULL },
	{ { "cntrl", 5 }, "\\x00-\\x1f\\x7f", "[:^cntrl:]", "\\x20-\\x7e" BEHIND("80"), NULL },
	{ { "digit", 5 }, "0-9", "[:^digit:]", "\\x00-\\x2f" BEHIND("3a"), NULL },
	{ { "graph", 5 }, "\\x21-\\x7e", "[:^graph:]", "\\x00-\\x20" BEHIND("7f"), "\\x00-\\x20" NO_FOLD_BEHIND("7f") },
	{ { "lower", 5 }, "a-z", "[:^lower:]", "\\x00-\\x60" BEHIND("7b"), "\\x00-\\x40\\x5b-\\x60" NO_FOLD_BEHIND("7b") },
	{ { "print", 5 }, "\\x20-\\x7e", "[:^print:]", "\\x00-\\x1f" BEHIND("7f"), "\\x00-\\x1f" NO_FOLD_BEHIND("7f") },
	{ { "punct", 5 }, "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e", "[:^punct:]",
	  "\\x00-\\x20\\x30-\\x39\\x41-\\x5a\\x61-\\x7a" BEHIND("7f"), NULL },
	{ { "space", 5 }, "\\t\\n\\x0b\\f\\r\\x20", "[:^space:]", "\\x00-\\x08\\x0e-\\x1f" BEHIND("21"), NULL },
	{ { "upper", 5 }, "A-Z", "[:^upper:]", "\\x00-\\x40" BEHIND("5b"), "\\x00-\\x40\\x5b-\\x60" NO_FOLD_BEHIND("7b") },
	{ { "word", 4 }, "0-9A-Za-z_", "[:^word:]", "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x5e\\x60" BEHIND("7b"),
	  "\\x00-\\x2f\\x3a-\\x40\\x5b-\\x5e\\x60" NO_FOLD_BEHIND("7b") },
	{ { "xdigit", 6 }, "0-9A-Fa-f", "[:^xdigit:]", "\\x00-\\x2f\\x3a-\\x40\\x47-\\x60" BEHIND("67"), NULL },
};

/* What stands in the brackets at hand. PCRE2 gets a negated class wrong that holds both one of its negated names and a property:
 * such a one is read again and spelt out. */
struct class {
	struct buf text;
	bool spelt;
	bool has_others, has_property;
};

static bool put_named(struct re_parser *p, struct class *out, struct str name, bool negated)
{
	bool folded = (p->flags & RE_FLAG_I) != 0;

	for (size_t i = 0; i < ARRAY_LEN(named_classes); i++) {
		if (!str_eq(named_classes[i].name, name))
			continue;
		out->has_others |= negated;
		if (!negated)
			buf_putz(&out->text, named_classes[i].members);
		else if (folded && named_classes[i].others_folded != NULL)
			buf_putz(&out->text, named_classes[i].others_folded);
		else
			buf_putz(&out->text, out->spelt ? named_classes[i].others_spelt : named_classes[i].others);
		return true;
	}
	return false;
}

/* \d \D \s \S \w \W */
static bool parse_perl_class(struct re_parser *p, struct class *out)
{
	char c = re_peek(p, 1), lower[2] = { '\\', (char)(c | 0x20) };

	if (re_peek(p, 0) != '\\' || c == '\0' || strchr("dDsSwW", c) == NULL)
		return false;
	p->at += 2;
	return put_named(p, out, (struct str){ lower, 2 }, c < 'a');
}

static bool is_category(struct str name)
{
	static const char list[] = " C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc "
	    "Sk Sm So Z Zl Zp Zs ";
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
		if (name.p[i] != '_' && (!re_is_alnum(name.p[i]) || name.p[i] <= '9'))
			return false;
	return regex_script_exists(name);
}

static void put_property(struct re_parser *p, struct class *out, struct str name, bool negated, size_t beg)
{
	struct str folded = (p->flags & RE_FLAG_I) != 0 ? regex_folded_category(name, negated) : (struct str){ 0 };
	char letter = negated ? 'P' : 'p';

	out->has_property = true;
	if (folded.n > 0)
		buf_puts(&out->text, folded);
	else if (is_category(name) || str_eq(name, STR("Any")))
		buf_printf(&out->text, "\\%c{" STR_FMT "}", letter, STR_ARG(name));
	else if (is_script_name(name))
		buf_printf(&out->text, "\\%c{sc:" STR_FMT "}", letter, STR_ARG(name));
	else
		re_fail(p, beg, "unknown Unicode class: categories such as \\p{Lu} and scripts such as \\p{Greek} are known");
}

/* \pL \p{Greek} \P{^Greek} */
static bool parse_property(struct re_parser *p, struct class *out)
{
	size_t beg = p->at;
	bool negated = re_looking_at(p, "\\P");
	struct str name;

	if (!re_accept(p, "\\p") && !re_accept(p, "\\P"))
		return false;
	if (re_accept(p, "{")) {
		name = (struct str){ p->s.p + p->at, p->s.n - p->at };
		name.n = str_chr(name, '}');
		p->at += name.n + 1;
	} else {
		name = p->at < p->s.n ? re_take_char(p) : (struct str){ p->s.p + p->at, 0 };
	}
	if (p->at > p->s.n)
		return re_fail(p, beg, "missing } behind \\p{");
	if (name.n > 0 && name.p[0] == '^') {
		negated = !negated;
		name = (struct str){ name.p + 1, name.n - 1 };
	}
	put_property(p, out, name, negated, beg);
	return true;
}

/* [:alpha:] [:^alpha:] */
static bool parse_posix(struct re_parser *p, struct class *out)
{
	struct str rest = { p->s.p + p->at, p->s.n - p->at }, name;
	size_t end;
	bool negated;

	if (!re_looking_at(p, "[:") || (end = str_find(rest, STR(":]"))) == rest.n || end < 2)
		return false;
	name = (struct str){ rest.p + 2, end - 2 };
	negated = name.n > 0 && name.p[0] == '^';
	if (negated)
		name = (struct str){ name.p + 1, name.n - 1 };
	if (!put_named(p, out, name, negated))
		return re_fail(p, p->at, "unknown class name: [:alpha:], [:digit:], [:space:] and so on are known");
	p->at += end + 2;
	return true;
}

static uint32_t parse_class_char(struct re_parser *p)
{
	if (re_peek(p, 0) == '\\')
		return re_parse_escape(p);
	return str_utf8_rune(re_take_char(p));
}

static void parse_class_range(struct re_parser *p, struct class *out)
{
	size_t beg = p->at;
	uint32_t lo = parse_class_char(p), hi = lo;

	if (re_peek(p, 0) == '-' && p->at + 1 < p->s.n && re_peek(p, 1) != ']') {
		p->at++;
		hi = parse_class_char(p);
	}
	if (hi < lo)
		re_fail(p, beg, "invalid class range: its end is before its beginning");
	/* PCRE2 takes no surrogates; RE2 takes them, and nothing can match them. */
	if (lo >= 0xd800 && lo <= 0xdfff)
		lo = 0xe000;
	if (hi >= 0xd800 && hi <= 0xdfff)
		hi = 0xd7ff;
	if (lo <= hi)
		buf_printf(&out->text, "\\x{%x}-\\x{%x}", lo, hi);
}

static void parse_class_items(struct re_parser *p, struct class *out, size_t beg)
{
	for (bool first = true; !re_failed(p) && (first || re_peek(p, 0) != ']'); first = false) {
		if (p->at >= p->s.n) {
			re_fail(p, beg, "missing ] behind a character class");
			return;
		}
		if (!parse_posix(p, out) && !re_failed(p) && !parse_perl_class(p, out) && !parse_property(p, out) && !re_failed(p))
			parse_class_range(p, out);
	}
	re_accept(p, "]");
}

static struct re_node *class_node(struct re_parser *p, struct str text, size_t beg)
{
	struct re_node *n = re_node_new(p, RE_CLASS, beg);

	n->text = arena_str(p->arena, text);
	n->fold = (p->flags & RE_FLAG_I) != 0;
	return n;
}

struct re_node *re_empty_class(struct re_parser *p, size_t pos)
{
	return class_node(p, STR("[^\\x{0}-\\x{10ffff}]"), pos);
}

/* What stands between the brackets. */
static void parse_class_text(struct re_parser *p, struct class *out, size_t beg)
{
	size_t at = p->at;

	parse_class_items(p, out, beg);
	if (re_failed(p) || !out->has_others || !out->has_property)
		return;
	out->text.n = 0;
	out->spelt = true;
	p->at = at;
	parse_class_items(p, out, beg);
}

struct re_node *re_parse_class(struct re_parser *p)
{
	struct class out = { 0 };
	struct buf text = { 0 };
	size_t beg = p->at++;
	bool negated = re_accept(p, "^");
	struct re_node *n;

	parse_class_text(p, &out, beg);
	buf_printf(&text, "[%s" STR_FMT "]", negated ? "^" : "", STR_ARG(buf_str(&out.text)));
	if (out.text.n > 0)
		n = class_node(p, buf_str(&text), beg);
	else if (negated)
		n = class_node(p, STR("[\\x{0}-\\x{10ffff}]"), beg);
	else
		n = re_empty_class(p, beg);
	buf_fini(&out.text);
	buf_fini(&text);
	return n;
}

struct re_node *re_parse_class_escape(struct re_parser *p)
{
	size_t beg = p->at;
	struct class out = { 0 };
	struct re_node *n = NULL;

	buf_putc(&out.text, '[');
	if (parse_perl_class(p, &out) || parse_property(p, &out)) {
		buf_putc(&out.text, ']');
		n = class_node(p, buf_str(&out.text), beg);
	}
	buf_fini(&out.text);
	return n;
}
