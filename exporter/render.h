/* Answers of sources as a page of metrics. */
#ifndef TOCSIN_EXPORTER_RENDER_H
#define TOCSIN_EXPORTER_RENDER_H

#include "self.h"

/* Appends what each source brought, the results of its slow tasks, and <core>. <bare>: without the label `source`. */
void render_answers(struct buf *out, const struct answer *answers, size_t n, bool bare, const struct expo_set *core,
                    enum expo_format format);

#endif
