/* Forms, percent encoding and header lists from anybody. What was encoded decodes to itself. */
#include <assert.h>

#include "tocsin/expo.h"
#include "tocsin/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { n ? (const char *)data : "", n }, back;
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct http_param *params = NULL;
	size_t n_params = 0;
	struct err e = { 0 };
	bool good;
	int q;

	if (!http_parse_form(&a, text, &params, &n_params, &e))
		assert(e.code != ERR_NONE);
	for (size_t i = 0; i < n_params; i++)
		assert(params[i].name.n + params[i].value.n <= n);
	http_encode(&b, text);
	good = http_decode(&a, buf_str(&b), false, &back);
	assert(good && str_eq(back, text));
	q = http_accept_q(text, STR("gzip"));
	assert(q >= -1 && q <= 1000);
	expo_negotiate(text);
	buf_fini(&b);
	arena_fini(&a);
	return 0;
}
