/* Functions of one number: each float of the vector replaced, histograms left out, metric names dropped. */
#include "eval.h"
#include "functions_bodies.h"

void call_floats(struct eval_call *c, float_fn fn)
{
	struct value *x = c->args[0];

	for (size_t i = 0; i < value_cells(x) && eval_works(c->ev, 1); i++) {
		if (value_is_float(x, i))
			x->v[i] = fn(x->v[i]);
		else
			x->has[i] = false;
	}
	c->result = value_drop_names(c->ev, c->node, x);
}

#define PI 3.14159265358979323846

static double to_radians(double v)
{
	return v * PI / 180;
}

static double to_degrees(double v)
{
	return v * 180 / PI;
}

static double sign(double v)
{
	return v < 0 ? -1 : v > 0 ? 1 : v;      /* 0 keeps its sign, NaN stays */
}

#define BODY(name, fn) \
	void fn_##name(struct eval_call *c) \
	{ \
		call_floats(c, fn); \
	}

BODY(abs, fabs)
BODY(ceil, ceil)
BODY(floor, floor)
BODY(exp, exp)
BODY(sqrt, sqrt)
BODY(ln, log)
BODY(log2, log2)
BODY(log10, log10)
BODY(sin, sin)
BODY(cos, cos)
BODY(tan, tan)
BODY(asin, asin)
BODY(acos, acos)
BODY(atan, atan)
BODY(sinh, sinh)
BODY(cosh, cosh)
BODY(tanh, tanh)
BODY(asinh, asinh)
BODY(acosh, acosh)
BODY(atanh, atanh)
BODY(rad, to_radians)
BODY(deg, to_degrees)
BODY(sgn, sign)

/* Go's Max and Min: NaN wins over all but the infinity that decides. */
static double max_nan(double a, double b)
{
	if (a == INFINITY || b == INFINITY)
		return INFINITY;
	return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

static double min_nan(double a, double b)
{
	if (a == -INFINITY || b == -INFINITY)
		return -INFINITY;
	return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
}

/* <least> and <most> tell the argument that holds the bound; 0: none. */
static void clamp(struct eval_call *c, size_t least, size_t most)
{
	struct value *x = c->args[0];

	for (size_t step = 0; step < x->n_steps && eval_works(c->ev, x->shape->n); step++) {
		double low = least == 0 ? -INFINITY : call_scalar(c, least, step), high = most == 0 ? INFINITY : call_scalar(c, most, step);

		for (size_t row = 0; row < x->shape->n; row++) {
			size_t i = row * x->n_steps + step;

			x->has[i] = value_is_float(x, i) && !(high < low);
			if (x->has[i])
				x->v[i] = max_nan(low, min_nan(high, x->v[i]));
		}
	}
	c->result = value_drop_names(c->ev, c->node, x);
}

void fn_clamp(struct eval_call *c)
{
	clamp(c, 1, 2);
}

void fn_clamp_min(struct eval_call *c)
{
	clamp(c, 1, 0);
}

void fn_clamp_max(struct eval_call *c)
{
	clamp(c, 0, 1);
}

void fn_round(struct eval_call *c)
{
	struct value *x = c->args[0];

	for (size_t i = 0; i < value_cells(x) && eval_works(c->ev, 1); i++) {
		/* multiplying by the inverse loses less for 0.1, 0.01 … than dividing */
		double inverse = 1 / (c->n_args > 1 ? call_scalar(c, 1, i % x->n_steps) : 1);

		x->has[i] = value_is_float(x, i);
		if (x->has[i])
			x->v[i] = floor(x->v[i] * inverse + 0.5) / inverse;
	}
	c->result = value_drop_names(c->ev, c->node, x);
}

static void pick_scalar(struct eval_call *c, double (*pick)(double, double))
{
	struct value *x = c->args[0];

	for (size_t step = 0; step < x->n_steps && eval_works(c->ev, 1); step++)
		x->v[step] = pick(x->v[step], call_scalar(c, 1, step));
	c->result = x;
}

void fn_min_of(struct eval_call *c)
{
	pick_scalar(c, min_nan);
}

void fn_max_of(struct eval_call *c)
{
	pick_scalar(c, max_nan);
}
