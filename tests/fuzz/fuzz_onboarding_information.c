/* SPDX-License-Identifier: Apache-2.0
 *
 * Onboarding information from foreign bytes, as the whole object, as the text in a good envelope,
 * and as the configuration in a good text. What is taken can be printed, and written again so that
 * it reads the same.
 */
#include <assert.h>

#include "artefact/onboarding_information.h"
#include "base/encode.h"
#include "signed_text.h"

#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_again(const struct lk_onboarding *o)
{
	const struct signed_text_key *k = signed_text_key();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *again = NULL;
	LK_CLEANUP(json_decrefp) json_t *a = NULL, *b = NULL;

	/* What was large and had little white space may not fit any more. */
	if (!lk_onboarding_build(&o->leaf, k->key, &k->certs, &der, NULL).ok ||
		der.n > LK_ONBOARDING_MAX)
		return;
	assert(lk_onboarding_parse(lk_buf_slice(&der), &again, NULL).ok);
	assert(lk_onboarding_json(&o->leaf, &a, NULL).ok &&
		lk_onboarding_json(&again->leaf, &b, NULL).ok);
	assert(json_equal(a, b));
}

static void
read_information(struct lk_slice der)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;

	if (!lk_onboarding_parse(der, &o, NULL).ok) {
		assert(!o);
		return;
	}
	assert(lk_onboarding_print(o, &out, NULL).ok);
	read_again(o);
}

static void
read_text(struct lk_slice text)
{
	const struct signed_text_key *k = signed_text_key();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(2 * OUT_MAX);

	assert(lk_cms_sign(LK_CMS_SZTP_JSON, text, 0, k->key, &k->certs, &der, NULL).ok);
	read_information(lk_buf_slice(&der));
}

static void
read_configuration(struct lk_slice configuration)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2 * OUT_MAX);

	assert(lk_buf_append_str(&text,
		"{\"ietf-sztp-conveyed-info:onboarding-information\":"
		"{\"configuration-handling\":\"replace\",\"configuration\":\"",
		NULL)
			.ok);
	assert(lk_base64_encode(configuration, &text, NULL).ok);
	assert(lk_buf_append_str(&text, "\"}}", NULL).ok);
	read_text(lk_buf_slice(&text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_information(lk_slice(data, size));
	if (size > LK_ONBOARDING_MAX)
		return 0;
	read_text(lk_slice(data, size));
	read_configuration(lk_slice(data, size));
	return 0;
}
