/* Texts and label sets on the heap, for state that lives longer than any arena here. */
#ifndef NOTIFY_TEXT_H
#define NOTIFY_TEXT_H

#include "tocsin/labels.h"

struct str text_dup(struct str);                /* NUL behind the end */
void text_free(struct str);
void text_set(struct str *to, struct str);      /* frees what was there; <to> may be the source */
struct labels text_dup_labels(struct labels);   /* one block */
void text_free_labels(struct labels);
/* Cut to <max> bytes on a character's boundary, control characters and malformed UTF-8 made '?': for what strangers sent. */
struct str text_clean(struct arena *, struct str, size_t max);

#endif
