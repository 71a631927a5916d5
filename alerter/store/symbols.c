/* Numbers of symbols nobody uses are given out again, last freed first. */
#include "store/symbols.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/mem.h"

struct symbol {
	uint32_t id, refs;
	size_t n;
	char text[];
};

void symbols_init(struct symbols *s)
{
	*s = (struct symbols){ .free_head = SYMBOL_NONE };
}

void symbols_fini(struct symbols *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	free(s->next_free);
	map_fini(&s->by_text);
}

static uint32_t take_number(struct symbols *s)
{
	uint32_t id = s->free_head;

	if (id != SYMBOL_NONE) {
		s->free_head = s->next_free[id];
		return id;
	}
	assert(s->n < SYMBOL_NONE);
	s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
	s->next_free = mem_grow(s->next_free, &s->next_free_cap, s->n + 1, sizeof *s->next_free);
	return (uint32_t)s->n++;
}

uint32_t symbols_ref(struct symbols *s, struct str text)
{
	struct symbol *sym = map_get(&s->by_text, text);

	if (sym == NULL) {
		sym = mem_alloc(sizeof *sym + text.n + 1);
		sym->id = take_number(s);
		sym->n = text.n;
		if (text.n > 0)
			memcpy(sym->text, text.p, text.n);
		s->v[sym->id] = sym;
		map_put(&s->by_text, (struct str){ sym->text, sym->n }, sym);
	}
	sym->refs++;
	return sym->id;
}

bool symbols_ref_again(struct symbols *s, uint32_t id, struct str text)
{
	struct symbol *sym = id < s->n ? s->v[id] : NULL;

	if (sym == NULL || !str_eq((struct str){ sym->text, sym->n }, text))
		return false;
	sym->refs++;
	return true;
}

void symbols_ref_number(struct symbols *s, uint32_t id)
{
	assert(s->v[id] != NULL);
	s->v[id]->refs++;
}

void symbols_unref(struct symbols *s, uint32_t id)
{
	struct symbol *sym = s->v[id];

	assert(sym != NULL && sym->refs > 0);
	if (--sym->refs > 0)
		return;
	map_del(&s->by_text, (struct str){ sym->text, sym->n });
	free(sym);
	s->v[id] = NULL;
	s->next_free[id] = s->free_head;
	s->free_head = id;
}

uint32_t symbols_find(const struct symbols *s, struct str text)
{
	const struct symbol *sym = map_get(&s->by_text, text);

	return sym != NULL ? sym->id : SYMBOL_NONE;
}

struct str symbols_text(const struct symbols *s, uint32_t id)
{
	const struct symbol *sym = s->v[id];

	assert(sym != NULL);
	return (struct str){ sym->text, sym->n };
}
