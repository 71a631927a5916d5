/* cmocka and what it wants before it. */
#ifndef TOCSIN_TESTS_H
#define TOCSIN_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
