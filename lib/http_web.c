/* web.config.file: TLS, users, headers; and letting users in. bcrypt is slow on purpose, so who was let in is remembered by a
 * keyed hash of name, stored hash and password; an unknown name costs the same as a wrong password. */
#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_private.h"
#include "tocsin/mem.h"

enum { DIGEST = 32, LOGINS = 64, PEM_MAX = 1024 * 1024 };

struct http_logins {
	pthread_mutex_t lock;
	unsigned char key[DIGEST];
	unsigned char known[LOGINS][DIGEST];
	size_t n, next;
};

struct tls_conf {
	struct str cert_file, key_file, client_ca_file, min_version, max_version;
	int client_auth;
	struct conf_strs ciphers, curves;
	bool prefer_server_ciphers;
};

struct server_conf {
	bool http2;
	struct conf_labels headers;
};

struct web_conf {
	struct tls_conf tls;
	struct server_conf server;
	struct conf_labels users;
};

static const char *const client_auths[] = { "NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven",
	"RequireAndVerifyClientCert", NULL };

static const struct conf_key tls_keys[] = {
	CONF_KEY(struct tls_conf, "cert_file", cert_file, conf_path, NULL, 0, "Certificate chain, PEM."),
	CONF_KEY(struct tls_conf, "key_file", key_file, conf_path, NULL, 0, "Private key, PEM."),
	CONF_KEY(struct tls_conf, "client_ca_file", client_ca_file, conf_path, NULL, 0, "Authorities that may sign client certificates."),
	CONF_KEY_ARG(struct tls_conf, "client_auth_type", client_auth, conf_enum, "NoClientCert", 0, "What is asked of clients.", client_auths),
	CONF_KEY(struct tls_conf, "min_version", min_version, conf_str, "TLS12", 0, "Accepted; TLS 1.2 is the least we speak."),
	CONF_KEY(struct tls_conf, "max_version", max_version, conf_str, "TLS13", 0, "Accepted; TLS 1.3 is the most we speak."),
	CONF_KEY(struct tls_conf, "cipher_suites", ciphers, conf_str_list, NULL, 0, "Accepted; the library's defaults are used."),
	CONF_KEY(struct tls_conf, "curve_preferences", curves, conf_str_list, NULL, 0, "Accepted; the library's defaults are used."),
	CONF_KEY(struct tls_conf, "prefer_server_cipher_suites", prefer_server_ciphers, conf_bool, "true", 0, "Accepted."),
};
static const struct conf_table tls_table = { tls_keys, ARRAY_LEN(tls_keys), sizeof(struct tls_conf), NULL, NULL };
static const struct conf_key server_keys[] = {
	CONF_KEY(struct server_conf, "http2", http2, conf_bool, "true", 0, "Accepted; we speak HTTP/1.1."),
	CONF_KEY(struct server_conf, "headers", headers, conf_labels, NULL, 0, "Headers put on every answer."),
};
static const struct conf_table server_table = { server_keys, ARRAY_LEN(server_keys), sizeof(struct server_conf), NULL, NULL };

static bool check_web(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct web_conf *w = to;
	const struct conf_node *users = conf_get(node, "basic_auth_users");
	bool ok = true;

	for (size_t i = 0; i < w->users.n; i++)
		if (!str_starts(w->users.v[i].value, STR("$2")))
			ok = conf_error(rd->report, users->pairs[i].key, "this user has no bcrypt hash: make one with htpasswd -nBC 10 \"\"");
	if ((w->tls.cert_file.n > 0) != (w->tls.key_file.n > 0))
		ok = conf_error(rd->report, conf_get(node, "tls_server_config"), "cert_file and key_file belong together: give both");
	if (w->tls.client_auth >= CLIENT_VERIFY_IF_GIVEN && w->tls.client_ca_file.n == 0)
		ok = conf_error(rd->report, conf_get(node, "tls_server_config"), "client certificates cannot be verified: give client_ca_file");
	return ok;
}

static const struct conf_key web_keys[] = {
	CONF_KEY_ARG(struct web_conf, "tls_server_config", tls, conf_sub, NULL, 0, "TLS.", &tls_table),
	CONF_KEY_ARG(struct web_conf, "http_server_config", server, conf_sub, NULL, 0, "HTTP.", &server_table),
	CONF_KEY(struct web_conf, "basic_auth_users", users, conf_labels, NULL, CONF_SECRET, "Names and bcrypt hashes."),
};
static const struct conf_table web_table = { web_keys, ARRAY_LEN(web_keys), sizeof(struct web_conf), NULL, check_web };

static bool read_pem(struct conf_reader *rd, struct str path, struct str *out)
{
	char *text = arena_alloc(rd->arena, PEM_MAX);
	FILE *f;
	size_t n;

	if (path.n == 0)
		return true;
	f = fopen(path.p, "re");
	if (f == NULL)
		return conf_error_in(rd->report, path, "cannot be read: %s", strerror(errno));
	n = fread(text, 1, PEM_MAX - 1, f);
	fclose(f);
	*out = (struct str){ text, n };
	return n > 0 || conf_error_in(rd->report, path, "is empty: PEM text is wanted");
}

static struct http_logins *logins_new(struct arena *a)
{
	struct http_logins *l = ARENA_NEW(a, struct http_logins);

	pthread_mutex_init(&l->lock, NULL);
	if (RAND_bytes(l->key, sizeof l->key) != 1)
		return NULL;
	return l;
}

struct http_web_config *http_web_config_load(struct arena *a, const char *path, struct conf_report *r)
{
	struct conf_reader rd = { .arena = a, .report = r };
	struct http_web_config *w = ARENA_NEW(a, struct http_web_config);
	struct web_conf c = { 0 };
	struct conf_node *root = conf_load(a, path, r);

	if (root == NULL || !conf_read(&rd, &web_table, root, &c))
		return NULL;
	w->client_auth = (enum http_client_auth)c.tls.client_auth;
	w->users = c.users;
	w->headers = c.server.headers;
	if (!read_pem(&rd, c.tls.cert_file, &w->cert) || !read_pem(&rd, c.tls.key_file, &w->key) ||
	    !read_pem(&rd, c.tls.client_ca_file, &w->client_ca))
		return NULL;
	if (w->users.n > 0 && (w->logins = logins_new(a)) == NULL) {
		conf_error_in(r, str_of(path), "the system has no random numbers");
		return NULL;
	}
	return w;
}

/* ---- Letting in. ---- */

static void fingerprint(const struct http_logins *l, const struct str *parts, size_t n, unsigned char out[DIGEST])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 || EVP_DigestUpdate(md, l->key, sizeof l->key) != 1)
		mem_abort(0);
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(md, &parts[i].n, sizeof parts[i].n) != 1 || EVP_DigestUpdate(md, parts[i].p, parts[i].n) != 1)
			mem_abort(0);
	if (EVP_DigestFinal_ex(md, out, NULL) != 1)
		mem_abort(0);
	EVP_MD_CTX_free(md);
}

static bool is_known(struct http_logins *l, const unsigned char print[DIGEST])
{
	int hits = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n; i++)
		hits += CRYPTO_memcmp(l->known[i], print, DIGEST) == 0;
	pthread_mutex_unlock(&l->lock);
	return hits > 0;
}

static void remember(struct http_logins *l, const unsigned char print[DIGEST])
{
	pthread_mutex_lock(&l->lock);
	memcpy(l->known[l->next], print, DIGEST);
	l->next = (l->next + 1) % LOGINS;
	l->n = l->n < LOGINS ? l->n + 1 : LOGINS;
	pthread_mutex_unlock(&l->lock);
}

static bool bcrypt_matches(struct str password, struct str hash)
{
	struct crypt_data *data = mem_alloc(sizeof *data);
	char *phrase = mem_strndup(password.p, password.n), *setting = mem_strndup(hash.p, hash.n);
	const char *got = crypt_r(phrase, setting, data);
	bool ok = got != NULL && strlen(got) == hash.n && CRYPTO_memcmp(got, hash.p, hash.n) == 0;

	explicit_bzero(phrase, password.n);
	explicit_bzero(data, sizeof *data);
	free(phrase);
	free(setting);
	free(data);
	return ok;
}

bool http_web_login(const struct http_web_config *w, struct str user, struct str password)
{
	unsigned char print[DIGEST];
	struct str hash = w->users.v[0].value, parts[3];
	bool known_user = false;

	assert(w->logins != NULL);
	if (str_chr(password, '\0') < password.n)
		return false;
	for (size_t i = 0; i < w->users.n; i++) {
		if (!str_eq(w->users.v[i].name, user))
			continue;
		hash = w->users.v[i].value;
		known_user = true;
	}
	parts[0] = user;
	parts[1] = hash;
	parts[2] = password;
	fingerprint(w->logins, parts, 3, print);
	if (known_user && is_known(w->logins, print))
		return true;
	if (!bcrypt_matches(password, hash) || !known_user)
		return false;
	remember(w->logins, print);
	return true;
}
