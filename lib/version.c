/* The only file that knows the version, so that a commit rebuilds one object and not all. */
#include "tocsin/version.h"

const char *version_text(void)
{
	return TOCSIN_VERSION;
}

const char *version_compiler(void)
{
	return __VERSION__;
}
