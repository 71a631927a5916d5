/* Hostile lists of targets, as files and URLs give them: JSON and YAML. Whatever they say, groups are whole or there are none. */
#include <stdlib.h>

#include "scrape/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read(struct str text, bool (*reader)(struct sd_answer *, struct str, const char *, struct str, struct err *))
{
	struct sd_answer answer = { 0 };
	struct err e = { 0 };

	if (reader(&answer, text, "__meta_filepath", STR("targets"), &e)) {
		for (size_t i = 0; i < answer.n; i++)
			if (answer.groups[i].labels.n == 0 || (answer.groups[i].targets.n > 0 && answer.groups[i].targets.v == NULL))
				abort();
	} else if (e.code == ERR_NONE || e.msg[0] == '\0') {
		abort();
	}
	arena_fini(&answer.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str text = { (const char *)data, size };

	if (size > 1 << 16)
		return 0;
	read(text, sd_answer_json);
	read(text, sd_answer_yaml);
	return 0;
}
