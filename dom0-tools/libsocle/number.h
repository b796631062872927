/* SPDX-License-Identifier: MIT */
/* Numbers within texts that people write. */
#ifndef LIBSOCLE_NUMBER_H
#define LIBSOCLE_NUMBER_H

#include <stdbool.h>

/** number_at - a decimal number of up to nine digits at *@s, at most @max; steps behind it
 * Returns false if there is none or it is larger; @value is then undefined. */
bool number_at(const char **s, unsigned long max, unsigned long *value);

#endif
