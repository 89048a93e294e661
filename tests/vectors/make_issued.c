/* SPDX-License-Identifier: Apache-2.0
 *
 * make_issued FOLDER: the vectors of what a network's and a factory's own writers make:
 * requests, revocation lists, onboarding information, manifests, checkpoints. As make_vectors, run
 * by hand; here the good ones come from Latchkey's writers, and a bad one is bent afterwards or
 * signed by somebody else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "artefact/checkpoint.h"
#include "artefact/crl.h"
#include "artefact/csr.h"
#include "artefact/manifest.h"
#include "artefact/onboarding_information.h"
#include "base/file.h"
#include "pki.h"

#define VECTOR_MAX          (128 * 1024)
#define DEVICE_ID           "019b7a3c-0000-7000-8000-000000000001"
#define EKU_MANIFEST_SIGNER "2.25.108185145276060811385741955779230067267.2"

static struct pki_cast cast;
static const char *folder;
static struct lk_err err;

static void
must(struct lk_result r)
{
	if (r.ok)
		return;
	fprintf(stderr, "make_issued: %s\n", err.msg);
	exit(1);
}

static void
save(const char *name, struct lk_slice bytes)
{
	LK_CLEANUP(lk_freep) char *path = pki_text("%s/%s", folder, name);

	must(lk_file_replace(path, bytes, 0644, &err));
}

static void
save_cert(const char *name, const struct pki_id *who)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(VECTOR_MAX);

	must(lk_cert_print_pem(pki_cert(who), &pem, &err));
	save(name, lk_buf_slice(&pem));
}

/* With one bit turned: of the last octet of `what`, or of all when that is NULL. */
static void
save_bent(const char *name, struct lk_slice bytes, const char *what)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf bent = LK_BUF_INIT(VECTOR_MAX);
	uint8_t *last;

	must(lk_buf_append(&bent, bytes, &err));
	last = bent.p + bent.n - 1;
	if (what)
		last = (uint8_t *)memmem(bent.p, bent.n, what, strlen(what)) + strlen(what) - 1;
	*last ^= 1;
	save(name, lk_buf_slice(&bent));
}

static void
save_longer(const char *name, struct lk_slice bytes)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf longer = LK_BUF_INIT(VECTOR_MAX);

	must(lk_buf_append(&longer, bytes, &err));
	must(lk_buf_append(&longer, LK_SLICE_LIT("\0"), &err));
	save(name, lk_buf_slice(&longer));
}

/* --- requests --------------------------------------------------------------------------------- */

static void
csr(const char *common_name, const char *serial_number, struct lk_buf *out)
{
	const struct lk_csr_spec spec = { .common_name = common_name,
		.serial_number = serial_number };

	must(lk_csr_build(&spec, cast.device.key, out, &err));
}

static void
make_csrs(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(VECTOR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf named = LK_BUF_INIT(VECTOR_MAX);

	csr(NULL, PKI_SERIAL, &good);
	csr("another", PKI_SERIAL, &named);
	save("csr/good/serial-number.der", lk_buf_slice(&good));
	save("csr/bad/csr-subject--of-another.der", lk_buf_slice(&named));
	save_bent("csr/bad/csr-pop--flipped-bit.der", lk_buf_slice(&good), PKI_SERIAL);
	save_longer("csr/bad/csr-syntax--trailing-byte.der", lk_buf_slice(&good));
	save_cert("csr/idevid.pem", &cast.device);
}

/* --- revocation lists ------------------------------------------------------------------------- */

static void
crl(const struct pki_id *issuer, int64_t from, bool revoke, struct lk_buf *out)
{
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b;
	const struct lk_crl_entry entry = { LK_SLICE_LIT("\x12\x34"), from, LK_CRL_KEY_COMPROMISE };

	must(lk_crl_begin(&b, pki_cert(issuer), issuer->key, 7, from, from + PKI_DAY, &err));
	if (revoke)
		must(lk_crl_add(&b, &entry, &err));
	must(lk_crl_finish(&b, out, &err));
}

static void
save_crl(const char *name, const struct pki_id *issuer, int64_t from, bool revoke)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(VECTOR_MAX);

	crl(issuer, from, revoke, &der);
	save(name, lk_buf_slice(&der));
}

static void
make_crls(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(VECTOR_MAX);

	save_crl("crl/good/empty.crl", &cast.domain, PKI_NOW - 60, false);
	save_crl("crl/good/one.crl", &cast.domain, PKI_NOW - 60, true);
	save_crl("crl/bad/crl-issuer--another.crl", &cast.stranger_ca, PKI_NOW - 60, true);
	save_crl("crl/bad/crl-time--past.crl", &cast.domain, PKI_NOW - 2 * PKI_DAY, true);
	save_crl("crl/bad/crl-time--future.crl", &cast.domain, PKI_NOW + PKI_DAY, true);
	crl(&cast.domain, PKI_NOW - 60, true, &good);
	save_bent("crl/bad/crl-signature--flipped-bit.crl", lk_buf_slice(&good), "\x12\x34");
	save_longer("crl/bad/crl-syntax--trailing-byte.crl", lk_buf_slice(&good));
	save_cert("crl/issuer.pem", &cast.domain);
}

/* --- onboarding information ------------------------------------------------------------------- */

static void
onboarding(const struct pki_id *signer, const char *device, struct lk_buf *out)
{
	LK_CLEANUP(lk_onboarding_leaves_done)
	struct lk_onboarding_leaves leaf = {
		.present = (1u << (LK_ONBOARDING_RENEWAL_URL + 1)) - 1,
		.network = "example",
		.serial_number = PKI_SERIAL,
		.issued_on = PKI_NOW,
		.sequence = 1,
		.radius_anchor = LK_BUF_INIT(LK_CERT_DER_MAX),
		.radius_server = "radius.domain.example",
		.lifecycle_url = "https://registrar.domain.example/joined",
		.renewal_url = "https://registrar.domain.example/.well-known/est",
	};

	snprintf(leaf.device, sizeof leaf.device, "%s", device);
	must(lk_buf_append(&leaf.radius_anchor, lk_cert_der(pki_cert(&cast.domain)), &err));
	must(lk_onboarding_build(&leaf, signer->key, &signer->chain, out, &err));
}

static void
save_onboarding(const char *name, const struct pki_id *signer, const char *device)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(VECTOR_MAX);

	onboarding(signer, device, &der);
	save(name, lk_buf_slice(&der));
}

static void
make_onboarding(void)
{
	const struct pki_spec spec = {
		.cn = DEVICE_ID, .serial_number = PKI_SERIAL, .eku = "clientAuth"
	};
	LK_CLEANUP(pki_id_done) struct pki_id ldevid = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(VECTOR_MAX);

	pki_issue(&cast.domain, &spec, &ldevid);
	save_onboarding("onboarding/good/information.cms", &cast.registrar, DEVICE_ID);
	save_onboarding(
		"onboarding/bad/onboarding-signer--stranger.cms", &cast.stranger, DEVICE_ID);
	save_onboarding("onboarding/bad/onboarding-signer--device.cms", &ldevid, DEVICE_ID);
	save_onboarding("onboarding/bad/onboarding-device--another.cms", &cast.registrar,
		"019b7a3c-0000-7000-8000-000000000002");
	onboarding(&cast.registrar, DEVICE_ID, &good);
	save_bent("onboarding/bad/cms-signature--flipped-bit.cms", lk_buf_slice(&good), NULL);
	save_longer("onboarding/bad/cms-syntax--trailing-byte.cms", lk_buf_slice(&good));
	save_cert("onboarding/domain.pem", &cast.domain);
	save_cert("onboarding/ldevid.pem", &ldevid);
}

/* --- manifests -------------------------------------------------------------------------------- */

static void
manifest(const struct pki_id *signer, struct lk_buf *out)
{
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	const struct lk_manifest_leaves leaf = {
		.present = 1u << LK_MANIFEST_MANUFACTURER | 1u << LK_MANIFEST_ISSUED_ON |
			   1u << LK_MANIFEST_MASA_URL,
		.manufacturer = "Vendor",
		.issued_on = PKI_NOW,
		.masa_url = PKI_MASA_URL,
		.anchors = { .v = { pki_cert(&cast.vendor) }, .n = 1 },
	};
	struct lk_manifest_device device = {
		.present = (1u << (LK_MANIFEST_MUD_URL + 1)) - 1,
		.idevid_issuer = "0123456789abcdef0123456789abcdef01234567",
		.spki_sha256 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.model = "Thing",
		.mud_url = "https://vendor.example/thing.json",
	};
	int i;

	for (i = 1; i <= 3; i++) {
		snprintf(device.serial_number, sizeof device.serial_number, "LK-%04d", i);
		must(lk_manifest_add(&b, &device, &err));
	}
	must(lk_manifest_finish(&b, &leaf, signer->key, &signer->chain, out, &err));
}

static void
save_manifest(const char *name, const struct pki_id *signer)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(VECTOR_MAX);

	manifest(signer, &text);
	save(name, lk_buf_slice(&text));
}

static void
make_manifests(void)
{
	const struct pki_spec spec = {
		.cn = "Factory", .eku = EKU_MANIFEST_SIGNER, .key_usage = "digitalSignature"
	};
	LK_CLEANUP(pki_id_done) struct pki_id factory = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id stranger = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(VECTOR_MAX);

	pki_issue(&cast.vendor, &spec, &factory);
	pki_issue(&cast.stranger_ca, &spec, &stranger);
	save_manifest("manifest/good/three-devices.manifest", &factory);
	save_manifest("manifest/bad/manifest-signer--masa.manifest", &cast.masa);
	save_manifest("manifest/bad/manifest-signer--stranger.manifest", &stranger);
	manifest(&factory, &good);
	save_bent("manifest/bad/manifest-digest--another-device.manifest", lk_buf_slice(&good),
		"LK-0002");
	save_cert("manifest/vendor.pem", &cast.vendor);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static void
checkpoint(const struct pki_id *signer, struct lk_buf *out)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf hash = LK_BUF_INIT(LK_CHECKPOINT_HASH_LEN);
	struct lk_checkpoint c = { .node = "node-1", .site = "home", .seq = 1041, .at = PKI_NOW };

	must(lk_buf_append(&hash, LK_SLICE_LIT("0123456789abcdef0123456789abcdef"), &err));
	c.hash = hash;
	must(lk_checkpoint_build(&c, signer->key, &signer->chain, out, &err));
}

static void
save_checkpoint(const char *name, const struct pki_id *signer)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(VECTOR_MAX);

	checkpoint(signer, &der);
	save(name, lk_buf_slice(&der));
}

static void
make_checkpoints(void)
{
	const struct pki_spec spec = {
		.cn = DEVICE_ID, .serial_number = PKI_SERIAL, .eku = "clientAuth"
	};
	const struct pki_spec signer = { .cn = "Voucher signer",
		.key_usage = "critical,digitalSignature" };
	LK_CLEANUP(pki_id_done) struct pki_id ldevid = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id masa = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(VECTOR_MAX);

	pki_issue(&cast.domain, &spec, &ldevid);
	pki_issue(&cast.vendor, &signer, &masa);
	save_checkpoint("checkpoint/good/registrar.cms", &cast.registrar);
	save_checkpoint("checkpoint/good/masa.cms", &masa);
	save_checkpoint("checkpoint/bad/checkpoint-signer--stranger.cms", &cast.stranger);
	save_checkpoint("checkpoint/bad/checkpoint-signer--ldevid.cms", &ldevid);
	save_checkpoint("checkpoint/bad/checkpoint-signer--idevid.cms", &cast.device);
	checkpoint(&cast.registrar, &good);
	save_bent("checkpoint/bad/cms-signature--another-seq.cms", lk_buf_slice(&good), "1041");
	save_longer("checkpoint/bad/cms-syntax--trailing-byte.cms", lk_buf_slice(&good));
	save_cert("checkpoint/domain.pem", &cast.domain);
	save_cert("checkpoint/vendor.pem", &cast.vendor);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make_issued FOLDER\n");
		return 2;
	}
	folder = argv[1];
	pki_cast_init(&cast);
	make_csrs();
	make_crls();
	make_onboarding();
	make_manifests();
	make_checkpoints();
	pki_cast_done(&cast);
	return 0;
}
