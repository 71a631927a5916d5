/* The table of families, out of the list in the header. */
#include "redis/families.h"

const struct expo_family redis_families[RF_N] = {
#define X(id, name, type, help) [RF_##id] = { name, EXPO_##type, help, NULL },
	REDIS_FAMILIES(X)
#undef X
};
