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

/* Memory that is out ends the process, so this is what curl calls its limit of 100 KB a header by. */
const char *curl_say(CURLcode code, const char *detail)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return "a header is larger than 100 KB";
	return detail[0] != '\0' ? detail : curl_easy_strerror(code);
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
