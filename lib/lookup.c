/* Names for which no name server answers. getaddrinfo() cannot be told to stop: curl leaves the thread that is in it to its end, and such a
 * name is not looked up again for a while, a longer one when there are many; and when too many hang, nothing is looked up that is not known.
 * The list is the process's, as the threads are; when it is full the oldest entry makes room. */
#include <arpa/inet.h>
#include <pthread.h>

#include "tocsin/clock.h"
#include "tocsin/connection.h"

/* A lookup that got no answer is taken to hang for a minute, which is what the resolver takes for two or three servers. */
enum { SILENT_MS = 5000, HANGING_MS = 60000, HANGING_MANY = 64 };

static struct connection_lookups silent;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

size_t connection_lookups_hang(const struct connection_lookups *l, int64_t now_mono_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(l->v); i++)
		n += l->v[i].name != 0 && l->v[i].since_mono_ms > now_mono_ms - HANGING_MS;
	return n;
}

const char *connection_lookups_refuse(const struct connection_lookups *l, uint64_t name, int64_t now_mono_ms)
{
	size_t hang = connection_lookups_hang(l, now_mono_ms);
	int64_t since_mono_ms = now_mono_ms - (hang > HANGING_MANY ? HANGING_MS : SILENT_MS);

	if (name == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(l->v); i++)
		if (l->v[i].name == name && l->v[i].since_mono_ms > since_mono_ms)
			return hang > HANGING_MANY ? "the name server does not answer for this name and many others: it is looked up again within a minute"
			                           : "the name server does not answer for this name, which is looked up again within 5 s";
	return hang >= CONNECTION_LOOKUPS_MAX ? "256 lookups of names hang (CONNECTION_LOOKUPS_MAX): no further one begins" : NULL;
}

void connection_lookups_add(struct connection_lookups *l, uint64_t name, int64_t now_mono_ms)
{
	if (name == 0)
		return;
	l->v[l->next] = (struct connection_lookup){ name, now_mono_ms };
	l->next = (l->next + 1) % ARRAY_LEN(l->v);
}

/* The host that is asked now, behind redirections too; 0: none, or an address. */
static uint64_t name_of(CURL *easy)
{
	CURLU *u = curl_url();
	char *url = NULL, *host = NULL;
	struct in_addr address;
	uint64_t name = 0;

	curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	if (u != NULL && url != NULL && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '[' && inet_pton(AF_INET, host, &address) != 1)
		name = str_hash(str_of(host));
	curl_free(host);
	curl_url_cleanup(u);
	return name;
}

static const char *refuse(CURL *easy)
{
	uint64_t name = name_of(easy);
	const char *why;

	pthread_mutex_lock(&lock);
	why = connection_lookups_refuse(&silent, name, clock_mono_ms(&clock_system));
	pthread_mutex_unlock(&lock);
	return why;
}

static void remember(CURL *easy)
{
	uint64_t name = name_of(easy);

	pthread_mutex_lock(&lock);
	connection_lookups_add(&silent, name, clock_mono_ms(&clock_system));
	pthread_mutex_unlock(&lock);
}

size_t connection_lookups_hanging(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = connection_lookups_hang(&silent, clock_mono_ms(&clock_system));
	pthread_mutex_unlock(&lock);
	return n;
}

static int on_lookup(void *state, void *reserved, void *easy)
{
	(void)state, (void)reserved;
	return refuse(easy) != NULL;
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
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return refuse(easy);
	if (code != CURLE_OPERATION_TIMEDOUT || !str_starts(str_of(detail), STR("Resolving timed out")))
		return NULL;
	remember(easy);
	return "the name server does not answer for this name";
}

void connection_given_up(CURL *easy)
{
	curl_off_t took_us = 0;

	curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &took_us);
	if (took_us == 0)
		remember(easy);
}
