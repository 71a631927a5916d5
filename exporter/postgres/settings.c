/* Parameters become families made at run time. Reading them costs the server more than anything else that is small, and they
 * change when it reloads its configuration: so the statement gives no rows unless that happened since it last did. */
#include "postgres/families.h"

#include "tocsin/num.h"

/* pg_settings.unit in base units. */
static const struct { const char *unit, *suffix; double factor; } units[] = {
	{ "", "", 1 },
	{ "ms", "_seconds", 0.001 }, { "s", "_seconds", 1 }, { "min", "_seconds", 60 }, { "h", "_seconds", 3600 }, { "d", "_seconds",
	    86400 },
	{ "B", "_bytes", 1 }, { "kB", "_bytes", 0x1p10 }, { "1kB", "_bytes", 0x1p10 }, { "2kB", "_bytes", 0x1p11 }, { "4kB", "_bytes",
	    0x1p12 },
	{ "8kB", "_bytes", 0x1p13 }, { "16kB", "_bytes", 0x1p14 }, { "32kB", "_bytes", 0x1p15 }, { "64kB", "_bytes", 0x1p16 },
	{ "MB", "_bytes", 0x1p20 }, { "16MB", "_bytes", 0x1p24 }, { "32MB", "_bytes", 0x1p25 }, { "64MB", "_bytes", 0x1p26 },
	{ "GB", "_bytes", 0x1p30 }, { "TB", "_bytes", 0x1p40 },
};

static void put_setting_name(struct buf *out, struct str name)
{
	buf_putz(out, "pg_settings_");
	for (size_t i = 0; i < name.n; i++)
		buf_putc(out, name.p[i] == '.' || name.p[i] == '-' ? '_' : name.p[i]);
}

bool pg_setting_convert(struct str name, struct str setting, struct str unit, struct str vartype, struct buf *family, double *v)
{
	put_setting_name(family, name);
	if (str_eq(vartype, STR("bool"))) {
		*v = str_eq(setting, STR("on")) ? 1 : 0;
		return true;
	}
	if (!str_to_double(setting, v))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!str_eq(unit, str_of(units[i].unit)))
			continue;
		buf_putz(family, units[i].suffix);
		if (*v != -1)                   /* "off" or "as another setting", whatever the unit */
			*v *= units[i].factor;
		return true;
	}
	return false;
}

/* When the configuration was last loaded, and what changes without that. */
#define STAMP "pg_conf_load_time()::text || coalesce(current_setting('in_hot_standby', true), '')"

/* Of what our own session has set, the value others get. The stamp is compared before the function is called. */
void pg_settings_sql(struct buf *out, const char *seen)
{
	buf_putz(out, "SELECT name, CASE WHEN source = 'session' OR name = 'transaction_read_only' THEN reset_val ELSE setting END, "
	         "coalesce(unit, ''), vartype, " STAMP " FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real')");
	if (seen != NULL)
		buf_printf(out, " AND " STAMP " <> '%s'", seen);
}
