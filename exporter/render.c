/* A part a set: all sets are immutable, so nothing is copied and nothing locked. */
#include "render.h"

#include <stdlib.h>

#include "tocsin/mem.h"

static size_t put_answer(struct expo_part *parts, const struct answer *a, const struct label *label, bool bare)
{
	struct expo_part part = { NULL, label, bare ? 0 : 1 };
	size_t n = 0;

	if (a->result != NULL && a->result->set != NULL) {
		part.set = a->result->set;
		parts[n++] = part;
	}
	for (size_t t = 0; t < a->n_tasks; t++) {
		if (a->tasks[t].good == NULL)
			continue;
		part.set = a->tasks[t].good->set;
		parts[n++] = part;
	}
	return n;
}

void render_answers(struct buf *out, const struct answer *answers, size_t n_answers, bool bare, const struct expo_set *core,
                    enum expo_format format)
{
	const size_t per_source = 1 + WORKER_TASKS_MAX;
	struct expo_part *parts = mem_alloc((1 + n_answers * per_source) * sizeof *parts);
	struct label *labels = mem_alloc((n_answers + 1) * sizeof *labels);
	size_t n = 0;

	for (size_t i = 0; i < n_answers; i++) {
		labels[i] = (struct label){ STR("source"), answers[i].worker->source->settings->name };
		n += put_answer(&parts[n], &answers[i], &labels[i], bare);
	}
	parts[n++] = (struct expo_part){ core, NULL, 0 };
	expo_write(out, parts, n, format);
	free(labels);
	free(parts);
}
