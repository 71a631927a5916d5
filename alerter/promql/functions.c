/* The function table. One row a function, sorted by name; from it come the types the checker wants, the bodies the evaluator
 * calls, the signatures and the line of help that --help and the page show. A new function is a row here, a prototype in
 * functions_bodies.h and its body in a fn_*.c. Source: Prometheus documentation, "Query functions". */
#include "functions.h"

#include "functions_bodies.h"
#include "near.h"

/* X(name, result, arguments, experimental, help). Types: V instant vector, M range vector, S scalar, T string.
 * Arguments: An(…) exactly these; O1(a), O2(a, b): the last may be left out; Rn(…): the last comes any number of times, or
 * never; Q4(…): the last comes up to 9 times. */
#define FUNCTION_LIST(X) \
	X(abs, V, A1(V), false, "Absolute value of each sample.") \
	X(absent, V, A1(V), false, "One sample of value 1 when the vector is empty, else nothing.") \
	X(absent_over_time, V, A1(M), false, "One sample of value 1 when no series has a sample in the range, else nothing.") \
	X(acos, V, A1(V), false, "Arccosine of each sample, in radians.") \
	X(acosh, V, A1(V), false, "Inverse hyperbolic cosine of each sample.") \
	X(asin, V, A1(V), false, "Arcsine of each sample, in radians.") \
	X(asinh, V, A1(V), false, "Inverse hyperbolic sine of each sample.") \
	X(atan, V, A1(V), false, "Arctangent of each sample, in radians.") \
	X(atanh, V, A1(V), false, "Inverse hyperbolic tangent of each sample.") \
	X(avg_over_time, V, A1(M), false, "Mean of the samples in the range.") \
	X(ceil, V, A1(V), false, "Each sample rounded up to a whole number.") \
	X(changes, V, A1(M), false, "How often the value changed within the range.") \
	X(clamp, V, A3(V, S, S), false, "Each sample held between a minimum and a maximum.") \
	X(clamp_max, V, A2(V, S), false, "Each sample held at or below a maximum.") \
	X(clamp_min, V, A2(V, S), false, "Each sample held at or above a minimum.") \
	X(cos, V, A1(V), false, "Cosine of each sample, in radians.") \
	X(cosh, V, A1(V), false, "Hyperbolic cosine of each sample.") \
	X(count_over_time, V, A1(M), false, "Number of samples in the range.") \
	X(day_of_month, V, O1(V), false, "Day of the month in UTC, 1 to 31, of each timestamp, or of now.") \
	X(day_of_week, V, O1(V), false, "Day of the week in UTC, 0 (Sunday) to 6, of each timestamp.") \
	X(day_of_year, V, O1(V), false, "Day of the year in UTC, 1 to 366, of each timestamp.") \
	X(days_in_month, V, O1(V), false, "Number of days, 28 to 31, in the month of each timestamp.") \
	X(deg, V, A1(V), false, "Radians to degrees.") \
	X(delta, V, A1(M), false, "Difference between the ends of the range, extrapolated to its edges; for gauges.") \
	X(deriv, V, A1(M), false, "Change per second by linear regression over the range; for gauges.") \
	X(double_exponential_smoothing, V, A3(M, S, S), true, "Smoothed value of a gauge: smoothing factor, then trend factor.") \
	X(end, S, A0(), true, "End time of the query, in seconds since 1970.") \
	X(exp, V, A1(V), false, "e raised to each sample.") \
	X(first_over_time, V, A1(M), false, "Oldest sample in the range.") \
	X(floor, V, A1(V), false, "Each sample rounded down to a whole number.") \
	X(histogram_avg, V, A1(V), false, "Mean of the observations in each native histogram.") \
	X(histogram_count, V, A1(V), false, "Number of observations in each native histogram.") \
	X(histogram_fraction, V, A3(S, S, V), false, "Estimated fraction of observations between a lower and an upper bound.") \
	X(histogram_quantile, V, A2(S, V), false, "Estimated quantile, 0 to 1, of each histogram, classic (by le) or native.") \
	X(histogram_quantiles, V, Q4(V, T, S, S), true, "Several quantiles of each histogram, told apart by a label.") \
	X(histogram_stddev, V, A1(V), false, "Estimated standard deviation of each native histogram.") \
	X(histogram_stdvar, V, A1(V), false, "Estimated variance of the observations in each native histogram.") \
	X(histogram_sum, V, A1(V), false, "Sum of the observations in each native histogram.") \
	X(hour, V, O1(V), false, "Hour of the day in UTC, 0 to 23, of each timestamp.") \
	X(idelta, V, A1(M), false, "Difference between the last two samples of the range; for gauges.") \
	X(increase, V, A1(M), false, "Increase of a counter over the range, resets taken into account.") \
	X(info, V, O2(V, V), true, "Adds the labels of matching info series, such as target_info.") \
	X(irate, V, A1(M), false, "Increase per second between the last two samples of a counter.") \
	X(label_join, V, R4(V, T, T, T), false, "Joins the values of source labels with a separator into a target label.") \
	X(label_replace, V, A5(V, T, T, T, T), false, "Sets a target label from a regular expression over a source label.") \
	X(last_over_time, V, A1(M), false, "Newest sample in the range.") \
	X(ln, V, A1(V), false, "Natural logarithm of each sample.") \
	X(log10, V, A1(V), false, "Decimal logarithm of each sample.") \
	X(log2, V, A1(V), false, "Binary logarithm of each sample.") \
	X(mad_over_time, V, A1(M), true, "Median absolute deviation of the samples in the range.") \
	X(max_of, S, A2(S, S), true, "The greater of two scalars.") \
	X(max_over_time, V, A1(M), false, "Greatest sample in the range.") \
	X(min_of, S, A2(S, S), true, "The lesser of two scalars.") \
	X(min_over_time, V, A1(M), false, "Least sample in the range.") \
	X(minute, V, O1(V), false, "Minute of the hour in UTC, 0 to 59, of each timestamp.") \
	X(month, V, O1(V), false, "Month of the year in UTC, 1 to 12, of each timestamp.") \
	X(pi, S, A0(), false, "The number pi.") \
	X(predict_linear, V, A2(M, S), false, "Value expected so many seconds from now, by linear regression over the range.") \
	X(present_over_time, V, A1(M), false, "1 for each series with a sample in the range.") \
	X(quantile_over_time, V, A2(S, M), false, "Quantile, 0 to 1, of the samples in the range.") \
	X(rad, V, A1(V), false, "Degrees to radians.") \
	X(range, S, A0(), true, "Length of a range query in seconds; 0 for an instant query.") \
	X(rate, V, A1(M), false, "Average increase per second of a counter over the range, resets taken into account.") \
	X(resets, V, A1(M), false, "How often a counter went back within the range.") \
	X(round, V, O2(V, S), false, "Each sample rounded to the nearest multiple of the second argument, by default 1.") \
	X(scalar, S, A1(V), false, "The value of a vector of exactly one element; NaN for any other.") \
	X(sgn, V, A1(V), false, "Sign of each sample: -1, 0 or 1.") \
	X(sin, V, A1(V), false, "Sine of each sample, in radians.") \
	X(sinh, V, A1(V), false, "Hyperbolic sine of each sample.") \
	X(sort, V, A1(V), false, "Elements by value, ascending; instant queries only.") \
	X(sort_by_label, V, R2(V, T), true, "Elements by labels, in natural order, ascending; instant queries only.") \
	X(sort_by_label_desc, V, R2(V, T), true, "Elements by labels, in natural order, descending; instant queries only.") \
	X(sort_desc, V, A1(V), false, "Elements by value, descending; instant queries only.") \
	X(sqrt, V, A1(V), false, "Square root of each sample.") \
	X(start, S, A0(), true, "Start time of the query, in seconds since 1970.") \
	X(start_timestamp, V, A1(V), true, "Time since when each sample's counter counts, in seconds since 1970.") \
	X(stddev_over_time, V, A1(M), false, "Population standard deviation of the samples in the range.") \
	X(stdvar_over_time, V, A1(M), false, "Population variance of the samples in the range.") \
	X(step, S, A0(), true, "Step of a range query in seconds; 0 for an instant query.") \
	X(sum_over_time, V, A1(M), false, "Sum of the samples in the range.") \
	X(tan, V, A1(V), false, "Tangent of each sample, in radians.") \
	X(tanh, V, A1(V), false, "Hyperbolic tangent of each sample.") \
	X(time, S, A0(), false, "Evaluation time, in seconds since 1970.") \
	X(timestamp, V, A1(V), false, "Time of each sample, in seconds since 1970.") \
	X(ts_of_first_over_time, V, A1(M), true, "Time of the oldest sample in the range.") \
	X(ts_of_last_over_time, V, A1(M), true, "Time of the newest sample in the range.") \
	X(ts_of_max_over_time, V, A1(M), true, "Time of the last greatest sample in the range.") \
	X(ts_of_min_over_time, V, A1(M), true, "Time of the last least sample in the range.") \
	X(vector, V, A1(S), false, "A scalar as a vector of one element without labels.") \
	X(year, V, O1(V), false, "Year in UTC of each timestamp.")

#define TYPE_V PROMQL_VECTOR
#define TYPE_M PROMQL_MATRIX
#define TYPE_S PROMQL_SCALAR
#define TYPE_T PROMQL_STRING

#define A0() { 0 }, 0, 0
#define A1(a) { TYPE_##a }, 1, 0
#define A2(a, b) { TYPE_##a, TYPE_##b }, 2, 0
#define A3(a, b, c) { TYPE_##a, TYPE_##b, TYPE_##c }, 3, 0
#define A5(a, b, c, d, e) { TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d, TYPE_##e }, 5, 0
#define O1(a) { TYPE_##a }, 1, 1
#define O2(a, b) { TYPE_##a, TYPE_##b }, 2, 1
#define R2(a, b) { TYPE_##a, TYPE_##b }, 2, -1
#define R4(a, b, c, d) { TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d }, 4, -1
#define Q4(a, b, c, d) { TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d }, 4, 9
#define X(name, result, args, experimental, help) { #name, TYPE_##result, args, experimental, fn_##name, help },
const struct function functions[] = { FUNCTION_LIST(X) };
#undef X
#undef A0
#undef A1
#undef A2
#undef A3
#undef A5
#undef O1
#undef O2
#undef R2
#undef R4
#undef Q4

const size_t n_functions = ARRAY_LEN(functions);

#define TEXT_V "instant-vector"
#define TEXT_M "range-vector"
#define TEXT_S "scalar"
#define TEXT_T "string"

#define A0() ""
#define A1(a) TEXT_##a
#define A2(a, b) A1(a) ", " TEXT_##b
#define A3(a, b, c) A2(a, b) ", " TEXT_##c
#define A5(a, b, c, d, e) A3(a, b, c) ", " TEXT_##d ", " TEXT_##e
#define O1(a) "[" TEXT_##a "]"
#define O2(a, b) A1(a) "[, " TEXT_##b "]"
#define R2(a, b) A1(a) "[, " TEXT_##b "…]"
#define R4(a, b, c, d) A3(a, b, c) "[, " TEXT_##d "…]"
#define Q4(a, b, c, d) R4(a, b, c, d)
#define X(name, result, args, experimental, help) { #name, #name "(" args ") " TEXT_##result, help, experimental },
static const struct promql_function_info infos[] = { FUNCTION_LIST(X) };
#undef X

size_t promql_functions(const struct promql_function_info **out)
{
	*out = infos;
	return ARRAY_LEN(infos);
}

const struct function *function_find(struct str name)
{
	size_t low = 0, high = n_functions;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = str_cmp(str_of(functions[mid].name), name);

		if (order == 0)
			return &functions[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct function *function_nearest(struct str name)
{
	const struct function *best = NULL;
	size_t best_distance = near_limit(name) + 1;

	for (size_t i = 0; i < n_functions; i++) {
		struct str known = str_of(functions[i].name);
		size_t distance = near_distance(name, known);

		if (distance < best_distance || (distance == best_distance && str_starts(known, name))) {
			best_distance = distance;
			best = &functions[i];
		}
	}
	return best;
}
