/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests from foreign bytes, as they are and as the lines below a first line that fits them.
 * What is taken can be printed, and its devices written again.
 */
#include <assert.h>

#include "artefact/manifest.h"
#include "base/encode.h"
#include "signed_text.h"

#define OUT_MAX ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_manifest(struct lk_slice text)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = NULL;
	size_t i;

	if (!lk_manifest_parse(text, &m, NULL).ok) {
		assert(!m);
		return;
	}
	assert(lk_manifest_print(m, &out, NULL).ok);
	/* A line without white space and escapes is no longer than it was, but for U+FFFF and its
	 * like; the maximum may be met. */
	for (i = 0; i < m->leaf.devices; i++)
		lk_ignore(lk_manifest_add(&b, &m->devices[i], NULL));
}

/* Every line feed ends a device. */
static void
read_lines(struct lk_slice lines)
{
	const struct signed_text_key *k = signed_text_key();
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(OUT_MAX);
	struct lk_manifest_builder b = { .lines = LK_BUF_INIT(OUT_MAX) };
	struct lk_manifest_leaves leaf = {
		.present = 7, .manufacturer = "Vendor", .masa_url = "m", .anchors = k->certs
	};
	size_t i;

	for (i = 0; i < lines.n; i++)
		b.devices += lines.p[i] == '\n';
	assert(lk_buf_append(&b.lines, lines, NULL).ok);
	if (lk_manifest_finish(&b, &leaf, k->key, &k->certs, &text, NULL).ok)
		read_manifest(lk_buf_slice(&text));
	lk_manifest_builder_done(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_manifest(lk_slice(data, size));
	if (size <= LK_MANIFEST_MAX)
		read_lines(lk_slice(data, size));
	return 0;
}
