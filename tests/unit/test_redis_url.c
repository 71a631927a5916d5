/* Addresses of Redis servers, in every form people have them in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redis/url.h"
#include "tocsin/buf.h"

static const struct url_case {
	const char *text;
	const char *parts;      /* user|password|host or socket|port|db|tls flags; or "!" and the error */
	const char *described;
} cases[] = {
	{ "redis://localhost", "||localhost|6379|0|", "redis://localhost:6379/0" },
	{ "redis://", "||localhost|6379|0|", "redis://localhost:6379/0" },
	{ "cache:6380", "||cache|6380|0|", "redis://cache:6380/0" },
	{ "redis://:s3cret@10.0.0.1:6380/2", "|s3cret|10.0.0.1|6380|2|", "redis://10.0.0.1:6380/2" },
	{ "redis://mon:p%40ss%2F%3aw@h", "mon|p@ss/:w|h|6379|0|", "redis://h:6379/0" },
	{ "redis://mon:a@b@h/", "mon|a@b|h|6379|0|", "redis://h:6379/0" },
	{ "redis://[::1]:6380/1", "||::1|6380|1|", "redis://[::1]:6380/1" },
	{ "redis://h?db=3", "||h|6379|3|", "redis://h:6379/3" },
	{ "redis://h/1?db=3", "||h|6379|3|", "redis://h:6379/3" },
	{ "valkey://h", "||h|6379|0|", "redis://h:6379/0" },
	{ "rediss://h", "||h|6379|0|tls", "rediss://h:6379/0" },
	{ "rediss://h/0?ssl_cert_reqs=CERT_NONE", "||h|6379|0|tls no_verify", "rediss://h:6379/0" },
	{ "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem&ssl_check_hostname=false", "||h|6379|0|tls no_name ca=/ca.pem",
	  "rediss://h:6379/0" },
	{ "rediss://h/0?ssl_certfile=/c.pem&ssl_keyfile=/k.pem", "||h|6379|0|tls cert=/c.pem key=/k.pem", "rediss://h:6379/0" },
	{ "unix:///run/redis.sock", "||/run/redis.sock||0|", "unix:///run/redis.sock" },
	{ "unix://:pw@/run/redis.sock?db=2", "|pw|/run/redis.sock||2|", "unix:///run/redis.sock?db=2" },
	{ "redis+socket:///run/r.sock?virtual_host=4", "||/run/r.sock||4|", "unix:///run/r.sock?db=4" },
	{ "redis+socket:///run/r.sock?virtual_host=%2F4", "!database in the address is not a number", NULL },
	{ "redis://h:0", "!port in the address is not a number from 1 to 65535", NULL },
	{ "redis://h:x", "!port in the address is not a number from 1 to 65535", NULL },
	{ "redis://h/x", "!database in the address is not a number", NULL },
	{ "redis://h/-1", "!database in the address is not a number", NULL },
	{ "redis://u:%zz@h", "!password of the address: % must be followed by two hexadecimal digits, not 00", NULL },
	{ "redis://u:%00@h", "!password of the address: % must be followed by two hexadecimal digits, not 00", NULL },
	{ "redis://u:%4", "!port in the address is not a number from 1 to 65535", NULL },
	{ "redis://[::1", "!host in the address: '[' without ']'", NULL },
	{ "redis://[::1]x", "!host in the address: only a port may follow ']'", NULL },
	{ "unix://", "!address of a socket has no path", NULL },
	{ "rediss://h?ssl_cert_reqs=maybe", "!ssl_cert_reqs in the address must be required, optional or none", NULL },
	{ "amqp://guest@h", "!address must begin with redis://, rediss://, unix:// or redis+socket://", NULL },
	{ "", "!address must begin with redis://, rediss://, unix:// or redis+socket://", NULL },
};

static void show(struct buf *b, const struct redis_url *u)
{
	const char *host = u->socket_path != NULL ? u->socket_path : u->host;

	buf_printf(b, "%s|%s|%s|%s|%d|", u->user ? u->user : "", u->password ? u->password : "", host, u->port ? u->port : "", u->db);
	buf_printf(b, "%s%s%s", u->tls.on ? "tls" : "", u->tls.no_verify ? " no_verify" : "", u->tls.no_name_check ? " no_name" : "");
	if (u->tls.ca_file != NULL)
		buf_printf(b, " ca=%s", u->tls.ca_file);
	if (u->tls.cert_file != NULL)
		buf_printf(b, " cert=%s key=%s", u->tls.cert_file, u->tls.key_file);
}

static void addresses(void **state)
{
	struct arena a = { 0 };
	struct buf got = { 0 };

	(void)state;
	for (const struct url_case *c = cases; c < cases + ARRAY_LEN(cases); c++) {
		struct redis_url u;
		struct err e = { 0 };

		buf_reset(&got);
		if (redis_url_parse(&a, str_of(c->text), &u, &e)) {
			show(&got, &u);
			if (c->described != NULL)
				assert_string_equal(redis_url_describe(&a, &u).p, c->described);
		} else {
			buf_printf(&got, "!%s", e.msg);
		}
		if (!str_eq(buf_str(&got), str_of(c->parts)))
			fail_msg("%s: got '%s', expected '%s'", c->text, buf_z(&got), c->parts);
	}
	buf_fini(&got);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(addresses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
