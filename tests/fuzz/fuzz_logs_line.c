/* Any bytes as lines of a log: counted without harm, and the counts can be saved and read again, whatever labels they came to. */
#include <assert.h>
#include <stdlib.h>

#include "logs/lines.h"
#include "sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char yaml[] = "logs: [{ name: x, files: a.log, state: s, metrics: ["
    "{ name: a_total, help: h, match: '(\\S+)=(?P<v>.*)', labels: { k: $1, v: '${v}' }, top: 3 },"
    "{ name: b_total, help: h, where: { level: 'E.*' }, labels: { s: /service }, value: /n },"
    "{ name: c, help: h, type: histogram, match: '([0-9.e+-]+)s', value: $1 }] }]\n";

static struct sources *load(void)
{
	struct conf_report r = { 0 };
	struct sources *c = sources_load_text(STR("x.yml"), str_of(yaml), &r);

	assert(c != NULL);
	conf_report_fini(&r);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct sources *config;
	const struct logs_settings *s;
	struct counts c, again;
	struct lines_stats stats = { 0 };
	struct str rest = { (const char *)data, n }, line;
	struct buf text = { 0 };
	struct json_out j = { &text, false };
	struct err e = { 0 };
	json_t *root;

	if (config == NULL)
		config = load();
	s = sources_find(config, "logs", STR("x"));
	counts_init(&c, s);
	counts_init(&again, s);
	while (str_cut(&rest, '\n', &line))
		lines_take(s, &c, &stats, line, 1000);
	counts_save(&c, &j);
	root = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);
	if (root == NULL || !counts_load(&again, root, &e))
		abort();
	json_decref(root);
	counts_fini(&c);
	counts_fini(&again);
	buf_fini(&text);
	return 0;
}
