/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules, which are rare, go to the kernel by the nft program: a fixed command line, no
 * shell, an empty environment, the document in memory that nothing else can reach.
 */
#pragma once

#include "base/slice.h"

/* Runs `nft -j -f -` and waits: all of the document is in force, or nothing has changed.
 * LK_R_ENFORCER_NFT, with the first line of what nft said. */
LK_RESULT lk_nft_apply(struct lk_slice document, struct lk_err *e);
