/* Names for which no name server answers. getaddrinfo() cannot be told to stop: curl leaves the thread that is in it to its
 * end, and such a name is not looked up again for a while, so that only a few of those threads wait for one name. The list is
 * the process's, as the threads are; when it is full the oldest entry makes room. */
#include <pthread.h>

#include "tocsin/clock.h"
#include "tocsin/connection.h"

enum { SILENT_MS = 5000, NAMES_MAX = 1024 };

static struct {
	pthread_mutex_t lock;
	struct silent {
		uint64_t name;
		int64_t since_mono_ms;
	} v[NAMES_MAX];
	size_t next;
} silent = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The host that is asked now, behind redirections too; 0: none. */
static uint64_t name_of(CURL *easy)
{
	CURLU *u = curl_url();
	char *url = NULL, *host = NULL;
	uint64_t name = 0;

	curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	if (u != NULL && url != NULL && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		name = str_hash(str_of(host));
	curl_free(host);
	curl_url_cleanup(u);
	return name;
}

static bool is_silent(CURL *easy)
{
	int64_t since_mono_ms = clock_mono_ms(&clock_system) - SILENT_MS;
	uint64_t name = name_of(easy);
	bool found = false;

	pthread_mutex_lock(&silent.lock);
	for (size_t i = 0; i < NAMES_MAX && !found; i++)
		found = silent.v[i].name == name && name != 0 && silent.v[i].since_mono_ms > since_mono_ms;
	pthread_mutex_unlock(&silent.lock);
	return found;
}

static int on_lookup(void *state, void *reserved, void *easy)
{
	(void)state, (void)reserved;
	return is_silent(easy);
}

void connection_guard_lookup(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, easy);
}

/* No handle says in which phase its time ran out; only the text does. */
const char *connection_lookup_failed(CURL *easy, CURLcode code, const char *detail)
{
	if (code == CURLE_COULDNT_RESOLVE_HOST && is_silent(easy))
		return "the name server does not answer for this name, which is looked up again within 5 s";
	if (code != CURLE_OPERATION_TIMEDOUT || !str_starts(str_of(detail), STR("Resolving timed out")))
		return NULL;
	pthread_mutex_lock(&silent.lock);
	silent.v[silent.next] = (struct silent){ name_of(easy), clock_mono_ms(&clock_system) };
	silent.next = (silent.next + 1) % NAMES_MAX;
	pthread_mutex_unlock(&silent.lock);
	return "the name server does not answer for this name";
}
