/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's TLS context: what it negotiates, that a client's certificate is handed over
 * unjudged, and the facts and bindings that both ends read off a session.
 */
#include "pki.h"
#include "tls_pair.h"

#include "net/tls.h"

struct fixture {
	struct pki_cast cast;
	struct lk_tls_settings settings;
	SSL_CTX *client;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	pki_cast_init(&f->cast);
	f->settings = (struct lk_tls_settings){
		.chain = &f->cast.registrar.chain,
		.key = lk_key_evp(f->cast.registrar.key),
		.client_cert = LK_TLS_CLIENT_CERT_OPTIONAL,
	};
	f->client = make_ctx(TLS_client_method(), TLS1_3_VERSION,
		lk_cert_x509(pki_cert(&f->cast.device)), lk_key_evp(f->cast.device.key));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	SSL_CTX_free(f->client);
	pki_cast_done(&f->cast);
	free(f);
	return 0;
}

/* One handshake between f->client and a server of f->settings. */
static bool
handshake(struct fixture *f, struct tls_pair *p)
{
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *server = NULL;

	assert_true(lk_tls_server_new(&f->settings, &server, NULL).ok);
	return tls_handshake(p, f->client, server);
}

/* With a client end that is prepared already. */
static bool
handshake_prepared(struct tls_pair *p, SSL_CTX *server)
{
	BIO *a, *b;
	int i, c = 0, s = 0;

	p->server = SSL_new(server);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	for (i = 0; i < 10 && (c != 1 || s != 1); i++) {
		c = SSL_connect(p->client);
		s = SSL_accept(p->server);
	}
	return c == 1 && s == 1;
}

static bool
handshakes(struct fixture *f)
{
	struct tls_pair p;
	bool ok = handshake(f, &p);

	tls_pair_done(&p);
	return ok;
}

static void
test_facts(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(lk_tls_facts_done) struct lk_tls_facts s = { 0 };
	LK_CLEANUP(lk_tls_facts_done) struct lk_tls_facts c = { 0 };
	struct tls_pair p;

	assert_int_equal(
		SSL_CTX_add1_chain_cert(f->client, lk_cert_x509(f->cast.vendor.chain.v[0])), 1);
	assert_true(handshake(f, &p));
	assert_true(lk_tls_facts_read(p.server, &s, NULL).ok);
	assert_true(lk_tls_facts_read(p.client, &c, NULL).ok);
	assert_string_equal(s.version, "TLSv1.3");
	assert_string_equal(s.suite, "TLS_AES_128_GCM_SHA256");
	assert_string_equal(s.group, "secp256r1");
	assert_string_equal(s.peer_key, "EC");
	assert_int_equal(s.peer_key_bits, 256);
	/* as sent, the peer's own first, on both ends */
	assert_int_equal(s.n_chain, 2);
	assert_true(lk_slice_eq(s.chain[0], lk_cert_der(pki_cert(&f->cast.device))));
	assert_true(lk_slice_eq(s.chain[1], lk_cert_der(pki_cert(&f->cast.vendor))));
	assert_int_equal(c.n_chain, f->cast.registrar.chain.n);
	assert_true(lk_slice_eq(c.chain[0], lk_cert_der(pki_cert(&f->cast.registrar))));
	assert_string_equal(c.group, "secp256r1");
	tls_pair_done(&p);
}

/* Optional, required or not asked for; a stranger's is taken: it is somebody else's to judge. */
static void
test_client_cert(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(lk_tls_facts_done) struct lk_tls_facts s = { 0 };
	struct tls_pair p;

	SSL_CTX_free(f->client);
	f->client = make_ctx(TLS_client_method(), TLS1_3_VERSION, NULL, NULL);
	assert_true(handshake(f, &p));
	assert_true(lk_tls_facts_read(p.server, &s, NULL).ok);
	assert_int_equal(s.n_chain, 0);
	assert_string_equal(s.peer_key, "");
	tls_pair_done(&p);
	f->settings.client_cert = LK_TLS_CLIENT_CERT_REQUIRED;
	assert_false(handshakes(f));

	SSL_CTX_free(f->client);
	f->client = make_ctx(TLS_client_method(), TLS1_3_VERSION,
		lk_cert_x509(pki_cert(&f->cast.stranger)), lk_key_evp(f->cast.stranger.key));
	assert_true(handshakes(f));

	f->settings.client_cert = LK_TLS_CLIENT_CERT_NONE;
	assert_true(handshake(f, &p));
	assert_null(SSL_get0_peer_certificate(p.server));
	tls_pair_done(&p);
}

static void
test_long_chain(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 1; i < LK_CERTS_MAX; i++)
		assert_int_equal(
			SSL_CTX_add1_chain_cert(f->client, lk_cert_x509(pki_cert(&f->cast.vendor))),
			1);
	assert_true(handshakes(f));
	assert_int_equal(
		SSL_CTX_add1_chain_cert(f->client, lk_cert_x509(pki_cert(&f->cast.vendor))), 1);
	assert_false(handshakes(f));
}

static void
test_versions(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(lk_tls_facts_done) struct lk_tls_facts s = { 0 };
	struct tls_pair p;
	char byte;
	int i;

	SSL_CTX_free(f->client);
	f->client = make_ctx(TLS_client_method(), TLS1_2_VERSION,
		lk_cert_x509(pki_cert(&f->cast.device)), lk_key_evp(f->cast.device.key));
	assert_false(handshakes(f));
	f->settings.allow_tls12 = true;
	assert_true(handshake(f, &p));
	assert_true(lk_tls_facts_read(p.server, &s, NULL).ok);
	assert_string_equal(s.version, "TLSv1.2");
	assert_string_equal(s.suite, "ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_string_equal(s.group, "secp256r1");
	assert_int_equal(s.n_chain, 1);
	/* no renegotiation */
	assert_int_equal(SSL_renegotiate(p.client), 1);
	for (i = 0; i < 3; i++) {
		assert_int_not_equal(SSL_do_handshake(p.client), 1);
		assert_true(SSL_read(p.server, &byte, 1) <= 0);
	}
	assert_int_equal(SSL_num_renegotiations(p.server), 0);
	tls_pair_done(&p);

	assert_true(SSL_CTX_set_max_proto_version(f->client, TLS1_1_VERSION));
	assert_true(SSL_CTX_set_min_proto_version(f->client, TLS1_1_VERSION));
	SSL_CTX_set_security_level(f->client, 0);
	assert_false(handshakes(f));
}

/* What negotiates outside the policy fails. */
static void
test_policy(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *ctx = NULL;
	struct lk_err e;

	assert_int_equal(SSL_CTX_set1_groups_list(f->client, "X25519"), 1);
	assert_false(handshakes(f));
	assert_int_equal(SSL_CTX_set1_groups_list(f->client, "P-384"), 1);
	assert_true(handshakes(f));
	assert_int_equal(SSL_CTX_set_ciphersuites(f->client, "TLS_CHACHA20_POLY1305_SHA256"), 1);
	assert_false(handshakes(f));
	assert_int_equal(SSL_CTX_set_ciphersuites(f->client, "TLS_AES_256_GCM_SHA384"), 1);
	assert_true(handshakes(f));

	f->settings.key = lk_key_evp(f->cast.device.key);
	assert_refused(lk_tls_server_new(&f->settings, &ctx, &e), e, LK_R_TLS_SETTINGS);
	f->settings.chain = NULL;
	assert_refused(lk_tls_server_new(&f->settings, &ctx, &e), e, LK_R_TLS_SETTINGS);
	assert_null(ctx);
}

/* Two handshakes, the second one offering what the first one left. */
static bool
resumes(struct fixture *f)
{
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *server = NULL;
	struct tls_pair p;
	SSL_SESSION *session;
	bool resumed;
	char c;

	assert_true(lk_tls_server_new(&f->settings, &server, NULL).ok);
	assert_true(tls_handshake(&p, f->client, server));
	assert_int_equal(SSL_read(p.client, &c, 1), -1); /* takes in what follows the handshake */
	session = SSL_get1_session(p.client);
	SSL_shutdown(p.client);
	SSL_shutdown(p.server);
	tls_pair_done(&p);

	p.client = SSL_new(f->client);
	SSL_set_session(p.client, session);
	SSL_SESSION_free(session);
	assert_true(handshake_prepared(&p, server));
	resumed = SSL_session_reused(p.client);
	tls_pair_done(&p);
	return resumed;
}

static void
test_no_resumption(void **state)
{
	struct fixture *f = *state;

	assert_false(resumes(f));
	f->settings.allow_tls12 = true;
	assert_true(SSL_CTX_set_min_proto_version(f->client, TLS1_2_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(f->client, TLS1_2_VERSION));
	assert_false(resumes(f));
}

static void
assert_bound(struct fixture *f, size_t want)
{
	uint8_t c[LK_TLS_BINDING_MAX], s[LK_TLS_BINDING_MAX], other[LK_TLS_BINDING_MAX];
	size_t n_c = 0, n_s = 0, n_other = 0;
	struct tls_pair p;

	assert_true(handshake(f, &p));
	assert_true(lk_tls_binding(p.client, c, &n_c, NULL).ok);
	assert_true(lk_tls_binding(p.server, s, &n_s, NULL).ok);
	assert_int_equal(n_c, want);
	assert_int_equal(n_s, want);
	assert_memory_equal(c, s, want);
	tls_pair_done(&p);
	assert_true(handshake(f, &p));
	assert_true(lk_tls_binding(p.server, other, &n_other, NULL).ok);
	assert_memory_not_equal(other, s, want);
	tls_pair_done(&p);
}

static void
test_binding(void **state)
{
	struct fixture *f = *state;

	/*= RFC9266 2: 32 octets exported with EXPORTER-Channel-Binding, no context =*/
	assert_bound(f, 32);
	/*= RFC5929 3.1: tls-unique is the first Finished message of the handshake =*/
	f->settings.allow_tls12 = true;
	assert_true(SSL_CTX_set_min_proto_version(f->client, TLS1_2_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(f->client, TLS1_2_VERSION));
	assert_bound(f, 12);
}

/* TLS 1.2 as it was before RFC 7627: the session is there, a binding is not, at either end. */
static void
test_no_binding(void **state)
{
	struct fixture *f = *state;
	uint8_t binding[LK_TLS_BINDING_MAX];
	struct tls_pair p;
	struct lk_err e;
	size_t n = 4711;

	f->settings.allow_tls12 = true;
	assert_true(SSL_CTX_set_min_proto_version(f->client, TLS1_2_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(f->client, TLS1_2_VERSION));
	SSL_CTX_set_options(f->client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	assert_true(handshake(f, &p));
	/*= RFC7627 5.4: no tls-unique without the extended master secret =*/
	assert_refused(lk_tls_binding(p.server, binding, &n, &e), e, LK_R_TLS_BINDING);
	assert_refused(lk_tls_binding(p.client, binding, &n, &e), e, LK_R_TLS_BINDING);
	assert_int_equal(n, 4711);
	tls_pair_done(&p);
}

/* RFC 8995's pledge sends no server name, others send any: one certificate for all. */
static void
test_server_name(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *server = NULL;
	struct tls_pair p;

	assert_true(lk_tls_server_new(&f->settings, &server, NULL).ok);
	p.client = SSL_new(f->client);
	assert_true(SSL_set_tlsext_host_name(p.client, "somebody.else.example"));
	assert_true(handshake_prepared(&p, server));
	assert_true(X509_cmp(SSL_get0_peer_certificate(p.client),
			    lk_cert_x509(pki_cert(&f->cast.registrar))) == 0);
	tls_pair_done(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_cert, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_resumption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_binding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_name, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
