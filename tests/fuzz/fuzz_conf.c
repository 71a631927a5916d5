/* Any text as YAML: the tree stays within its bounds, every place inside a scalar lies inside the file, and what is printed
 * without secrets can be read again. */
#include <assert.h>

#include "tocsin/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void walk(const struct conf_node *n, int depth)
{
	int line, col;

	assert(depth <= CONF_MAX_DEPTH + 1);
	if (n->kind == CONF_SCALAR) {
		for (size_t i = 0; i <= n->text.n && i < 64; i++) {
			conf_position(n, i, &line, &col);
			assert(line >= 1 && col >= 1);
		}
	}
	for (size_t i = 0; n->kind == CONF_SEQ && i < n->n; i++)
		walk(n->items[i], depth + 1);
	for (size_t i = 0; n->kind == CONF_MAP && i < n->n; i++)
		walk(n->pairs[i].value, depth + 1);
}

static struct conf_node *load(struct arena *a, struct str text)
{
	struct conf_report r = { 0 };
	struct conf_node *root = conf_load_text(a, STR("f.yml"), text, &r);
	struct buf out = { 0 };

	conf_report_print(&r, &out);
	buf_fini(&out);
	conf_report_fini(&r);
	return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct conf_node *root, *again;

	root = load(&a, (struct str){ (const char *)data, n });
	if (root != NULL && n < 170) {      /* a printed key must stay below 1024 characters, and an escape makes six of one */
		walk(root, 1);
		conf_print_redacted(&out, NULL, root);
		again = load(&a, buf_str(&out));
		assert(root->kind != CONF_MAP || root->n == 0 || (again != NULL && again->n == root->n));
	}
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
