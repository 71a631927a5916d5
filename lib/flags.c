/* Command lines by table. */
#include "tocsin/flags.h"

#include "tocsin/num.h"

static const struct flag *find(const struct flag *flags, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of(flags[i].name), name))
			return &flags[i];
	return NULL;
}

static bool take(const struct flag *f, struct str value, struct err *e)
{
	struct flag_list *list = f->to;

	switch (f->kind) {
	case FLAG_TEXT:
		*(struct str *)f->to = value;
		return true;
	case FLAG_LIST:
		if (list->n == FLAG_LIST_MAX)
			return err_set(e, ERR_LIMIT, -1, "--%s is given too often: at most %d times", f->name, FLAG_LIST_MAX);
		list->v[list->n++] = value;
		return true;
	case FLAG_DURATION:
		return num_parse_duration_ms(value, f->to) ||
		       err_set(e, ERR_BAD_INPUT, -1, "--%s=" STR_FMT " is no duration: write it like 30s, 15d or 1h30m", f->name,
		           STR_ARG(value));
	case FLAG_BYTES:
		return num_parse_bytes(value, f->to) ||
		       err_set(e, ERR_BAD_INPUT, -1, "--%s=" STR_FMT " is no size: write it like 512MB", f->name, STR_ARG(value));
	case FLAG_SWITCH:
		break;
	}
	return err_set(e, ERR_BAD_INPUT, -1, "--%s takes no value: write --%s or --no-%s", f->name, f->name, f->name);
}

/* --name or --no-name. */
static bool take_switch(const struct flag *flags, size_t n, struct str name)
{
	const struct flag *f = find(flags, n, name);
	bool value = true;

	if (f == NULL && str_starts(name, STR("no-"))) {
		f = find(flags, n, (struct str){ name.p + 3, name.n - 3 });
		value = false;
	}
	if (f == NULL || f->kind != FLAG_SWITCH)
		return false;
	*(bool *)f->to = value;
	return true;
}

/* One word that begins with dashes; <next> is the word behind it. Sets <*used_next>. */
static bool take_word(const struct flag *flags, size_t n, struct str word, const char *next, bool *used_next, struct err *e)
{
	struct str name = word;
	size_t eq = str_chr(word, '=');
	const struct flag *f;

	*used_next = false;
	name.n = eq;
	if (eq == word.n && take_switch(flags, n, name))
		return true;
	f = find(flags, n, name);
	if (f == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "unknown flag --" STR_FMT ": --help lists them", STR_ARG(name));
	if (eq < word.n)
		return take(f, (struct str){ word.p + eq + 1, word.n - eq - 1 }, e);
	if (next == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "--%s needs a value: --%s=%s", f->name, f->name, f->shows ? f->shows : "VALUE");
	*used_next = true;
	return take(f, str_of(next), e);
}

/* Defaults: lists get theirs last, when nothing was given. */
static bool take_fallbacks(const struct flag *flags, size_t n, bool lists, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		bool is_list = flags[i].kind == FLAG_LIST;

		if (flags[i].fallback == NULL || flags[i].kind == FLAG_SWITCH || is_list != lists)
			continue;
		if (is_list && ((struct flag_list *)flags[i].to)->n > 0)
			continue;
		if (!take(&flags[i], str_of(flags[i].fallback), e))
			return false;
	}
	return true;
}

static bool take_plain(struct flag_list *rest, const char *word, struct err *e)
{
	if (rest == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "unexpected argument '%s': --help shows how it is called", word);
	if (rest->n == FLAG_LIST_MAX)
		return err_set(e, ERR_LIMIT, -1, "too many arguments: at most %d", FLAG_LIST_MAX);
	rest->v[rest->n++] = str_of(word);
	return true;
}

bool flags_parse(const struct flag *flags, size_t n, int argc, char **argv, struct flag_list *rest, struct err *e)
{
	bool dashes = true, used_next;

	if (!take_fallbacks(flags, n, false, e))
		return false;
	for (int i = 1; i < argc; i++) {
		struct str word = str_of(argv[i]);

		if (dashes && str_eq(word, STR("--"))) {
			dashes = false;
		} else if (dashes && word.n > 1 && word.p[0] == '-') {
			size_t skip = word.p[1] == '-' ? 2 : 1;

			word = (struct str){ word.p + skip, word.n - skip };
			if (!take_word(flags, n, word, i + 1 < argc ? argv[i + 1] : NULL, &used_next, e))
				return false;
			i += used_next;
		} else if (!take_plain(rest, argv[i], e)) {
			return false;
		}
	}
	return take_fallbacks(flags, n, true, e);
}

void flag_print_value(struct buf *out, const struct flag *f)
{
	const struct flag_list *list = f->to;
	char text[NUM_MAX];

	switch (f->kind) {
	case FLAG_TEXT:
		buf_puts(out, *(const struct str *)f->to);
		return;
	case FLAG_LIST:
		for (size_t i = 0; i < list->n; i++)
			buf_printf(out, "%s" STR_FMT, i > 0 ? "," : "", STR_ARG(list->v[i]));
		return;
	case FLAG_SWITCH:
		buf_putz(out, *(const bool *)f->to ? "true" : "false");
		return;
	case FLAG_DURATION:
		buf_put(out, text, num_format_duration(text, *(const int64_t *)f->to));
		return;
	case FLAG_BYTES:
		buf_printf(out, "%lld", (long long)*(const int64_t *)f->to);
		return;
	}
}

void flags_print_help(struct buf *out, const struct flag *flags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct flag *f = &flags[i];
		size_t begin = out->n;

		buf_printf(out, "  --%s%s%s ", f->name, f->shows ? "=" : "", f->shows ? f->shows : "");
		while (out->n - begin < 39)
			buf_putc(out, ' ');
		buf_putz(out, f->help);
		if (f->fallback != NULL && f->fallback[0] != '\0')
			buf_printf(out, " (default: %s)", f->fallback);
		buf_printf(out, "%s\n", f->kind == FLAG_LIST ? " May be given again." : "");
	}
}
