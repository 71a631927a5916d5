/* "load": series with their samples, at multiples of the step. A line "metric@st …" tells the start times of the samples on the
 * line behind it. */
#include "script_inside.h"

static int64_t start_of(const struct load *l, size_t i, int64_t t_ms)
{
	return i >= l->n_starts || l->starts[i] == INT64_MIN ? 0 : t_ms + l->starts[i];
}

bool script_load_line(struct load *l, struct str line, struct err *e)
{
	struct labels labels;
	struct notation_value *v;
	size_t n;

	if (!notation_read_labels(l->arena, &line, &labels, e))
		return false;
	if (str_starts(line, STR("@st"))) {
		l->starts_of = labels;
		return notation_read_starts(l->arena, (struct str){ line.p + 3, line.n - 3 }, &l->starts, &l->n_starts, e);
	}
	if (!notation_read_values(l->arena, line, &v, &n, e))
		return false;
	if (l->nhcb) {
		l->loaded = arena_grow(l->arena, l->loaded, l->n_loaded, &l->cap_loaded, l->n_loaded + 1, sizeof *l->loaded);
		l->loaded[l->n_loaded++] = (struct loaded){ labels, v, n };
	}
	if (!labels_eq(l->starts_of, labels))
		l->n_starts = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t t_ms = (int64_t)i * l->step_ms;

		if (v[i].kind != NOTATION_NONE)
			ram_append(l->ram, labels, t_ms, v[i].v, v[i].h, start_of(l, i, t_ms));
	}
	return true;
}
