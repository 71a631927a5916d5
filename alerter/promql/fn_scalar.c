/* Between scalars and vectors, and scalars from the query itself: scalar(), vector(), time(), pi(), start(), end(), step(),
 * range(); and the times of samples: timestamp(), start_timestamp(). */
#include "eval.h"
#include "functions_bodies.h"

void fn_vector(struct eval_call *c)
{
	c->result = c->args[0];
	c->result->type = PROMQL_VECTOR;
}

/* The only float at the step; with none or several it is NaN. Histograms do not count. */
void fn_scalar(struct eval_call *c)
{
	const struct value *x = c->args[0];
	struct value *out = value_scalar(c->ev);

	if (out == NULL)
		return;
	for (size_t step = 0; step < x->n_steps && eval_works(c->ev, x->shape->n); step++) {
		size_t found = 0;

		out->v[step] = NAN;
		for (size_t row = 0; row < x->shape->n && found < 2; row++) {
			size_t i = row * x->n_steps + step;

			if (value_is_float(x, i)) {
				out->v[step] = found == 0 ? x->v[i] : NAN;
				found++;
			}
		}
	}
	c->result = out;
}

static void constant(struct eval_call *c, double v)
{
	c->result = value_scalar(c->ev);
	for (size_t step = 0; c->result != NULL && step < c->result->n_steps && eval_works(c->ev, 1); step++)
		c->result->v[step] = v;
}

void fn_pi(struct eval_call *c)
{
	constant(c, 3.14159265358979323846);
}

void fn_start(struct eval_call *c)
{
	constant(c, (double)c->ev->query_start_ms / 1000);
}

void fn_end(struct eval_call *c)
{
	constant(c, (double)c->ev->query_end_ms / 1000);
}

void fn_step(struct eval_call *c)
{
	constant(c, (double)c->ev->query_step_ms / 1000);
}

void fn_range(struct eval_call *c)
{
	constant(c, (double)(c->ev->query_end_ms - c->ev->query_start_ms) / 1000);
}

void fn_time(struct eval_call *c)
{
	c->result = value_scalar(c->ev);
	for (size_t step = 0; c->result != NULL && step < c->result->n_steps && eval_works(c->ev, 1); step++)
		c->result->v[step] = (double)step_at(&c->ev->steps, step) / 1000;
}

void fn_timestamp(struct eval_call *c)
{
	struct value *x = c->args[0];

	for (size_t i = 0; i < value_cells(x) && eval_works(c->ev, 1); i++)
		x->v[i] = (double)(x->t_ms != NULL ? x->t_ms[i] : step_at(&c->ev->steps, i % x->n_steps)) / 1000;
	x->h = NULL;
	x->t_ms = x->st_ms = NULL;      /* it is no selector's value any more */
	c->result = value_drop_names(c->ev, c->node, x);
}

void fn_start_timestamp(struct eval_call *c)
{
	struct value *x = c->args[0];

	if (x->st_ms == NULL)
		return;
	for (size_t i = 0; i < value_cells(x) && eval_works(c->ev, 1); i++)
		x->v[i] = (double)x->st_ms[i] / 1000;
	x->h = NULL;
	x->t_ms = x->st_ms = NULL;      /* it is no selector's value any more */
	c->result = value_drop_names(c->ev, c->node, x);
}
