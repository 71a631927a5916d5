/* Times as a server writes them; the seconds are those of its extract(epoch). */
#include "tests.h"

#include <math.h>

#include "gauges/timestamp.h"

static void times(void **state)
{
	static const struct { const char *text; double want; } cases[] = {          /* NAN: refused */
		{ "1970-01-01 00:00:00+00", 0 }, { "2020-01-02", 1577923200 }, { "2020-01-02 03:04:05.5", 1577934245.5 },
		{ "2020-01-02 03:04:05.5+02", 1577927045.5 }, { "2026-11-23 13:37:56.091667+00", 1795441076.091667 },
		{ "2020-01-02 03:04:05-03:30", 1577946845 }, { "1890-01-01 00:00:00+00:19:32", -2524522772 },
		{ "1969-12-31 23:59:59.75+00", -0.25 }, { "0044-03-15 BC", -63517824000 }, { "0001-01-01 00:00:00 BC", -62167219200 },
		{ "294276-12-31 23:59:59.999999", 9224318015999.999999 }, { "infinity", INFINITY }, { "-infinity", -INFINITY },
		{ "", NAN }, { "2020", NAN }, { "2020-13-01", NAN }, { "2020-01-02 03:04", NAN }, { "2020-01-02 03:04:05+", NAN },
		{ "23.11.2026 13:37:56 UTC", NAN }, { "2020-01-02 x", NAN }, { "03:04:05", NAN }, { "12345678-01-01", NAN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double v;

		print_message("  %s\n", cases[i].text);
		if (!pg_timestamp_seconds(str_of(cases[i].text), &v))
			assert_true(isnan(cases[i].want));
		else if (v != cases[i].want && !(fabs(v - cases[i].want) < 1e-6))
			fail_msg("%.6f, not %.6f", v, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(times) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
