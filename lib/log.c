/* One line an event on stderr. Settings are written once at start-up, before threads. */
#include "tocsin/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tocsin/buf.h"
#include "tocsin/clock.h"

static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;
static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const format_names[] = { "logfmt", "json" };

void log_setup(enum log_level least, enum log_format format)
{
	least_level = least;
	line_format = format;
}

static bool find_name(const char *const *names, size_t n, struct str s, size_t *out)
{
	for (*out = 0; *out < n; ++*out)
		if (str_eq(str_of(names[*out]), s))
			return true;
	return false;
}

bool log_level_parse(struct str s, enum log_level *out)
{
	size_t i;

	if (!find_name(level_names, ARRAY_LEN(level_names), s, &i))
		return false;
	*out = (enum log_level)i;
	return true;
}

bool log_format_parse(struct str s, enum log_format *out)
{
	size_t i;

	if (!find_name(format_names, ARRAY_LEN(format_names), s, &i))
		return false;
	*out = (enum log_format)i;
	return true;
}

/* In quotes, JSON escapes; logfmt readers take the same. */
static void put_quoted(struct buf *b, const char *z)
{
	buf_putc(b, '"');
	for (; *z; z++) {
		unsigned char c = (unsigned char)*z;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_putz(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_putc(b, (char)c);
	}
	buf_putc(b, '"');
}

static bool is_bare(const char *z)
{
	if (*z == '\0')
		return false;
	for (; *z; z++)
		if ((unsigned char)*z <= ' ' || *z == '"' || *z == '=' || *z == '\\' || (unsigned char)*z >= 0x7f)
			return false;
	return true;
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		value = "";
	if (line_format == LOG_JSON) {
		buf_putc(b, b->n ? ',' : '{');
		put_quoted(b, key);
		buf_putc(b, ':');
		put_quoted(b, value);
		return;
	}
	if (b->n > 0)
		buf_putc(b, ' ');
	buf_printf(b, "%s=", key);
	if (is_bare(value))
		buf_putz(b, value);
	else
		put_quoted(b, value);
}

static void begin(struct buf *b, enum log_level level, const char *msg)
{
	char when[32];

	clock_format_rfc3339(when, clock_now_ms(&clock_system));
	put_pair(b, "time", when);
	put_pair(b, "level", level_names[level]);
	put_pair(b, "msg", msg);
}

static void end(struct buf *b)
{
	ssize_t n;

	if (line_format == LOG_JSON)
		buf_putc(b, '}');
	buf_putc(b, '\n');
	n = write(STDERR_FILENO, b->p, b->n);
	(void)n;        /* nowhere left to complain */
	buf_fini(b);
}

void log_event(enum log_level level, const char *msg, ...)
{
	struct buf b = { 0 };
	const char *key;
	va_list ap;

	if (level < least_level)
		return;
	begin(&b, level, msg);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *)) != NULL)
		put_pair(&b, key, va_arg(ap, const char *));
	va_end(ap);
	end(&b);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	struct buf b = { 0 };
	char msg[1024];
	va_list ap;

	if (level < least_level)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	begin(&b, level, msg);
	end(&b);
}
