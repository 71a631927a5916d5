/* /sd: what there is to be scraped, in the format of Prometheus's http_sd. The configured sources, as targets of /probe; and the
 * nodes of the cluster that a source is part of, as targets of a module. */
#ifndef TOCSIN_EXPORTER_SD_H
#define TOCSIN_EXPORTER_SD_H

#include "sources.h"
#include "tocsin/http.h"

struct sd;

struct sd *sd_new(const struct clock *clock);
/* From here on the sources are those of <c>, of which a reference is taken. */
void sd_apply(struct sd *sd, struct sources *c);
/* Before the server starts. */
void sd_add_routes(struct sd *sd, struct http_server *server);
/* Ends and answers what is under way. Before http_server_free(). */
void sd_free(struct sd *sd);

#endif
