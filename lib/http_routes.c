/* Who answers a path, and which methods there are. Pure text: no sockets here. */
#include <assert.h>

#include "http_private.h"

static const struct {
	const char *name;
	unsigned bit;
} methods[] = { { "GET", HTTP_GET }, { "HEAD", HTTP_GET }, { "POST", HTTP_POST }, { "PUT", HTTP_PUT }, { "DELETE", HTTP_DELETE },
	        { "OPTIONS", HTTP_OPTIONS } };

unsigned http_method_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].bit;
	return 0;
}

void http_put_methods(struct buf *out, unsigned set)
{
	const char *before = "";

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if ((set & methods[i].bit) == 0)
			continue;
		buf_printf(out, "%s%s", before, methods[i].name);
		before = ", ";
	}
}

void http_routes_add(struct http_routes *all, const struct http_route *v, size_t n, void *ctx)
{
	assert(all->n < ARRAY_LEN(all->tables));
	all->tables[all->n++] = (struct http_table){ v, n, ctx };
}

static bool route_matches(const struct http_route *route, struct str path)
{
	struct str own = str_of(route->path);

	return (route->flags & HTTP_PREFIX) != 0 ? str_starts(path, own) : str_eq(path, own);
}

const struct http_route *http_routes_find(const struct http_routes *all, struct str path, unsigned method, void **ctx)
{
	const struct http_route *best = NULL;
	size_t best_rank = 0;

	for (size_t t = 0; t < all->n; t++) {
		for (size_t i = 0; i < all->tables[t].n; i++) {
			const struct http_route *route = &all->tables[t].v[i];
			bool exact = (route->flags & HTTP_PREFIX) == 0, takes = (route->methods & method) != 0;
			size_t rank = 4 * strlen(route->path) + (exact ? 2u : 0u) + (takes ? 1u : 0u);

			if (!route_matches(route, path) || (best != NULL && rank <= best_rank))
				continue;
			best = route;
			best_rank = rank;
			*ctx = all->tables[t].ctx;
		}
	}
	return best;
}

void http_routes_print(const struct http_routes *all, struct buf *out)
{
	for (size_t t = 0; t < all->n; t++)
		for (size_t i = 0; i < all->tables[t].n; i++)
			if (all->tables[t].v[i].help != NULL)
				buf_printf(out, "%-32s %s\n", all->tables[t].v[i].path, all->tables[t].v[i].help);
}
