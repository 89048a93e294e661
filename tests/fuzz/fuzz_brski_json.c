/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit logs and telemetry from foreign bytes: what is taken can be printed, judged and written.
 */
#include <assert.h>

#include "artefact/audit_log.h"
#include "artefact/telemetry.h"

#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
audit_log(struct lk_slice in)
{
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL, *again = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf lines = LK_BUF_INIT(OUT_MAX);
	const struct lk_certs nobody = { .n = 0 };

	if (!lk_audit_log_parse(in, &log, NULL).ok)
		return;
	assert(lk_audit_log_print(log, &lines, NULL).ok);
	assert(lk_audit_log_judge(log, &nobody, NULL).ok == (log->n_events == 0));
	assert(lk_audit_log_build(log, &text, NULL).ok);
	if (text.n <= LK_AUDIT_LOG_MAX)
		assert(lk_audit_log_parse(lk_buf_slice(&text), &again, NULL).ok &&
			again->n_events == log->n_events);
}

static void
telemetry(struct lk_slice in)
{
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf lines = LK_BUF_INIT(OUT_MAX);

	if (lk_telemetry_parse(in, &t, NULL).ok)
		assert(lk_telemetry_print(&t, &lines, NULL).ok);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	audit_log(lk_slice(data, size));
	telemetry(lk_slice(data, size));
	return 0;
}
