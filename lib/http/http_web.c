/* web.config.file: TLS, users, headers; and letting users in. bcrypt is slow on purpose, so who was let in, and who was not, is
 * remembered by a keyed hash of name, stored hash and password; an unknown name costs the same as a wrong password. */
#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "http_private.h"
#include "tocsin/mem.h"

enum { DIGEST = 32, LOGINS = 64, PEM_MAX = 1024 * 1024 };

/* The last so many, the oldest forgotten first. */
struct ring {
	unsigned char prints[LOGINS][DIGEST];
	size_t n, next;
};

struct http_logins {
	pthread_mutex_t lock;
	unsigned char key[DIGEST];
	struct ring welcome, refused;   /* apart: guessing must not push out those who know */
};

enum tls_version { TLS10, TLS11, TLS12, TLS13 };

struct tls_conf {
	struct str cert_file, key_file, client_ca_file;
	int client_auth, min_version, max_version;
	bool prefer_server_ciphers;
};

struct server_conf {
	struct conf_labels headers;
};

struct web_conf {
	struct tls_conf tls;
	struct server_conf server;
	struct conf_labels users;
};

static const char *const client_auths[] = { "NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven",
	"RequireAndVerifyClientCert", NULL };

static const char *const tls_versions[] = { "TLS10", "TLS11", "TLS12", "TLS13", NULL };

static bool not_honoured(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	conf_warn(rd->report, node, "%s is not honoured: %s", key->name, (const char *)key->arg);
	return true;
}

/* We speak HTTP/1.1, so http2: false is what one gets. */
static bool read_http2(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	bool wanted = false;

	return conf_bool(rd, key, node, &wanted) && (!wanted || not_honoured(rd, key, node, to));
}

static bool check_tls(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	struct tls_conf *t = to;

	if ((t->cert_file.n > 0) != (t->key_file.n > 0))
		return conf_error(rd->report, node, "cert_file and key_file belong together: give both");
	if (t->client_auth >= CLIENT_VERIFY_IF_GIVEN && t->client_ca_file.n == 0)
		return conf_error(rd->report, node, "client certificates cannot be verified: give client_ca_file");
	if (t->max_version < TLS12)
		return conf_error(rd->report, conf_get(node, "max_version"), "TLS 1.2 is the least that is spoken: write TLS12 or TLS13");
	if (t->min_version > t->max_version)
		return conf_error(rd->report, conf_get(node, "min_version"), "min_version is above max_version: no version is left");
	if (t->min_version < TLS12) {
		conf_warn(rd->report, conf_get(node, "min_version"), "TLS 1.2 is the least that is spoken: TLS12 is used");
		t->min_version = TLS12;
	}
	return true;
}

static const char library_decides[] = "the TLS library's own list is used";

static const struct conf_key tls_keys[] = {
	CONF_KEY(struct tls_conf, "cert_file", cert_file, conf_path, NULL, 0, "Certificate chain, PEM."),
	CONF_KEY(struct tls_conf, "key_file", key_file, conf_path, NULL, 0, "Private key, PEM."),
	CONF_KEY(struct tls_conf, "client_ca_file", client_ca_file, conf_path, NULL, 0,
	    "Authorities that may sign client certificates."),
	CONF_KEY_ARG(struct tls_conf, "client_auth_type", client_auth, conf_enum, "NoClientCert", 0, "What is asked of clients.",
	    client_auths),
	CONF_KEY_ARG(struct tls_conf, "min_version", min_version, conf_enum, "TLS12", 0, "The least version that is spoken.",
	    tls_versions),
	CONF_KEY_ARG(struct tls_conf, "max_version", max_version, conf_enum, "TLS13", 0, "The highest version that is spoken.",
	    tls_versions),
	CONF_KEY(struct tls_conf, "prefer_server_cipher_suites", prefer_server_ciphers, conf_bool, "true", 0,
	    "Our order of ciphers counts."),
	{ "cipher_suites", not_honoured, 0, NULL, 0, "Not honoured.", library_decides },
	{ "curve_preferences", not_honoured, 0, NULL, 0, "Not honoured.", library_decides },
};
static const struct conf_table tls_table = { tls_keys, ARRAY_LEN(tls_keys), sizeof(struct tls_conf), NULL, check_tls };
static const struct conf_key server_keys[] = {
	{ "http2", read_http2, 0, NULL, 0, "Not honoured.", "HTTP/1.1 is spoken" },
	CONF_KEY(struct server_conf, "headers", headers, conf_labels, NULL, 0, "Headers put on every answer."),
};
static const struct conf_table server_table = { server_keys, ARRAY_LEN(server_keys), sizeof(struct server_conf), NULL, NULL };

static bool check_web(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct web_conf *w = to;
	const struct conf_node *users = conf_get(node, "basic_auth_users");
	bool ok = true;

	rd->report->hide_source++;      /* what stands there instead of a hash may be the password */
	for (size_t i = 0; i < w->users.n; i++)
		if (!str_starts(w->users.v[i].value, STR("$2")))
			ok = conf_error(rd->report, users->pairs[i].key, "this user has no bcrypt hash: make one with htpasswd -nBC 10 \"\"");
	rd->report->hide_source--;
	return ok;
}

static const struct conf_key web_keys[] = {
	CONF_KEY_ARG(struct web_conf, "tls_server_config", tls, conf_sub, NULL, 0, "TLS.", &tls_table),
	CONF_KEY_ARG(struct web_conf, "http_server_config", server, conf_sub, NULL, 0, "HTTP.", &server_table),
	CONF_KEY(struct web_conf, "basic_auth_users", users, conf_labels, NULL, CONF_SECRET, "Names and bcrypt hashes."),
};
static const struct conf_table web_table = { web_keys, ARRAY_LEN(web_keys), sizeof(struct web_conf), NULL, check_web };

/* As the file is now. Before it is read: what changes meanwhile is then noticed. */
static struct http_web_file look(const char *path)
{
	struct http_web_file f = { .path = path };
	struct stat st;

	if (stat(path, &st) == 0) {
		f.changed = st.st_mtim;
		f.size = st.st_size;
		f.ino = st.st_ino;
	}
	return f;
}

static void note_file(struct http_web_config *w, struct str path)
{
	assert(w->n_files < WEB_FILES);
	w->files[w->n_files++] = look(arena_strz(&w->arena, path));
}

bool http_web_config_has_changed(struct http_web_config *w)
{
	bool changed = false;

	for (struct http_web_file *f = w->files; f < w->files + w->n_files; f++) {
		struct http_web_file now = look(f->path);

		changed |= now.changed.tv_sec != f->changed.tv_sec || now.changed.tv_nsec != f->changed.tv_nsec || now.size != f->size ||
		           now.ino != f->ino;
		*f = now;
	}
	return changed;
}

static bool read_pem(struct http_web_config *w, struct conf_reader *rd, struct str path, struct str *out)
{
	char *text;
	FILE *f;
	size_t n;

	if (path.n == 0)
		return true;
	note_file(w, path);
	f = fopen(path.p, "re");
	if (f == NULL)
		return conf_error_in(rd->report, path, "cannot be read: %s", strerror(errno));
	text = mem_alloc(PEM_MAX);
	n = fread(text, 1, PEM_MAX - 1, f);
	fclose(f);
	*out = arena_str(rd->arena, (struct str){ text, n });
	explicit_bzero(text, n);
	free(text);
	return n > 0 || conf_error_in(rd->report, path, "is empty: PEM text is wanted");
}

static struct str priority_of(struct arena *a, const struct tls_conf *t)
{
	return arena_printf(a, "NORMAL:-VERS-ALL%s%s%s", t->min_version <= TLS12 ? ":+VERS-TLS1.2" : "",
	                    t->max_version >= TLS13 ? ":+VERS-TLS1.3" : "", t->prefer_server_ciphers ? ":%SERVER_PRECEDENCE" : "");
}

static struct http_logins *logins_new(struct arena *a)
{
	struct http_logins *l = ARENA_NEW(a, struct http_logins);

	pthread_mutex_init(&l->lock, NULL);
	if (RAND_bytes(l->key, sizeof l->key) != 1)
		return NULL;
	return l;
}

static bool load(struct http_web_config *w, const char *path, struct conf_report *r)
{
	struct conf_reader rd = { .arena = &w->arena, .report = r };
	struct conf_node *root;
	struct web_conf c = { 0 };
	struct err e = { 0 };

	note_file(w, str_of(path));
	root = conf_load(&w->arena, path, r);
	if (root == NULL || !conf_read(&rd, &web_table, root, &c))
		return false;
	w->client_auth = (enum http_client_auth)c.tls.client_auth;
	w->priority = priority_of(&w->arena, &c.tls);
	w->users = c.users;
	w->headers = c.server.headers;
	if (!read_pem(w, &rd, c.tls.cert_file, &w->cert) || !read_pem(w, &rd, c.tls.key_file, &w->key) ||
	    !read_pem(w, &rd, c.tls.client_ca_file, &w->client_ca))
		return false;
	if (!http_tls_load(w, &e))
		return conf_error(r, conf_get(root, "tls_server_config"), "%s", e.msg);
	if (w->users.n > 0 && (w->logins = logins_new(&w->arena)) == NULL)
		return conf_error_in(r, str_of(path), "the system has no random numbers");
	return true;
}

struct http_web_config *http_web_config_load(const char *path, struct conf_report *r)
{
	struct http_web_config *w = mem_alloc(sizeof *w);

	w->refs = 1;
	if (load(w, path, r))
		return w;
	http_web_config_unref(w);
	return NULL;
}

struct http_web_config *http_web_config_ref(struct http_web_config *w)
{
	__atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
	return w;
}

bool http_web_config_has_tls(const struct http_web_config *w)
{
	return w != NULL && w->cert.n > 0;
}

void http_web_config_unref(struct http_web_config *w)
{
	if (w == NULL || __atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	http_tls_unload(w);
	if (w->logins != NULL)
		pthread_mutex_destroy(&w->logins->lock);
	arena_fini(&w->arena);
	free(w);
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

static bool is_known(struct http_logins *l, const struct ring *ring, const unsigned char print[DIGEST])
{
	int hits = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < ring->n; i++)
		hits += CRYPTO_memcmp(ring->prints[i], print, DIGEST) == 0;
	pthread_mutex_unlock(&l->lock);
	return hits > 0;
}

static void remember(struct http_logins *l, struct ring *ring, const unsigned char print[DIGEST])
{
	pthread_mutex_lock(&l->lock);
	memcpy(ring->prints[ring->next], print, DIGEST);
	ring->next = (ring->next + 1) % LOGINS;
	ring->n = ring->n < LOGINS ? ring->n + 1 : LOGINS;
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
	bool known_user = false, ok;

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
	if (known_user && is_known(w->logins, &w->logins->welcome, print))
		return true;
	if (is_known(w->logins, &w->logins->refused, print))
		return false;
	ok = bcrypt_matches(password, hash) && known_user;
	remember(w->logins, ok ? &w->logins->welcome : &w->logins->refused, print);
	return ok;
}
