/* Slots by the specification's own examples, and lines of CLUSTER NODES as servers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redis/cluster.h"

static void slots(void **state)
{
	static const struct {
		const char *key;
		int slot;
	} cases[] = {
		{ "123456789", 0x31c3 % 16384 }, { "", 0 }, { "foo", 12182 }, { "{foo}bar", 12182 }, { "x{foo}{bar}", 12182 },
		{ "foo{}{bar}", 8363 }, { "foo{{bar}}zap", 4015 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cluster_slot(str_of(cases[i].key)) != cases[i].slot)
			fail_msg("%s is in slot %d", cases[i].key, cluster_slot(str_of(cases[i].key)));
	assert_int_equal(cluster_slot(STR("{user1000}.following")), cluster_slot(STR("{user1000}.followers")));
}

static void lines(void **state)
{
	static const struct {
		const char *line, *host, *port, *name;
		bool master, failed, address;
		size_t slots;
	} cases[] = {
		{ "a1 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 7 [93-<-b2]", "127.0.0.1", "7000", "", true, false, true, 2 },
		{ "a1 127.0.0.1:7000@17000,red.example slave b2 0 0 1 connected", "127.0.0.1", "7000", "red.example", false, false, true, 0 },
		{ "a1 ::1:7000@17000,?,shard-id=x slave,fail b2 0 0 1 disconnected", "::1", "7000", "", false, true, true, 0 },
		{ "a1 :7000@17000 myself,master - 0 0 0 connected", "", "7000", "", true, false, true, 0 },
		{ "a1 :0@0 master,noaddr - 0 0 0 disconnected", "", "0", "", true, false, false, 0 },
		{ "a1 1.2.3.4:7000 master,fail? - 0 0 0 connected 5-3 1-99999 x", "1.2.3.4", "7000", "", true, false, true, 0 },
	};
	static const char *const none[] = { "", "a", "a b", "a 1.2.3.4:1@2 master -", " 1.2.3.4:1@2 master - 0 0 0 connected" };
	struct cluster_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(cluster_read_line(str_of(cases[i].line), &line));
		if (!str_eq(line.host, str_of(cases[i].host)) || !str_eq(line.port, str_of(cases[i].port))
		    || !str_eq(line.hostname, str_of(cases[i].name)) || line.is_master != cases[i].master || line.has_failed != cases[i].failed
		    || line.has_address != cases[i].address || line.n_slots != cases[i].slots)
			fail_msg("%s", cases[i].line);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (cluster_read_line(str_of(none[i]), &line))
			fail_msg("'%s' was taken", none[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(slots), cmocka_unit_test(lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
