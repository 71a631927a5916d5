/* What the bodies in notifiers.c may call, beside Go's own functions. */
#include "notify/receivers/notifier.h"

#include <stdlib.h>

#include "notify/receivers/markup.h"
#include "tocsin/http.h"
#include "tocsin/num.h"

static struct template_value map_of(struct arena *a, const struct template_field *v, size_t n)
{
	struct template_map *m = ARENA_NEW(a, struct template_map);

	*m = (struct template_map){v, n, NULL};
	return (struct template_value){.kind = TEMPLATE_MAP, .map = m};
}

static bool is_empty(struct template_value v)
{
	return v.kind == TEMPLATE_NIL || (v.kind == TEMPLATE_STRING && v.s.n == 0) || (v.kind == TEMPLATE_LIST && v.list->n == 0) ||
	       (v.kind == TEMPLATE_MAP && v.map->n == 0);
}

static bool pairs(struct template_call *c, bool all)
{
	struct template_field *v = ARENA_ARRAY(c->arena, c->n_args / 2 + 1, struct template_field);
	size_t n = 0;

	for (size_t i = 0; i + 1 < c->n_args; i += 2) {
		if (!template_arg_str(c, i, &v[n].name))
			return false;
		v[n].value = c->args[i + 1];
		n += all || !is_empty(v[n].value);
	}
	c->out = map_of(c->arena, v, n);
	return true;
}

/* object "key" value …: what is empty is left out. */
static bool object(struct template_call *c)
{
	return pairs(c, false);
}

static bool dict(struct template_call *c)
{
	return pairs(c, true);
}

static bool list(struct template_call *c)
{
	struct template_value *v = ARENA_ARRAY(c->arena, c->n_args + 1, struct template_value);

	memcpy(v, c->args, c->n_args * sizeof *v);
	c->out = template_list_of(c->arena, v, c->n_args, NULL);
	return true;
}

/* merge a b: all of both; b's values count. What is no map is an empty one. */
static bool merge(struct template_call *c)
{
	size_t n = 0, room = 1;
	struct template_field *v;

	for (size_t i = 0; i < c->n_args; i++)
		room += c->args[i].kind == TEMPLATE_MAP ? c->args[i].map->n : 0;
	v = ARENA_ARRAY(c->arena, room, struct template_field);
	for (size_t i = 0; i < c->n_args; i++)
		for (size_t k = 0; c->args[i].kind == TEMPLATE_MAP && k < c->args[i].map->n; k++) {
			size_t at = 0;

			while (at < n && !str_eq(v[at].name, c->args[i].map->v[k].name))
				at++;
			n += at == n;
			v[at] = c->args[i].map->v[k];
		}
	c->out = map_of(c->arena, v, n);
	return true;
}

/* each list "key" value: every map of the list has the key. */
static bool each(struct template_call *c)
{
	const struct template_list *l = c->args[0].kind == TEMPLATE_LIST ? c->args[0].list : NULL;
	struct template_value *v = ARENA_ARRAY(c->arena, l != NULL ? l->n + 1 : 1, struct template_value);
	struct template_field given = {.value = c->args[2]};

	if (!template_arg_str(c, 1, &given.name))
		return false;
	for (size_t i = 0; l != NULL && i < l->n; i++) {
		struct template_value both[] = {map_of(c->arena, &given, 1), l->v[i]};
		struct template_call one = {.args = both, .n_args = 2, .arena = c->arena};

		merge(&one);
		v[i] = one.out;
	}
	c->out = template_list_of(c->arena, v, l != NULL ? l->n : 0, NULL);
	return true;
}

static bool choose(struct template_call *c)
{
	c->out = template_truth(c->args[0]) ? c->args[1] : c->args[2];
	return true;
}

static enum markup markup_named(struct str name)
{
	static const struct {
		const char *name;
		enum markup markup;
	} names[] = {{"HTML", MARKUP_HTML}, {"Markdown", MARKUP_MARKDOWN}, {"MarkdownV2", MARKUP_MARKDOWN}, {"slack", MARKUP_SLACK}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(name, str_of(names[i].name)))
			return names[i].markup;
	return MARKUP_NONE;
}

/* cut max text [tail [markup]]: the tail is there whatever is cut. */
static bool cut_at(struct template_call *c, bool bytes)
{
	struct markup_limit l = {.bytes = bytes, .tail = STR("")};
	struct str text, markup = STR("");
	int64_t max;

	if (!template_arg_int(c, 0, &max) || !template_arg_str(c, 1, &text) || (c->n_args > 2 && !template_arg_str(c, 2, &l.tail)) ||
	    (c->n_args > 3 && !template_arg_str(c, 3, &markup)))
		return false;
	l.max = (size_t)max;
	l.markup = markup_named(markup);
	c->out = template_str(markup_cut(c->arena, text, &l));
	return true;
}

static bool cut(struct template_call *c)
{
	return cut_at(c, false);
}

static bool cut_bytes(struct template_call *c)
{
	return cut_at(c, true);
}

/* cutAscii max text: one line of it, for who refuses anything else. */
static bool cut_ascii(struct template_call *c)
{
	struct markup_limit l = {.ascii = true, .tail = STR("")};
	struct buf b = {0};
	struct str text;
	int64_t max;

	if (!template_arg_int(c, 0, &max) || !template_arg_str(c, 1, &text))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.p[i];

		if ((byte & 0xc0) != 0x80)
			buf_putc(&b, byte < 0x20 || byte == 0x7f ? ' ' : byte < 0x80 ? (char)byte : '?');
	}
	l.max = (size_t)max;
	c->out = template_str(markup_cut(c->arena, arena_str(c->arena, buf_str(&b)), &l));
	buf_fini(&b);
	return true;
}

/* plain text markup: without its markup, as one would read it. */
static bool plain(struct template_call *c)
{
	struct str text, markup;

	if (!template_arg_str(c, 0, &text) || !template_arg_str(c, 1, &markup))
		return false;
	c->out = markup_named(markup) == MARKUP_HTML ? template_str(markup_plain(c->arena, text)) : c->args[0];
	return true;
}

/* split "a, b" [most longest]: as a list of so many, each of so many characters. */
static bool split(struct template_call *c)
{
	int64_t most = INT64_MAX, longest = INT64_MAX;
	struct str rest, part;
	struct template_value *v;
	size_t n = 0;

	if (!template_arg_str(c, 0, &rest) ||
	    (c->n_args > 2 && (!template_arg_int(c, 1, &most) || !template_arg_int(c, 2, &longest))))
		return false;
	v = ARENA_ARRAY(c->arena, rest.n + 1, struct template_value);
	while (rest.n > 0 && (int64_t)n < most && str_cut(&rest, ',', &part))
		if (str_trim(part).n > 0)
			v[n++] = template_str(markup_cut(c->arena, str_trim(part), &(struct markup_limit){.max = (size_t)longest}));
	c->out = template_list_of(c->arena, v, n, NULL);
	return true;
}

static bool slash(struct template_call *c)
{
	struct str s;

	if (!template_arg_str(c, 0, &s))
		return false;
	c->out = template_str(arena_printf(c->arena, STR_FMT "%s", STR_ARG(s), str_ends(s, STR("/")) ? "" : "/"));
	return true;
}

/* A piece of a path. */
static bool path(struct template_call *c)
{
	struct buf b = {0};
	struct str s;

	if (!template_arg_str(c, 0, &s))
		return false;
	http_encode(&b, s);
	return template_answer(c, &b);
}

/* A map as the body of an HTML form. */
static bool form(struct template_call *c)
{
	struct buf b = {.limit = TEMPLATE_MAX_OUTPUT_BYTES};
	const struct template_map *m = c->args[0].map;

	for (size_t i = 0; c->args[0].kind == TEMPLATE_MAP && i < m->n; i++) {
		struct buf value = {0};

		template_print(&value, m->v[i].value);
		buf_printf(&b, "%s" STR_FMT "=", i > 0 ? "&" : "", STR_ARG(m->v[i].name));
		http_encode(&b, buf_str(&value));
		buf_fini(&value);
	}
	return template_answer(c, &b);
}

/* entries "prefix" map: prefix.1.Name, prefix.1.Value.DataType, prefix.1.Value.StringValue …, as AWS takes maps. */
static bool entries(struct template_call *c)
{
	const struct template_map *m = c->args[1].kind == TEMPLATE_MAP ? c->args[1].map : NULL;
	struct template_field *v = ARENA_ARRAY(c->arena, m != NULL ? 3 * m->n + 1 : 1, struct template_field);
	struct str prefix;
	size_t n = 0;

	if (!template_arg_str(c, 0, &prefix))
		return false;
	for (size_t i = 0; m != NULL && i < m->n; i++) {
				v[n++] = (struct template_field){arena_printf(c->arena, STR_FMT ".%zu.%s", STR_ARG(prefix), i + 1, "Name"), template_str(m->v[i].name)};
		v[n++] = (struct template_field){arena_printf(c->arena, STR_FMT ".%zu.%s", STR_ARG(prefix), i + 1, "Value.DataType"),
						 template_str(STR("String"))};
		v[n++] = (struct template_field){arena_printf(c->arena, STR_FMT ".%zu.%s", STR_ARG(prefix), i + 1, "Value.StringValue"), m->v[i].value};
	}
	c->out = map_of(c->arena, v, n);
	return true;
}

/* ifEnds "end" text value: the value, when the text ends so. */
static bool if_ends(struct template_call *c)
{
	struct str end, text;

	if (!template_arg_str(c, 0, &end) || !template_arg_str(c, 1, &text))
		return false;
	c->out = str_ends(text, end) ? c->args[2] : template_str(STR(""));
	return true;
}

/* swapEnd "end" "other" text: the text with another end, when it ends so. */
static bool swap_end(struct template_call *c)
{
	struct str end, other, text;

	if (!template_arg_str(c, 0, &end) || !template_arg_str(c, 1, &other) || !template_arg_str(c, 2, &text))
		return false;
	c->out = str_ends(text, end) ? template_str(arena_printf(c->arena, STR_FMT STR_FMT, (int)(text.n - end.n), text.p, STR_ARG(other)))
				     : c->args[2];
	return true;
}

/* at map "a" "b": map.a.b; "" where anything is missing. */
static bool at(struct template_call *c)
{
	struct template_value v = c->args[0];
	struct str name;

	for (size_t i = 1; i < c->n_args; i++) {
		size_t k = 0, n = v.kind == TEMPLATE_MAP ? v.map->n : 0;

		if (!template_arg_str(c, i, &name))
			return false;
		while (k < n && !str_eq(v.map->v[k].name, name))
			k++;
		v = k < n ? v.map->v[k].value : template_str(STR(""));
	}
	c->out = v;
	return true;
}

static struct str member(const struct template_map *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].name, str_of(name)) && m->v[i].value.kind == TEMPLATE_STRING)
			return m->v[i].value.s;
	return STR("");
}

static bool says_nothing(const struct template_map *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (!is_empty(m->v[i].value))
			return false;
	return true;
}

static struct template_value team(struct arena *a, struct str name)
{
	struct template_field *v = ARENA_ARRAY(a, 2, struct template_field);

	v[0] = (struct template_field){STR("name"), template_str(name)};
	v[1] = (struct template_field){STR("type"), template_str(STR("team"))};
	return map_of(a, v, 2);
}

/* Opsgenie's responders: those of type "teams" have several names, and what templates left empty is nobody. */
static bool teams(struct template_call *c)
{
	const struct template_list *l = c->args[0].kind == TEMPLATE_LIST ? c->args[0].list : NULL;
	struct template_value *v = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = 0; l != NULL && i < l->n; i++) {
		struct str rest, one;
		bool several;

		if (l->v[i].kind != TEMPLATE_MAP || says_nothing(l->v[i].map))
			continue;
		several = str_eq(member(l->v[i].map, "type"), STR("teams"));
		rest = several ? member(l->v[i].map, "name") : STR("");
		while (several && rest.n > 0 && str_cut(&rest, ',', &one)) {
			v = arena_grow(c->arena, v, n, &cap, n + 1, sizeof *v);
			v[n] = team(c->arena, str_trim(one));
			n += str_trim(one).n > 0;
		}
		if (several)
			continue;
		v = arena_grow(c->arena, v, n, &cap, n + 1, sizeof *v);
		v[n++] = l->v[i];
	}
	c->out = template_list_of(c->arena, v, n, NULL);
	return true;
}

static const struct template_func funcs[] = {
    {"at", 2, -1, at}, {"choose", 3, 3, choose}, {"cut", 2, 4, cut}, {"cutAscii", 2, 2, cut_ascii},
    {"cutBytes", 2, 4, cut_bytes}, {"dict", 0, -1, dict}, {"each", 3, 3, each}, {"entries", 2, 2, entries},
    {"form", 1, 1, form}, {"ifEnds", 3, 3, if_ends}, {"list", 0, -1, list}, {"merge", 0, -1, merge},
    {"object", 0, -1, object}, {"path", 1, 1, path}, {"plain", 2, 2, plain}, {"slash", 1, 1, slash},
    {"split", 1, 3, split}, {"swapEnd", 3, 3, swap_end}, {"teams", 1, 1, teams}, {"toJson", 1, 1, notice_to_json},
};

const struct template_env notifier_template_env = {funcs, ARRAY_LEN(funcs), NULL, 0};
