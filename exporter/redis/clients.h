/* CLIENT LIST: a series set for each connection, as redis_exporter has it, and sums by what the connections have in common, of
 * which there are few. Both are bounded by settings. */
#ifndef TOCSIN_REDIS_CLIENTS_H
#define TOCSIN_REDIS_CLIENTS_H

#include "redis/show.h"

void redis_show_clients(struct redis_shown *shown, const struct resp_reply *reply);

#endif
