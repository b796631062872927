/* SPDX-License-Identifier: MIT */
/* Included in front of every source: what is declared is in this image, so its address is a distance
 * and needs no table of addresses. */
#pragma GCC visibility push(hidden)
