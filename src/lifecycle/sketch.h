/* SPDX-License-Identifier: Apache-2.0
 *
 * The lifecycle as a picture: Graphviz text of the tables, for doc/lifecycle.dot.
 */
#pragma once

#include "base/slice.h"

LK_RESULT lk_lifecycle_sketch(struct lk_buf *out, struct lk_err *e);
