/* A field of another type is a mistake that says so: an end that was meant must not pass for none. Source: Alertmanager's OpenAPI description
 * of /api/v2, and the answers of version 0.25. */
#include "v2_json.h"

void v2_refuse(struct http_request *q, const struct err *e)
{
	struct buf b = {0};
	struct json_out j = {&b, false};

	json_out_strz(&j, e->msg);
	http_reply_buf(q, err_http_status(e->code), "application/json", &b);
	buf_fini(&b);
}

enum { MAX_FILTERS = 64 };

bool v2_filters(const struct http_request *q, const struct str **out, size_t *n, struct err *e)
{
	struct str *v = ARENA_ARRAY(q->arena, MAX_FILTERS, struct str);

	*out = v;
	*n = 0;
	for (size_t i = 0; i < q->n_params; i++) {
		if (!str_eq(q->params[i].name, STR("filter")))
			continue;
		if (*n == MAX_FILTERS)
			return err_set(e, ERR_BAD_INPUT, -1, "there are more than %d filters (limit MAX_FILTERS)", MAX_FILTERS);
		v[(*n)++] = q->params[i].value;
	}
	return true;
}

bool v2_query_flag(const struct http_request *q, const char *name, bool *out, struct err *e)
{
	static const char *const words[2][8] = {{"false", "0", "no", "n", "off", "f", "disabled", "unchecked"},
						{"true", "1", "yes", "y", "on", "t", "enabled", "checked"}};
	struct str value = http_param(q, name);

	*out = true;
	if (value.n == 0)
		return true;
	for (size_t i = 0; i < 2 * ARRAY_LEN(words[0]); i++)
		if (str_eq_nocase(value, str_of(words[i % 2][i / 2]))) {
			*out = i % 2 == 1;
			return true;
		}
	return err_set(e, ERR_BAD_INPUT, -1, "%s is neither true nor false: " STR_FMT, name, STR_ARG(value));
}

static const char *type_name(const json_t *v)
{
	static const char *const names[] = {
	    [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
	    [JSON_REAL] = "a number", [JSON_TRUE] = "a boolean", [JSON_FALSE] = "a boolean", [JSON_NULL] = "null"};

	return names[json_typeof(v)];
}

static bool wrong_type(const char *key, const char *wanted, const json_t *v, struct err *e)
{
	return err_set(e, ERR_BAD_INPUT, -1, "%s must be %s, not %s", key, wanted, type_name(v));
}

/* True: <*out> is the value, NULL when absent. */
/* What may stand in a field, in words and as the bits of jansson's types. */
struct kind {
	const char *words;
	unsigned types;
};

static const struct kind a_string = { "a string", 1U << JSON_STRING };
static const struct kind a_time = { "an RFC 3339 time", 1U << JSON_STRING };
static const struct kind a_flag = { "true or false", 1U << JSON_TRUE | 1U << JSON_FALSE };
static const struct kind an_object = { "an object", 1U << JSON_OBJECT };

/* NULL in <out> where the field is absent and may be; null is absent. */
static bool field(json_t *o, const char *key, bool required, const struct kind *kind, json_t **out, struct err *e)
{
	*out = json_object_get(o, key);
	if (json_is_null(*out))
		*out = NULL;
	if (*out == NULL)
		return !required || err_set(e, ERR_EXEC, -1, "%s in body is required", key);
	return (kind->types >> json_typeof(*out) & 1) != 0 || wrong_type(key, kind->words, *out, e);
}

bool v2_text(json_t *o, const char *key, bool required, struct arena *a, struct str *out, struct err *e)
{
	json_t *v;

	*out = STR("");
	if (!field(o, key, required, &a_string, &v, e))
		return false;
	if (v == NULL)
		return true;
	*out = arena_str(a, (struct str){json_string_value(v), json_string_length(v)});
	return true;
}

/* Without a zone it is UTC. */
static bool parse_time(struct str text, int64_t *out_ms)
{
	char with_zone[64];
	int n = snprintf(with_zone, sizeof with_zone, STR_FMT "Z", STR_ARG(text));

	return clock_parse_rfc3339(text.p, text.n, out_ms) ||
	       (n < (int)sizeof with_zone && clock_parse_rfc3339(with_zone, (size_t)n, out_ms));
}

bool v2_time(json_t *o, const char *key, bool required, int64_t *out_ms, struct err *e)
{
	struct str text;
	json_t *v;

	*out_ms = 0;
	if (!field(o, key, required, &a_time, &v, e))
		return false;
	if (v == NULL)
		return true;
	text = (struct str){json_string_value(v), json_string_length(v)};
	return text.n == 0 || str_starts(text, STR("0001-01-01")) || parse_time(text, out_ms) ||
	       err_set(e, ERR_BAD_INPUT, -1, "%s is no RFC 3339 time", key);
}

bool v2_flag(json_t *o, const char *key, bool required, bool *out, struct err *e)
{
	json_t *v;

	if (!field(o, key, required, &a_flag, &v, e))
		return false;
	if (v == NULL)
		return true;
	*out = json_is_true(v);
	return true;
}

bool v2_labels(json_t *o, const char *key, bool required, struct arena *a, struct labels *out, struct err *e)
{
	json_t *map, *value;
	struct label *v;
	const char *name;
	size_t n = 0;

	*out = (struct labels){0};
	if (!field(o, key, required, &an_object, &map, e))
		return false;
	if (map == NULL)
		return true;
	v = ARENA_ARRAY(a, json_object_size(map) + 1, struct label);
	json_object_foreach(map, name, value)
	{
		v[n].name = arena_str(a, str_of(name));
		if (!v2_text(map, name, false, a, &v[n++].value, e))
			return err_context(e, "%s", key);
	}
	return labels_from(v, n, out, NULL) || err_set(e, ERR_BAD_INPUT, -1, "%s are given twice", key);
}
