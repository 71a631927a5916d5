/* Which Tocsin this is: a tag or commit ("v1.2", "1a2b3c4-dirty"), and what --version prints of the build. */
#ifndef TOCSIN_VERSION_H
#define TOCSIN_VERSION_H

const char *version_text(void);
const char *version_compiler(void);

#endif
