/* SPDX-License-Identifier: MIT */
/* The store, for those who only want to read a value. */
#ifndef LIBSOCLE_XS_H
#define LIBSOCLE_XS_H

/** xs_get - the value of @path, from malloc(); NULL: there is none, or no store within two seconds.
 */
char *xs_get(const char *path);

#endif
