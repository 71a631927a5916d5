/* The order in which Alertmanager shows alerts and groups: scripts and people's eyes are used to it. */
#include "notify/core.h"

int order_labels(struct labels a, struct labels b)
{
	int order = (a.n > b.n) - (a.n < b.n);

	for (size_t i = 0; order == 0 && i < a.n; i++) {
		order = str_cmp(b.v[i].name, a.v[i].name);      /* who lacks the lesser name comes first */
		if (order == 0)
			order = str_cmp(a.v[i].value, b.v[i].value);
	}
	return order;
}

/* Who has the label comes first. */
static int by_label(struct labels a, struct labels b, struct str name)
{
	int order = labels_has(b, name) - labels_has(a, name);

	return order != 0 ? order : str_cmp(labels_get(a, name), labels_get(b, name));
}

int order_labels_of_alerts(struct labels a, struct labels b)
{
	int order = by_label(a, b, STR("job"));

	if (order == 0)
		order = by_label(a, b, STR("instance"));
	return order != 0 ? order : order_labels(a, b);
}

int order_alerts(const void *a, const void *b)
{
	const struct page_alert *x = *(struct page_alert *const *)a, *y = *(struct page_alert *const *)b;
	int order = order_labels_of_alerts(x->labels, y->labels);

	return order != 0 ? order : (x->ends_ms != 0) - (y->ends_ms != 0);
}
