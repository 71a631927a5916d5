/* Names and fingerprints of alerts, shared by rules, notify and api. */
#include "tocsin/alert.h"

#include <assert.h>

static const char *const edge_names[] = {
	[EDGE_NONE] = "none",         [EDGE_PENDING] = "pending",   [EDGE_FIRING] = "firing",       [EDGE_RESOLVED] = "resolved",
	[EDGE_DROPPED] = "dropped",   [EDGE_NO_DATA] = "no data",   [EDGE_DATA_BACK] = "data back", [EDGE_CHANGED] = "changed",
};
static const char *const state_names[] = { "inactive", "pending", "firing" };

const char *alert_edge_name(enum alert_edge edge)
{
	assert((size_t)edge < ARRAY_LEN(edge_names));
	return edge_names[edge];
}

const char *alert_state_name(enum alert_state state)
{
	assert((size_t)state < ARRAY_LEN(state_names));
	return state_names[state];
}

static uint64_t fnv1a(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	return (h ^ 0xff) * 0x100000001b3ULL;
}

uint64_t alert_fingerprint(struct labels l)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < l.n; i++)
		h = fnv1a(fnv1a(h, l.v[i].name), l.v[i].value);
	return h;
}
