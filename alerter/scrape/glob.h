/* Names with '*' for any run of characters and '?' for one. */
#ifndef TOCSIN_SCRAPE_GLOB_H
#define TOCSIN_SCRAPE_GLOB_H

#include "tocsin/str.h"

static inline bool glob_match(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			retry = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

#endif
