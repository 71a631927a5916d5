/* SERVER EXT of a Tile38: pairs of names and values. Names are redis_exporter's, `_total` of a gauge included. */
#include "redis/info.h"
#include "redis/show.h"

#define ROW(field, family, help) { { field, sizeof field - 1 }, { family, EXPO_GAUGE, help, NULL }, 1 }

const struct info_row redis_tile38_rows[] = {
	ROW("alloc_bytes", "redis_tile38_mem_alloc_bytes", "alloc_bytes of SERVER EXT."),
	ROW("aof_size", "redis_tile38_aof_size_bytes", "aof_size of SERVER EXT."),
	ROW("avg_point_size", "redis_tile38_avg_item_size_bytes", "avg_point_size of SERVER EXT."),
	ROW("go_goroutines", "redis_tile38_go_goroutines_total", "go_goroutines of SERVER EXT."),
	ROW("go_threads", "redis_tile38_threads_total", "go_threads of SERVER EXT."),
	ROW("heap_alloc_bytes", "redis_tile38_heap_size_bytes", "heap_alloc_bytes of SERVER EXT."),
	ROW("heap_released_bytes", "redis_tile38_heap_released_bytes", "heap_released_bytes of SERVER EXT."),
	ROW("http_transport", "redis_tile38_http_transport", "http_transport of SERVER EXT."),
	ROW("in_memory_size", "redis_tile38_in_memory_size_bytes", "in_memory_size of SERVER EXT."),
	ROW("last_gc_time_seconds", "redis_tile38_last_gc_time_seconds", "last_gc_time_seconds of SERVER EXT."),
	ROW("max_heap_size", "redis_tile38_max_heap_size_bytes", "max_heap_size of SERVER EXT."),
	ROW("next_gc_bytes", "redis_tile38_next_gc_bytes", "next_gc_bytes of SERVER EXT."),
	ROW("num_collections", "redis_tile38_num_collections_total", "num_collections of SERVER EXT."),
	ROW("num_hooks", "redis_tile38_num_hooks_total", "num_hooks of SERVER EXT."),
	ROW("num_objects", "redis_tile38_num_objects_total", "num_objects of SERVER EXT."),
	ROW("num_points", "redis_tile38_num_points_total", "num_points of SERVER EXT."),
	ROW("pointer_size", "redis_tile38_pointer_size_bytes", "pointer_size of SERVER EXT."),
	ROW("read_only", "redis_tile38_read_only", "read_only of SERVER EXT."),
	ROW("sys_cpus", "redis_tile38_cpus_total", "sys_cpus of SERVER EXT."),
};
const size_t redis_tile38_rows_n = ARRAY_LEN(redis_tile38_rows);

void redis_show_tile38(struct redis_shown *sh, const struct resp_reply *reply)
{
	for (size_t i = 0; i + 1 < reply->n_items; i += 2) {
		const struct resp_reply *value = reply->items[i + 1];
		double v = (double)value->integer;

		if (value->type != RESP_INTEGER && !info_number(value->text, &v))
			continue;
		for (size_t k = 0; k < redis_tile38_rows_n; k++)
			if (str_eq(reply->items[i]->text, redis_tile38_rows[k].field))
				EXPO_EMIT0(sh->set, &redis_tile38_rows[k].family, v);
	}
}
