/* Any bytes as a template: parse, expand over a small world. Finds what reads or writes out of bounds, and what never ends. */
#include <stdlib.h>

#include "tocsin/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool query(struct template_prometheus *p, struct str expr, struct template_call *c)
{
	struct template_value *v = ARENA_NEW(c->arena, struct template_value);

	(void)p;
	*v = template_sample(c->arena, (struct labels){ NULL, 0 }, (double)expr.n);
	c->out = template_list_of(c->arena, v, 1, &template_sample_list);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct template_variable variables[] = { { "$labels", "Labels" }, { "$value", "Value" } };
	static const struct template_env env = { template_prometheus_funcs, TEMPLATE_PROMETHEUS_FUNCS, variables, 2 };
	static const struct label labels[] = { { { "instance", 8 }, { "h:9100", 6 } }, { { "job", 3 }, { "j", 1 } } };
	struct template_prometheus world = { query, 1700000000000, { "http://t/p", 10 } };
	struct err e = { 0 };
	struct template *t = n < 4096 ? template_new(STR("t"), (struct str){ (const char *)bytes, n }, &env, NULL, &e) : NULL;
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct template_field f[2] = { { STR("Labels"), template_labels(&a, (struct labels){ labels, 2 }, NULL) },
	                               { STR("Value"), template_float(12345.678) } };
	struct template_map m = { f, 2, NULL };

	if (t != NULL && !template_expand(t, (struct template_value){ .kind = TEMPLATE_RECORD, .map = &m }, &world, &a, &out, &e) &&
	    (out.n != 0 || e.code == ERR_NONE))
		abort();
	template_free(t);
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
