/* SPDX-License-Identifier: Apache-2.0
 *
 * One certificate of each profile, made by the code under test, for the tests of
 * making and of judging them.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "pki.h"

static const uint8_t cert_serial[16] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
#define CERT_URI "urn:uuid:019b7a3c-0000-7000-8000-000000000001"
#define CERT_DNS "host.domain.example"

/* Which CA signs what; itself: a root. */
static inline enum lk_cert_profile
cert_issuer_of(enum lk_cert_profile p)
{
	switch (p) {
	case LK_PROFILE_MANUFACTURER_ROOT:
	case LK_PROFILE_IDEVID:
	case LK_PROFILE_FOREIGN_IDEVID:
	case LK_PROFILE_MASA_SERVER:
	case LK_PROFILE_VOUCHER_SIGNER:
	case LK_PROFILE_MANIFEST_SIGNER:
	case LK_PROFILE_FACTORY_CLIENT:
		return LK_PROFILE_MANUFACTURER_ROOT;
	case LK_PROFILE_NETWORK_ROOT:
	case LK_PROFILE_DEVICE_CA:
	case LK_PROFILE_SERVICE_CA:
	case LK_PROFILE_SERVER_CA:
	case LK_PROFILE_OPERATOR_CA:
		return LK_PROFILE_NETWORK_ROOT;
	case LK_PROFILE_REGISTRAR:
	case LK_PROFILE_SERVER:
	case LK_PROFILE_RADIUS_SERVER:
	case LK_PROFILE_AAA_CLIENT:
		return LK_PROFILE_SERVER_CA;
	case LK_PROFILE_LDEVID:
		return LK_PROFILE_DEVICE_CA;
	case LK_PROFILE_SERVICE:
		return LK_PROFILE_SERVICE_CA;
	case LK_PROFILE_OPERATOR:
	case LK_PROFILE_COUNT:
		break;
	}
	return LK_PROFILE_OPERATOR_CA;
}

/* The least that makes a good one. */
static inline struct lk_cert_spec
cert_spec(enum lk_cert_profile p, struct lk_slice spki)
{
	struct lk_cert_spec s = { .profile = p,
		.spki = spki,
		.serial = LK_SLICE_ARRAY(cert_serial),
		.not_before = PKI_NOW,
		.not_after = lk_cert_profile_end(p, PKI_NOW),
		.common_name = lk_cert_profile_name(p) };

	if (p == LK_PROFILE_IDEVID) {
		s.organization = "Vendor";
		s.masa_url = PKI_MASA_URL;
	}
	if (p == LK_PROFILE_IDEVID || p == LK_PROFILE_LDEVID)
		s.serial_number = PKI_SERIAL;
	if (p == LK_PROFILE_LDEVID)
		s.san_uri = CERT_URI;
	if (p == LK_PROFILE_MASA_SERVER || p == LK_PROFILE_REGISTRAR || p == LK_PROFILE_SERVER ||
		p == LK_PROFILE_RADIUS_SERVER)
		s.san_dns = CERT_DNS;
	return s;
}

struct cert_cast {
	struct lk_key *key[LK_PROFILE_COUNT];
	struct lk_cert *cert[LK_PROFILE_COUNT]; /* NULL for FOREIGN_IDEVID */
};

static inline void
cert_cast_init(struct cert_cast *c)
{
	enum lk_cert_profile p;

	for (p = 0; p < LK_PROFILE_COUNT; p++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
		const enum lk_cert_profile by = cert_issuer_of(p);
		struct lk_cert_spec s;
		struct lk_err e;

		assert_true(lk_key_ephemeral(LK_KEY_P256, &c->key[p], &e).ok);
		if (p == LK_PROFILE_FOREIGN_IDEVID)
			continue;
		s = cert_spec(p, lk_key_spki(c->key[p]));
		if (!lk_cert_issue(&s, by == p ? NULL : c->cert[by], c->key[by], &der, &e).ok)
			fail_msg("%s", e.msg);
		if (!lk_cert_parse(lk_buf_slice(&der), &c->cert[p], &e).ok)
			fail_msg("%s", e.msg);
	}
}

static inline void
cert_cast_done(struct cert_cast *c)
{
	enum lk_cert_profile p;

	for (p = 0; p < LK_PROFILE_COUNT; p++) {
		lk_cert_free(c->cert[p]);
		lk_key_free(c->key[p]);
	}
}
