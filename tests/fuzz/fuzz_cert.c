/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates from foreign bytes: everything that is asked of one, and every profile that it
 * may be held against.
 */
#include <assert.h>

#include "artefact/cert_profile.h"
#include "artefact/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct lk_cert *c)
{
	char text[LK_CERT_NAME_MAX], fingerprint[65], serial[2 * LK_CERT_SERIAL_MAX + 1];
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 20);
	struct lk_names names;
	struct lk_sans sans;

	lk_cert_serial(c, serial);
	lk_cert_fingerprint(c, fingerprint);
	lk_cert_subject(c, "2.5.4.5", text);
	lk_cert_subject_text(c, text, sizeof text);
	lk_cert_issuer_text(c, text, sizeof text);
	lk_ignore(lk_cert_url(c, LK_OID_PE_MASA_URL, text, NULL));
	lk_ignore(lk_cert_url(c, LK_OID_PE_MUD_URL, text, NULL));
	lk_ignore(lk_cert_domain_id(c, &out, NULL));
	lk_ignore(lk_names_of(c, &names, NULL));
	lk_ignore(lk_sans_of(c, &sans, NULL));
	assert(lk_cert_print_line("certificate", c, &out, NULL).ok);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	enum lk_cert_profile p;
	struct lk_err e;

	if (!lk_cert_parse(lk_slice(data, size), &c, NULL).ok)
		return 0;
	ask(c);
	for (p = 0; p < LK_PROFILE_COUNT; p++)
		if (!lk_cert_check_profile(c, p, &e).ok)
			assert(e.reason != LK_R_NONE && e.reason != LK_R_BUG);
	return 0;
}
