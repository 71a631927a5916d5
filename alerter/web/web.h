/* What assets.S compiles in. */
#ifndef TOCSIN_WEB_H
#define TOCSIN_WEB_H

extern const char web_style_begin[], web_style_end[];

#endif
