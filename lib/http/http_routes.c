/* Who answers a path, and which methods there are. Pure text: no sockets here. */
#include <stdlib.h>

#include "http_private.h"
#include "tocsin/mem.h"

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
	all->v = mem_grow(all->v, &all->cap, all->n + n, sizeof *all->v);
	for (size_t i = 0; i < n; i++)
		all->v[all->n++] = (struct http_place){ str_of(v[i].path), (v[i].flags & HTTP_PREFIX) != 0, &v[i], ctx };
}

void http_routes_fini(struct http_routes *all)
{
	free(all->v);
}

const struct http_route *http_routes_find(const struct http_routes *all, struct str path, unsigned method, void **ctx)
{
	const struct http_route *best = NULL;
	size_t best_rank = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct http_place *at = &all->v[i];
		size_t rank;

		if (at->prefix ? !str_starts(path, at->path) : !str_eq(path, at->path))
			continue;
		rank = 4 * at->path.n + (at->prefix ? 0u : 2u) + ((at->route->methods & method) != 0 ? 1u : 0u);
		if (best != NULL && rank <= best_rank)
			continue;
		best = at->route;
		best_rank = rank;
		*ctx = at->ctx;
	}
	return best;
}

void http_routes_print(const struct http_routes *all, struct buf *out)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].route->help != NULL)
			buf_printf(out, "%-32s %s\n", all->v[i].route->path, all->v[i].route->help);
}
