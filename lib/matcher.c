/* Label matchers, as every part that selects series or alerts tests them. */
#include <assert.h>
#include <stdlib.h>

#include "tocsin/querier.h"
#include "tocsin/regex.h"

static bool test_regex(const struct matcher *m, struct str value, struct err *e)
{
	assert(m->re != NULL);
	switch (regex_match(m->re, value)) {
	case REGEX_NO:
		return m->op == MATCH_NRE;
	case REGEX_YES:
		return m->op == MATCH_RE;
	case REGEX_LIMIT:
		return err_set(e, ERR_LIMIT, -1,
		    "the regular expression of label " STR_FMT " needs more than " REGEX_LIMIT_NAME " of backtracking: " STR_FMT,
		               STR_ARG(m->name), STR_ARG(regex_pattern(m->re)));
	}
	abort();
}

bool matcher_test(const struct matcher *m, struct str value, struct err *e)
{
	switch (m->op) {
	case MATCH_EQ:
		return str_eq(m->value, value);
	case MATCH_NE:
		return !str_eq(m->value, value);
	case MATCH_RE:
	case MATCH_NRE:
		return test_regex(m, value, e);
	}
	abort();
}

bool matchers_test(const struct matcher *m, size_t n, struct labels l, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!matcher_test(&m[i], labels_get(l, m[i].name), e))
			return false;
	return true;
}
