/* The table of families, out of the list in the header. */
#include "celery/families.h"

const struct expo_family celery_families[CF_N] = {
#define X(id, name, type, help) [CF_##id] = { name, EXPO_##type, help, NULL },
	CELERY_FAMILIES(X)
#undef X
};
