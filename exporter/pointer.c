/* One step a token: a member of an object, an element of an array. */
#include "pointer.h"

#include <stdlib.h>

#include "tocsin/buf.h"
#include "tocsin/mem.h"

bool pointer_is_valid(struct str pointer)
{
	if (pointer.n == 0 || pointer.p[0] != '/')
		return true;
	for (size_t i = 0; i < pointer.n; i++)
		if (pointer.p[i] == '~' && (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
			return false;
	return true;
}

/* "~1" is '/', "~0" is '~'. */
static void unescape(struct buf *out, struct str token)
{
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] == '~' && i + 1 < token.n)
			buf_putc(out, token.p[++i] == '1' ? '/' : '~');
		else
			buf_putc(out, token.p[i]);
	}
}

static const json_t *element(const json_t *array, struct str token)
{
	int64_t i;

	if ((token.n > 1 && token.p[0] == '0') || !str_to_int64(token, &i) || i < 0)
		return NULL;
	return json_array_get(array, (size_t)i);
}

static const json_t *step(const json_t *at, struct str token)
{
	struct buf name = { 0 };
	const json_t *next;

	if (json_is_array(at))
		return element(at, token);
	unescape(&name, token);
	next = json_object_get(at, buf_z(&name));
	buf_fini(&name);
	return next;
}

const json_t *pointer_get(const json_t *root, struct str pointer)
{
	struct str rest = pointer, token;

	if (pointer.n == 0)
		return root;
	if (pointer.p[0] == '/') {
		rest.p++;
		rest.n--;
	} else {
		char *name = mem_strndup(pointer.p, pointer.n);
		const json_t *member = json_object_get(root, name);

		free(name);
		return member;
	}
	while (root != NULL && str_cut(&rest, '/', &token))
		root = step(root, token);
	return root;
}
