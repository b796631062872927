/* SPDX-License-Identifier: MIT */
/* Rules of the kernel's packet filter: nft(8). */
#ifndef NETWORK_NFT_H
#define NETWORK_NFT_H

#include "../libsocle/error.h"

/** nft_run - carry out commands, one a line: all of them or none
 * Returns 0, -ENOMEM or -EIO. */
int nft_run(const char *commands, struct error *err);

#endif
