/* Lenient where it costs nothing (a number's inner form, control characters in strings), strict where it decides how far a value
 * goes. */
#include "celery/jscan.h"

#define MAX_DEPTH 64

static void fail(struct jscan *j)
{
	j->bad = true;
	j->p = j->end;
}

char jscan_peek(struct jscan *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
	return j->p < j->end ? *j->p : '\0';
}

static bool take(struct jscan *j, char c)
{
	if (jscan_peek(j) != c) {
		fail(j);
		return false;
	}
	j->p++;
	return true;
}

bool jscan_open(struct jscan *j, char bracket)
{
	return take(j, bracket);
}

/* What stands between the quotes. */
static struct str take_string(struct jscan *j, bool *escaped)
{
	const char *beg;

	*escaped = false;
	if (!take(j, '"'))
		return STR("");
	for (beg = j->p; j->p < j->end && *j->p != '"'; j->p++) {
		if (*j->p == '\\') {
			*escaped = true;
			j->p++;
		}
	}
	if (j->p >= j->end) {
		fail(j);
		return STR("");
	}
	return str_between(beg, j->p++);
}

bool jscan_member(struct jscan *j, bool first, struct str *key)
{
	bool escaped;

	if (jscan_peek(j) == '}') {
		j->p++;
		return false;
	}
	if (!first && !take(j, ','))
		return false;
	*key = take_string(j, &escaped);
	return take(j, ':');
}

bool jscan_item(struct jscan *j, bool first)
{
	if (jscan_peek(j) == ']') {
		j->p++;
		return false;
	}
	return !j->bad && (first || take(j, ',')) && j->p < j->end;
}

static struct str take_word(struct jscan *j)
{
	const char *beg = j->p;

	while (j->p < j->end && strchr(",]} \t\r\n", *j->p) == NULL)
		j->p++;
	if (j->p == beg)
		fail(j);
	return str_between(beg, j->p);
}

/* Brackets are only counted, not matched by kind: what is stepped over need not be right, just end somewhere. */
void jscan_skip(struct jscan *j)
{
	int depth = 0;
	bool escaped;

	do {
		switch (jscan_peek(j)) {
		case '{':
		case '[':
			depth++;
			j->p++;
			break;
		case '}':
		case ']':
			depth--;
			j->p++;
			break;
		case '"':
			take_string(j, &escaped);
			break;
		case ',':
		case ':':
			j->p++;
			break;
		default:
			take_word(j);
		}
		if (depth < 0 || depth > MAX_DEPTH)
			fail(j);
	} while (depth > 0 && !j->bad);
}

bool jscan_enter(struct jscan *j)
{
	if (jscan_peek(j) == '{')
		return jscan_open(j, '{');
	jscan_skip(j);
	return false;
}

static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char c = p[i];
		const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return -1;
		v = v * 16 + digit;
	}
	return v;
}

static char *put_utf8(char *to, int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* Behind "\u"; takes the second half of a pair. A half alone becomes U+FFFD. */
static int take_unicode(const char **p, const char *end)
{
	const int high = hex4(*p, end);
	int low;

	if (high < 0)
		return 0xfffd;
	*p += 4;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || (low = hex4(*p + 2, end)) < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*p += 6;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* At most half as long again as what was escaped: a broken \u of two bytes becomes the three of U+FFFD. */
static struct str unescape(struct arena *a, struct str raw)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	char *out = arena_alloc_raw(a, raw.n + raw.n / 2 + 1), *at = out;
	const char *p = raw.p, *end = raw.p + raw.n;

	while (p < end) {
		if (*p != '\\' || p + 1 == end) {
			*at++ = *p++;
			continue;
		}
		const char c = p[1], *known = c != '\0' ? strchr(from, c) : NULL;
		p += 2;
		if (c == 'u')
			at = put_utf8(at, take_unicode(&p, end));
		else
			*at++ = known != NULL ? to[known - from] : c;
	}
	return str_between(out, at);
}

void jscan_text(struct jscan *j, struct arena *a, struct str *out)
{
	bool escaped;

	if (jscan_peek(j) != '"') {
		jscan_skip(j);
		return;
	}
	const struct str raw = take_string(j, &escaped);
	if (!j->bad)
		*out = escaped ? unescape(a, raw) : raw;
}

void jscan_number(struct jscan *j, double *out)
{
	const char c = jscan_peek(j);
	double v;

	if (c != '-' && (c < '0' || c > '9'))
		jscan_skip(j);
	else if (str_to_double(take_word(j), &v))
		*out = v;
}

void jscan_bool(struct jscan *j, bool *out)
{
	const char c = jscan_peek(j);

	if (c != 't' && c != 'f') {
		jscan_skip(j);
		return;
	}
	*out = str_eq(take_word(j), STR("true"));
}
