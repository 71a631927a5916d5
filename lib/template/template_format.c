/* How Go prints values, and what it calls their types. Printf is in template_printf.c. */
#include "tocsin/template.h"

#include <stdlib.h>

#include "template_ast.h"
#include "tocsin/num.h"

const char *template_type_name(struct template_value v)
{
	static const char *const names[] = {
		[TEMPLATE_NIL] = "<nil>",        [TEMPLATE_BOOL] = "bool",
		[TEMPLATE_INT] = "int",          [TEMPLATE_FLOAT] = "float64",
		[TEMPLATE_STRING] = "string",    [TEMPLATE_DURATION] = "time.Duration",
		[TEMPLATE_TIME] = "time.Time",   [TEMPLATE_LIST] = "[]interface {}",
		[TEMPLATE_MAP] = "map[string]interface {}", [TEMPLATE_RECORD] = "struct",
	};
	const bool named = v.kind == TEMPLATE_INT && v.names != NULL;
	const struct template_type *type = v.kind == TEMPLATE_LIST ? v.list->type : v.kind >= TEMPLATE_MAP ? v.map->type : NULL;

	if (named)
		return v.names == template_months ? "time.Month" : "time.Weekday";
	return type != NULL ? type->name : names[v.kind];
}

static void print_map(struct buf *b, const struct template_map *m)
{
	buf_putz(b, "map[");
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		buf_puts(b, m->v[i].name);
		buf_putc(b, ':');
		template_print_arg(b, m->v[i].value);
	}
	buf_putc(b, ']');
}

static void print_record(struct buf *b, const struct template_map *m)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		template_print_arg(b, m->v[i].value);
	}
	buf_putc(b, '}');
}

static void print_list(struct buf *b, const struct template_list *l)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		template_print_arg(b, l->v[i]);
	}
	buf_putc(b, ']');
}

void template_print_arg(struct buf *b, struct template_value v)
{
	switch (v.kind) {
	case TEMPLATE_NIL:
		buf_putz(b, "<nil>");
		return;
	case TEMPLATE_BOOL:
		buf_putz(b, v.b ? "true" : "false");
		return;
	case TEMPLATE_INT:
		if (v.names != NULL)
			buf_putz(b, v.names[v.i]);
		else
			buf_printf(b, "%lld", (long long)v.i);
		return;
	case TEMPLATE_FLOAT:
		buf_num(b, v.f);
		return;
	case TEMPLATE_STRING:
		buf_puts(b, v.s);
		return;
	case TEMPLATE_DURATION:
		template_duration_format(b, v.i);
		return;
	case TEMPLATE_TIME:
		template_time_format(b, v.t, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
		return;
	case TEMPLATE_LIST:
		print_list(b, v.list);
		return;
	case TEMPLATE_MAP:
		print_map(b, v.map);
		return;
	case TEMPLATE_RECORD:
		print_record(b, v.map);
		return;
	}
	abort();
}

void template_print(struct buf *b, struct template_value v)
{
	if (v.kind == TEMPLATE_NIL)
		buf_putz(b, "<no value>");
	else
		template_print_arg(b, v);
}

void template_put_rune(struct buf *b, int64_t r)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int extra = r < 0x80 ? 0 : r < 0x800 ? 1 : r < 0x10000 ? 2 : 3;

	if (r < 0 || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff)) {
		r = 0xfffd;
		extra = 2;
	}
	buf_putc(b, (char)(lead[extra] | r >> (6 * extra)));
	while (extra-- > 0)
		buf_putc(b, (char)(0x80 | (r >> (6 * extra) & 0x3f)));
}
