/* Alertmanager's routing tree. A matcher whose regex hits its limit counts as a match: a page too many, not one too few. */
#include "notify/route.h"

#include "notify/matcher.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

static bool matches(const struct route *r, struct labels labels)
{
	struct err e = { 0 };
	bool hit = matchers_test(r->matchers, r->n_matchers, labels, &e);

	if (e.code != ERR_NONE)
		log_event(LOG_WARN, "a route's matcher gave up; taken as a match", "route", r->key.p, "err", e.msg, NULL);
	return hit || e.code != ERR_NONE;
}

static void walk(const struct route *r, struct labels labels, struct route_list *out)
{
	size_t before = out->n;

	if (!matches(r, labels))
		return;
	for (size_t i = 0; i < r->n_routes; i++) {
		size_t had = out->n;

		walk(&r->routes[i], labels, out);
		if (out->n > had && !r->routes[i].go_on)
			break;
	}
	if (out->n > before)
		return;
	out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
	out->v[out->n++] = r;
}

struct route_list route_match(const struct route *root, struct labels labels)
{
	struct route_list found = { 0 };

	if (root != NULL)
		walk(root, labels, &found);
	return found;
}

static bool groups_by(const struct route *r, struct str name)
{
	for (size_t i = 0; i < r->n_group_by; i++)
		if (str_eq(r->group_by[i], name))
			return true;
	return r->group_by_all;
}

struct labels route_group_labels(const struct route *r, struct labels labels, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, labels.n + 1, struct label);
	size_t n = 0;

	for (size_t i = 0; i < labels.n; i++)
		if (groups_by(r, labels.v[i].name))
			v[n++] = labels.v[i];
	return (struct labels){ v, n };
}

struct str route_group_key(const struct route *r, struct labels group_labels, struct arena *a)
{
	struct buf b = { 0 };
	struct str key;

	buf_puts(&b, r->key);
	buf_putz(&b, ":{");
	for (size_t i = 0; i < group_labels.n; i++) {
		buf_printf(&b, "%s" STR_FMT "=\"", i > 0 ? ", " : "", STR_ARG(group_labels.v[i].name));
		labels_escape(&b, group_labels.v[i].value);
		buf_putc(&b, '"');
	}
	buf_putc(&b, '}');
	key = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return key;
}
