/* Indexes of the search module: FT._LIST, and FT.INFO of those whose names match, all in one pipeline. */
#include "redis/info.h"
#include "redis/scanner.h"

#define G EXPO_GAUGE
#define C EXPO_COUNTER
#define MIB (1.0 / 1048576)
#define ROW(field, family, type, divisor, help) { { field, sizeof field - 1 }, { family, type, help, NULL }, divisor }
#define INDEXES_MAX 1000

const struct info_row redis_search_rows[] = {
	ROW("num_docs", "redis_search_index_num_docs", G, 1, "num_docs of FT.INFO."),
	ROW("max_doc_id", "redis_search_index_max_doc_id", G, 1, "max_doc_id of FT.INFO."),
	ROW("num_terms", "redis_search_index_num_terms", G, 1, "num_terms of FT.INFO."),
	ROW("num_records", "redis_search_index_num_records", G, 1, "num_records of FT.INFO."),
	ROW("total_inverted_index_blocks", "redis_search_index_total_inverted_index_blocks", G, 1,
	    "total_inverted_index_blocks of FT.INFO."),
	ROW("records_per_doc_avg", "redis_search_index_avg_per_doc_records", G, 1, "records_per_doc_avg of FT.INFO."),
	ROW("bytes_per_record_avg", "redis_search_index_avg_per_record_bytes", G, 1, "bytes_per_record_avg of FT.INFO."),
	ROW("offsets_per_term_avg", "redis_search_index_avg_per_term_offsets", G, 1, "offsets_per_term_avg of FT.INFO."),
	ROW("offset_bits_per_record_avg", "redis_search_index_avg_per_record_offset_bits", G, 1,
	    "offset_bits_per_record_avg of FT.INFO."),
	ROW("indexing", "redis_search_index_indexing", G, 1, "indexing of FT.INFO."),
	ROW("percent_indexed", "redis_search_index_percent_indexed", G, 1, "percent_indexed of FT.INFO."),
	ROW("hash_indexing_failures", "redis_search_index_hash_indexing_failures", G, 1, "hash_indexing_failures of FT.INFO."),
	ROW("number_of_uses", "redis_search_index_number_of_uses_total", C, 1, "number_of_uses of FT.INFO."),
	ROW("cleaning", "redis_search_index_cleaning", G, 1, "cleaning of FT.INFO."),
	ROW("inverted_sz_mb", "redis_search_index_inverted_size_bytes", G, MIB, "inverted_sz_mb of FT.INFO. In bytes."),
	ROW("vector_index_sz_mb", "redis_search_index_vector_index_size_bytes", G, MIB, "vector_index_sz_mb of FT.INFO. In bytes."),
	ROW("offset_vectors_sz_mb", "redis_search_index_offset_vectors_size_bytes", G, MIB,
	    "offset_vectors_sz_mb of FT.INFO. In bytes."),
	ROW("doc_table_size_mb", "redis_search_index_doc_table_size_bytes", G, MIB, "doc_table_size_mb of FT.INFO. In bytes."),
	ROW("sortable_values_size_mb", "redis_search_index_sortable_values_size_bytes", G, MIB,
	    "sortable_values_size_mb of FT.INFO. In bytes."),
	ROW("key_table_size_mb", "redis_search_index_key_table_size_bytes", G, MIB, "key_table_size_mb of FT.INFO. In bytes."),
	ROW("tag_overhead_sz_mb", "redis_search_index_tag_overhead_size_bytes", G, MIB, "tag_overhead_sz_mb of FT.INFO. In bytes."),
	ROW("text_overhead_sz_mb", "redis_search_index_text_overhead_size_bytes", G, MIB, "text_overhead_sz_mb of FT.INFO. In bytes."),
	ROW("total_index_memory_sz_mb", "redis_search_index_total_index_memory_size_bytes", G, MIB,
	    "total_index_memory_sz_mb of FT.INFO. In bytes."),
	ROW("geoshapes_sz_mb", "redis_search_index_geoshapes_size_bytes", G, MIB, "geoshapes_sz_mb of FT.INFO. In bytes."),
};
const size_t redis_search_rows_n = ARRAY_LEN(redis_search_rows);

static void show_index(struct redis_scanner *s, struct str name, const struct resp_reply *pairs)
{
	for (size_t i = 0; i + 1 < pairs->n_items; i += 2) {
		const struct resp_reply *value = pairs->items[i + 1];
		double v = (double)value->integer;

		if (value->type != RESP_INTEGER && !info_number(value->text, &v))
			continue;
		for (size_t k = 0; k < redis_search_rows_n; k++)
			if (str_eq(pairs->items[i]->text, redis_search_rows[k].field))
				EXPO_EMIT(s->set, &redis_search_rows[k].family, v / redis_search_rows[k].divisor, { STR("index_name"), name });
	}
}

static bool is_wanted(const struct redis_scanner *s, const struct resp_reply *name)
{
	return regex_match(s->settings->check_search_indexes, name->text) == REGEX_YES;
}

bool redis_scan_search(struct redis_scanner *s, struct err *e)
{
	const struct resp_reply *names, *reply;
	size_t n;

	if (!s->settings->include_search_indexes_metrics)
		return true;
	redis_conn_sendz(s->conn, "FT._LIST", NULL);
	if (!redis_conn_reply(s->conn, &s->arena, redis_scanner_wait(s), &names, e))
		return err_context(e, "FT._LIST");
	if (names->type == RESP_ERROR) {
		err_set(&s->no_search, ERR_UPSTREAM, -1, "FT._LIST: " STR_FMT, STR_ARG(names->text));
		return true;
	}
	n = names->n_items < INDEXES_MAX ? names->n_items : INDEXES_MAX;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(s, names->items[i]))
			redis_conn_send(s->conn, (struct str[]){ STR("FT.INFO"), names->items[i]->text }, 2);
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(s, names->items[i]))
			continue;
		if (!redis_conn_reply(s->conn, &s->arena, redis_scanner_wait(s), &reply, e))
			return err_context(e, "FT.INFO");
		show_index(s, names->items[i]->text, reply);
	}
	return true;
}
