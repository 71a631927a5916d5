/* Checking what a block says of its chunks and series. A file with good checksums may still be made up. */
#include "store/bits.h"
#include "store/block.h"
#include "store/halves.h"
#include "tocsin/mem.h"

_Static_assert(sizeof(struct block_entries_head) == 16 && sizeof(struct block_series_head) == 16 &&
		   sizeof(struct block_names_head) == 16 && sizeof(struct block_group) == 16 && sizeof(struct block_name) == 8,
	       "part of the file format");

/* Takes <n> items from the front of a section; NULL: they are not all there. */
static const void *take(struct str *rest, uint64_t n, size_t item_bytes)
{
	const void *p = rest->p;

	if (n > rest->n / item_bytes)
		return NULL;
	*rest = (struct str){ rest->p + n * item_bytes, rest->n - n * item_bytes };
	return p;
}

static struct str section(const struct block *b, enum block_section s)
{
	return (struct str){ (const char *)b->bytes + b->header->section[s].at, b->header->section[s].bytes };
}

/* Rows for <n> and the one behind them; nothing stands after them. */
static const unsigned char *take_rows(struct str rest, uint64_t n, unsigned bits)
{
	return rest.n >= BITS_SLACK && ((n + 1) * bits + 7) / 8 == rest.n - BITS_SLACK ? (const unsigned char *)rest.p : NULL;
}

static bool open_entries(struct block *b)
{
	struct str rest = section(b, BLOCK_ENTRIES);
	const struct block_entries_head *head = take(&rest, 1, sizeof *head);

	if (head == NULL || head->n >= UINT32_MAX || head->column_bits > 32 || head->at_bits > 48)
		return false;
	b->n_entries = head->n;
	b->column_bits = head->column_bits;
	b->at_bits = head->at_bits;
	b->entry_groups = take(&rest, head->n / BLOCK_GROUP + 1, sizeof *b->entry_groups);
	b->entry_rows = b->entry_groups != NULL ? take_rows(rest, head->n, BLOCK_KIND_BITS + b->column_bits + b->at_bits) : NULL;
	return b->entry_rows != NULL;
}

static bool open_series(struct block *b)
{
	struct str rest = section(b, BLOCK_SERIES);
	const struct block_series_head *head = take(&rest, 1, sizeof *head);

	if (head == NULL || head->n >= BLOCK_NONE || head->hash_shift > 63 || head->entry_bits > 32 || head->record_bits > 32)
		return false;
	b->n_series = head->n;
	b->hash_shift = head->hash_shift;
	b->entry_bits = head->entry_bits;
	b->record_bits = head->record_bits;
	b->groups = take(&rest, head->n / BLOCK_GROUP + 1, sizeof *b->groups);
	b->series_rows = b->groups != NULL ? take_rows(rest, head->n, BLOCK_HASH_BITS + b->entry_bits + b->record_bits) : NULL;
	return b->series_rows != NULL;
}

static bool open_names(struct block *b)
{
	struct str rest = section(b, BLOCK_NAMES);
	const struct block_names_head *head = take(&rest, 1, sizeof *head);

	if (head == NULL)
		return false;
	b->n_names = head->n_names;
	b->n_shapes = head->n_shapes;
	b->n_members = head->n_members;
	b->names = take(&rest, b->n_names + 1, sizeof *b->names);
	b->shapes = b->names != NULL ? take(&rest, b->n_shapes + 1, sizeof *b->shapes) : NULL;
	b->members = b->shapes != NULL ? take(&rest, b->n_members, sizeof *b->members) : NULL;
	b->records = (const unsigned char *)rest.p;
	b->record_bytes = rest.n >= BITS_SLACK ? rest.n - BITS_SLACK : 0;
	return b->members != NULL && rest.n >= BITS_SLACK && b->record_bytes <= UINT32_MAX;
}

/* Each name is a symbol and has a value, and its values are symbols that say something. */
static bool check_names(const struct block *b)
{
	for (size_t i = 0; i < b->n_names; i++) {
		const struct block_name *name = &b->names[i];

		if (name->symbol >= b->n_symbols || name[1].first_value <= name->first_value || name[1].first_value > b->n_symbols)
			return false;
		for (uint32_t k = name->first_value; k < name[1].first_value; k++)
			if (block_symbol(b, k).n == 0)
				return false;
	}
	return true;
}

/* The names of each rise. */
static bool check_shapes(const struct block *b)
{
	for (size_t i = 0; i < b->n_shapes; i++) {
		uint32_t beg = b->shapes[i], end = b->shapes[i + 1];

		if (end < beg || end > b->n_members || end - beg > STORE_MAX_LABELS)
			return false;
		for (uint32_t k = beg; k < end; k++)
			if (b->members[k] >= b->n_names ||
			    (k > beg && str_cmp(block_symbol(b, b->names[b->members[k - 1]].symbol),
						block_symbol(b, b->names[b->members[k]].symbol)) >= 0))
				return false;
	}
	return true;
}

static bool check_entry(const struct block *b, uint32_t i)
{
	return block_entry_row(b, i, 0, BLOCK_KIND_BITS) <= BLOCK_SAME &&
	       block_entry_row(b, i, BLOCK_KIND_BITS, b->column_bits) < b->n_columns && block_at(b, i) <= block_at(b, i + 1);
}

static bool check_entries(const struct block *b, uint32_t series)
{
	uint32_t beg = block_first(b, series), end = block_first(b, series + 1);
	int64_t last_ms = INT64_MIN;

	if (end <= beg || end > b->n_entries)
		return false;
	for (uint32_t k = beg; k < end; k++) {
		struct block_entry c;

		if (!check_entry(b, k))
			return false;
		c = block_entry(b, k);
		if (k > beg && c.min_ms <= last_ms)
			return false;
		last_ms = c.max_ms;
	}
	return true;
}

struct checking {
	const struct block *b;
	_Atomic bool bad;
};

static uint64_t hash_of(const struct block *b, uint32_t i)
{
	struct label v[STORE_MAX_LABELS];

	return series_hash(block_labels(b, i, v));
}

/* Whether one before it, of the same hash, is the same series. */
static bool is_twice(const struct block *b, uint32_t i, uint64_t hash, struct labels labels)
{
	struct label v[STORE_MAX_LABELS];

	while (i > 0 && hash_of(b, i - 1) == hash)
		if (labels_eq(block_labels(b, --i, v), labels))
			return true;
	return false;
}

/* <*before>: the hash of the series before. */
static bool check_series(const struct block *b, uint32_t i, uint64_t *before)
{
	uint64_t first = b->groups[i / BLOCK_GROUP].hash, hash;
	struct label v[STORE_MAX_LABELS];
	struct labels labels = block_labels(b, i, v);

	for (size_t k = 0; k < labels.n; k++)
		if (v[k].value.n == 0)
			return false;
	if (!check_entries(b, i))
		return false;
	hash = series_hash(labels);
	if (hash < *before || hash < first || (i % BLOCK_GROUP == 0 && hash != first) ||
	    (hash - first) >> b->hash_shift != block_series_row(b, i, 0, BLOCK_HASH_BITS))
		return false;
	if (hash == *before && is_twice(b, i, hash, labels))
		return false;
	*before = hash;
	b->hashes[i] = (uint32_t)(hash >> 32);
	return true;
}

/* Where the series of a half end, those of the next one begin: as its group says. */
static void check_half(void *ctx, size_t beg, size_t end)
{
	struct checking *c = ctx;
	uint64_t before = beg > 0 ? hash_of(c->b, (uint32_t)beg - 1) : 0;
	size_t i = beg;

	while (i < end && check_series(c->b, (uint32_t)i, &before))
		i++;
	if (i < end || (end < c->b->n_series && before > c->b->groups[end / BLOCK_GROUP].hash))
		atomic_store(&c->bad, true);
}

bool block_check(struct block *b, struct err *e)
{
	uint64_t room = b->header->section[BLOCK_CHUNKS].bytes;
	struct checking c = { .b = b };

	if (!open_entries(b) || !open_series(b) || !open_names(b))
		return block_bad(e, "sections that are too short for what is in them");
	if (!check_names(b) || !check_shapes(b))
		return block_bad(e, "names that make no sense");
	if (room < BITS_SLACK || block_at(b, (uint32_t)b->n_entries) > room - BITS_SLACK)
		return block_bad(e, "chunks that lie outside of it");
	b->hashes = mem_alloc(b->n_series * sizeof *b->hashes);
	halves_do(b->n_series, BLOCK_GROUP, check_half, &c);
	return !c.bad || block_bad(e, "a series that makes no sense");
}
