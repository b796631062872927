/* SPDX-License-Identifier: MIT */
#ifndef LIBSOCLE_CONFIG_CHECK_H
#define LIBSOCLE_CONFIG_CHECK_H

#include "config_node.h"

/** config_check - what a tree with the keys of JSON files means
 * @to  written only on success
 * Returns 0; -EINVAL, with at least one error noted. */
int config_check(const struct node *root, struct domain_config *to, struct config_notes *notes);

#endif
