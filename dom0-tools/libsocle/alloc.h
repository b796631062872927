/* SPDX-License-Identifier: MIT */
/* Memory for daemons whose every size is bounded: when there is none, the process ends with a line
 * on standard error, and whoever supervises it starts it again. */
#ifndef LIBSOCLE_ALLOC_H
#define LIBSOCLE_ALLOC_H

#include <stddef.h>

/** must_alloc - zeroed memory. */
void *must_alloc(size_t size);
/** must_copy - memory with a copy of @len bytes and a NUL behind them. */
char *must_copy(const void *src, size_t len);
/** must_have - end the process if @rc is not 0, as of bytes_grow() without a limit in reach. */
void must_have(int rc);

#endif
