/* Pattern and subject, split by the first newline: whatever the pattern, making and matching it stays within bounds, and the
 * quick ways agree with what the literals and the prefix promise. */
#include <assert.h>
#include <stdlib.h>

#include "tocsin/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(struct str pattern, enum regex_mode mode, struct str subject)
{
	struct err e = { 0 };
	struct regex *re = regex_new(pattern, mode, &e);
	struct regex_group groups[4];
	const struct str *v;
	struct buf out = { 0 };

	if (re == NULL) {
		assert(e.code != ERR_NONE && e.pos <= (int)pattern.n);
		return;
	}
	if (regex_find(re, subject, 0, groups, ARRAY_LEN(groups)) == REGEX_YES) {
		assert(groups[0].beg <= groups[0].end && groups[0].end <= subject.n);
		if (str_is_utf8(subject))
			assert(str_starts((struct str){ subject.p + groups[0].beg, subject.n - groups[0].beg }, regex_prefix(re)));
		regex_expand(re, &out, subject, groups, ARRAY_LEN(groups), pattern);
	}
	for (size_t i = 0, k = regex_literals(re, &v); i < k; i++)
		assert(regex_match(re, v[i]) == REGEX_YES);
	buf_fini(&out);
	regex_free(re);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all = { (const char *)data, n }, pattern;

	if (n == 0 || n > 4096 || !str_cut(&all, '\n', &pattern))
		return 0;
	if (all.p == NULL)
		all = STR("");
	check(pattern, REGEX_ANCHORED, all);
	check(pattern, REGEX_SEARCH, all);
	check(pattern, REGEX_SEARCH_PCRE, all);
	return 0;
}
