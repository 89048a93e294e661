/* SPDX-License-Identifier: Apache-2.0
 *
 * Telemetry of a pledge: voucher status (RFC 8995 5.7) and enrolment status
 * (5.9.4), one JSON form for both. What the sender adds is kept for the log.
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "artefact/json.h"

#define LK_TELEMETRY_MAX           (8 * 1024) /* bytes */
#define LK_TELEMETRY_VERSION       1
#define LK_TELEMETRY_REASON_MAX    513 /* characters of `reason` that are taken, and their NUL */
#define LK_TELEMETRY_LIBRARIES_MAX 129 /* likewise of reason-context's `libraries` */

struct lk_telemetry {
	uint32_t present;
	uint64_t version; /* greater than ours: logged, and the operator is told */
	bool status;
	char reason[LK_TELEMETRY_REASON_MAX];       /* "" when absent */
	char libraries[LK_TELEMETRY_LIBRARIES_MAX]; /* what the pledge runs, as it says; "": not
						       said */
	json_t *json; /* the whole object, unknown members included; owned */
};

/* Caller releases ret. LK_R_JSON_*, LK_R_TELEMETRY. */
LK_RESULT lk_telemetry_parse(struct lk_slice text, struct lk_telemetry *ret, struct lk_err *e);
void lk_telemetry_done(struct lk_telemetry *t);

/* `reason` is a word for the cause, NULL when status is true; `libraries` goes into reason-context,
 * which is the pledge's own to fill; NULL: none. Appends to out. */
LK_RESULT lk_telemetry_build(bool status, const char *reason, const char *libraries,
	struct lk_buf *out, struct lk_err *e);
/* Lines of "name: value", unknown members included. Appends to out. */
LK_RESULT lk_telemetry_print(const struct lk_telemetry *t, struct lk_buf *out, struct lk_err *e);
