/* What lines have been counted so far: for each rule its series, bounded. A rule shows at most `top` label sets; lines of others
 * are counted in one series whose labels are "other". A label set that gets busier than the quietest one shown takes its place (and
 * begins at 0), so the busy ones are shown whatever came first. Every line is counted in exactly one series. */
#ifndef TOCSIN_LOGS_COUNTS_H
#define TOCSIN_LOGS_COUNTS_H

#include "logs/settings.h"
#include "tocsin/json.h"
#include "tocsin/map.h"

#include <jansson.h>

#define COUNTS_VALUE_MAX 200            /* bytes of a label's value */

struct counts_series;

struct counts_rule {
	const struct logs_rule *rule;
	struct map by_key;              /* struct counts_series */
	struct counts_series **v;
	size_t n, cap, n_shown;
	struct counts_series *other;
	double weight_epoch_ms;         /* when a line weighs 1 */
};

struct counts {
	struct counts_rule *rules;      /* by rule */
	size_t n;
};

void counts_init(struct counts *c, const struct logs_settings *s);
void counts_fini(struct counts *c);

/* One line of rule <i>, <values> being those of its labels. */
void counts_add(struct counts *c, size_t i, const struct str *values, double v, int64_t now_ms);
void counts_emit(const struct counts *c, struct expo_set *out);

/* As an object, a member a rule. */
void counts_save(const struct counts *c, struct json_out *to);
/* Takes over what <from> says of rules that there still are; others are forgotten. */
bool counts_load(struct counts *c, const json_t *from, struct err *e);

#endif
