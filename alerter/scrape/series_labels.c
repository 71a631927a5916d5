/* A scraped series' own labels and its target's, as Prometheus joins them: exported_ where they clash, bounds as floats are written. */
#include "scrape/series_labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* le and quantile as floats are written: 1 -> 1.0, 1000000 -> 1e+06. Values that are no numbers stay. */
static struct str float_text(struct str value, struct arena *a)
{
	int precision = 0, exponent;
	char text[40];
	double v;

	if (!str_to_decimal(value, &v))
		return value;
	if (isnan(v) || isinf(v))
		return isnan(v) ? STR("NaN") : v > 0 ? STR("+Inf") : STR("-Inf");
	while (snprintf(text, sizeof text, "%.*e", precision, v) > 0 && precision < 16 && strtod(text, NULL) != v)
		precision++;
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent < -4 || exponent >= 6)
		return arena_str(a, str_of(text));
	precision = precision > exponent ? precision - exponent : 0;
	return arena_printf(a, "%.*f%s", precision, v, precision == 0 ? ".0" : "");
}

static struct str meta_type(const struct target *t, struct str metric, struct str suffix)
{
	const struct target_meta *m;

	if (!str_ends(metric, suffix))
		return STR("");
	m = map_get(&t->meta, (struct str){ metric.p, metric.n - suffix.n });
	return m != NULL && m->type != NULL ? str_of(m->type) : STR("");
}

/* What was told of the family a series is of. NULL: nothing. */
static const struct target_meta *family_of(const struct target *t, struct str metric)
{
	static const char *const suffixes[] = { "_total", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_created", "_info" };
	const struct target_meta *m = map_get(&t->meta, metric);

	for (size_t i = 0; m == NULL && i < ARRAY_LEN(suffixes); i++)
		if (str_ends(metric, str_of(suffixes[i])))
			m = map_get(&t->meta, (struct str){ metric.p, metric.n - strlen(suffixes[i]) });
	return m;
}

/* __type__ and __unit__ as Prometheus's feature type-and-unit-labels gives them: none where nothing is known. */
static struct labels with_type_and_unit(const struct target *t, struct labels l, struct arena *a)
{
	const struct target_meta *m = family_of(t, labels_get(l, STR(LABEL_NAME)));
	struct str type = m != NULL && m->type != NULL ? str_of(m->type) : STR(""), unit = m != NULL && m->unit != NULL ? str_of(m->unit) : STR("");

	if (str_eq(type, STR("unknown")) || str_eq(type, STR("untyped")))
		type = STR("");
	return labels_with(a, labels_with(a, l, STR("__type__"), type), STR("__unit__"), unit);
}

static struct labels normalise(const struct target *t, struct labels l, struct arena *a)
{
	struct str metric = labels_get(l, STR(LABEL_NAME)), type = meta_type(t, metric, STR("_bucket")), value;

	if (labels_has(l, STR("le")) && (str_eq(type, STR("histogram")) || str_eq(type, STR("gaugehistogram"))))
		return labels_with(a, l, STR("le"), float_text(labels_get(l, STR("le")), a));
	value = labels_get(l, STR("quantile"));
	if (value.n > 0 && str_eq(meta_type(t, metric, STR("")), STR("summary")))
		return labels_with(a, l, STR("quantile"), float_text(value, a));
	return l;
}

/* The shortest name first, as in Prometheus: which of several gets which name depends on it. */
static void put_conflict(struct label *v, size_t n, struct label l)
{
	for (; n > 0 && v[n - 1].name.n > l.name.n; n--)
		v[n] = v[n - 1];
	v[n] = l;
}

static struct labels add_target_labels(const struct target *t, struct labels l, struct labels empty, struct arena *a)
{
	struct label *conflicts = NULL;
	struct labels out = l;
	size_t n = 0;

	for (size_t i = 0; i < t->labels.n; i++) {
		struct str name = t->labels.v[i].name, scraped = labels_get(l, name);

		if (t->job->honor_labels && (scraped.n > 0 || labels_has(empty, name)))
			continue;
		if (scraped.n > 0) {
			conflicts = conflicts != NULL ? conflicts : ARENA_ARRAY(a, t->labels.n, struct label);
			put_conflict(conflicts, n++, (struct label){ name, scraped });
		}
		out = labels_with(a, out, name, t->labels.v[i].value);
	}
	for (size_t i = 0; i < n; i++) {
		struct str renamed = conflicts[i].name;

		do
			renamed = arena_printf(a, "exported_%.*s", STR_ARG(renamed));
		while (labels_has(out, renamed));
		out = labels_with(a, out, renamed, conflicts[i].value);
	}
	return out;
}

struct labels series_labels(const struct target *t, struct labels scraped, struct labels empty, bool type_and_unit, struct arena *a)
{
	if (type_and_unit)
		scraped = with_type_and_unit(t, scraped, a);
	return add_target_labels(t, normalise(t, scraped, a), empty, a);
}
