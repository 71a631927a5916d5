/* Numbers are read as reals only where that is the way to read them at all: an id of 17 digits stays what it is. */
#include "document.h"

#define BOM "\xef\xbb\xbf"
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

json_t *document_read(struct str text, json_error_t *where)
{
	const size_t mark = str_starts(text, STR(BOM)) ? sizeof BOM - 1 : 0;
	const char *p = text.n > mark ? text.p + mark : "";
	json_error_t own;
	json_t *v = json_loadb(p, text.n - mark, FLAGS, &own);

	if (v == NULL && json_error_code(&own) == json_error_numeric_overflow)
		v = json_loadb(p, text.n - mark, FLAGS | JSON_DECODE_INT_AS_REAL, &own);
	if (v == NULL && where != NULL) {
		*where = own;
		where->position += (int)mark;
	}
	return v;
}
