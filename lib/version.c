/* The only file that knows the version, so that a commit rebuilds one object and not all. */
#include "tocsin/version.h"

const char *version_text(void)
{
	return TOCSIN_VERSION;
}

const char *version_compiler(void)
{
#ifdef __clang__
	return __VERSION__;             /* "Clang 14.0.6" */
#else
	return "gcc " __VERSION__;
#endif
}
