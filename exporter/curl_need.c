/* Once, whoever comes first. */
#include "curl_need.h"

#include <pthread.h>

#include "tocsin/mem.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		mem_abort(1);
}

CURLM *curl_multi_need(void)
{
	CURLM *multi;

	pthread_once(&once, set_up);
	multi = curl_multi_init();
	if (multi == NULL)
		mem_abort(1);
	return multi;
}
