/* Complains once an outage and says when it is over. One struct a thing that can fail; {0} is one that works. Used by one thread. */
#ifndef TOCSIN_COMPLAIN_H
#define TOCSIN_COMPLAIN_H

#include "tocsin/err.h"

struct complaint {
	int64_t since_ms;       /* of the outage; 0: there is none */
	uint64_t failures;      /* in this outage */
};

/* Logs at the first failure of an outage: msg="<what> failed" name=… err=… */
void complain_failed(struct complaint *c, const char *what, const char *name, const struct err *e, int64_t now_ms);
/* Logs when an outage ends: msg="<what> works again" name=… after=5m failures=12 */
void complain_works(struct complaint *c, const char *what, const char *name, int64_t now_ms);

#endif
