/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS as Latchkey's servers speak it (RFC 8446, RFC 5246), and what an
 * established session shows of its peer.
 */
#include "net/tls.h"

#include <stdio.h>

#include "crypto/ossl.h"
#include "crypto/peer_library.h"

/* Bytes of a peer's whole Certificate message. */
#define CERT_LIST_MAX (32 * 1024)

/* Whoever decides gets the chain and verifies it; here it is only kept small. This also saves the
 * cost of OpenSSL's own attempt, whose outcome nobody would look at. */
static int
leave_unjudged(X509_STORE_CTX *ctx, void *arg)
{
	(void)arg;
	if (sk_X509_num(X509_STORE_CTX_get0_untrusted(ctx)) > LK_CERTS_MAX) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_CHAIN_TOO_LONG);
		return 0;
	}
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static struct lk_result
use_identity(SSL_CTX *ctx, const struct lk_certs *chain, EVP_PKEY *key, struct lk_err *e)
{
	size_t i;

	LK_REQUIRE(chain && chain->n > 0 && key, e, LK_R_TLS_SETTINGS,
		"a TLS server needs a certificate and its key");
	LK_OSSL(SSL_CTX_use_certificate(ctx, lk_cert_x509(chain->v[0])) == 1, e, LK_R_TLS_SETTINGS,
		"the certificate cannot be used");
	for (i = 1; i < chain->n; i++)
		LK_OSSL(SSL_CTX_add1_chain_cert(ctx, lk_cert_x509(chain->v[i])) == 1, e,
			LK_R_TLS_SETTINGS, "certificate %zu of the chain cannot be used", i);
	LK_OSSL(SSL_CTX_use_PrivateKey(ctx, key) == 1, e, LK_R_TLS_SETTINGS,
		"the key does not belong to the certificate");
	return LK_OK;
}

struct lk_result
lk_tls_server_new(const struct lk_tls_settings *s, SSL_CTX **ret, struct lk_err *e)
{
	static const int verify[] = {
		[LK_TLS_CLIENT_CERT_NONE] = SSL_VERIFY_NONE,
		[LK_TLS_CLIENT_CERT_OPTIONAL] = SSL_VERIFY_PEER,
		[LK_TLS_CLIENT_CERT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = NULL;
	OSSL_LIB_CTX *library;

	LK_TRY(lk_peer_library(&library, e));
	ctx = SSL_CTX_new_ex(library, NULL, TLS_server_method());
	LK_OSSL(ctx, e, LK_R_NOMEM, "no memory for a TLS context");
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1); /* a record by one read */
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_verify(ctx, verify[s->client_cert], NULL);
	SSL_CTX_set_cert_verify_callback(ctx, leave_unjudged, NULL);
	/* A session would come back without its peer's chain, and tls-unique rests on there being
	 * no second handshake (RFC 7627). */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	LK_OSSL(SSL_CTX_set_num_tickets(ctx, 0), e, LK_R_TLS_SETTINGS,
		"sessions cannot be switched off");
	LK_TRY(lk_policy_apply_tls(s->policy ? s->policy : lk_policy_chosen(), ctx,
		s->allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION, e));
	LK_TRY(use_identity(ctx, s->chain, s->key, e));
	*ret = LK_TAKE(ctx);
	return LK_OK;
}

/* --- facts ------------------------------------------------------------------------------------ */

static struct lk_result
add_cert(struct lk_tls_facts *f, X509 *x, struct lk_err *e)
{
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	int n = i2d_X509(x, &der);

	LK_OSSL(n > 0 && f->n_chain < LK_CERTS_MAX, e, LK_R_CERT_SYNTAX,
		"certificate %zu of the peer's chain cannot be taken", f->n_chain + 1);
	LK_TRY(lk_buf_append(&f->der, lk_slice(der, (size_t)n), e));
	f->chain[f->n_chain++].n = (size_t)n;
	return LK_OK;
}

static struct lk_result
add_chain(struct lk_tls_facts *f, SSL *ssl, struct lk_err *e)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *own = SSL_get0_peer_certificate(ssl);
	EVP_PKEY *key = own ? X509_get0_pubkey(own) : NULL;
	const uint8_t *p;
	size_t j;
	int i;

	if (!own)
		return LK_OK;
	LK_TRY(add_cert(f, own, e));
	/* a client's view of the chain begins with the peer's own certificate, a server's does not
	 */
	for (i = SSL_is_server(ssl) ? 0 : 1; i < sk_X509_num(chain); i++)
		LK_TRY(add_cert(f, sk_X509_value(chain, i), e));
	for (p = f->der.p, j = 0; j < f->n_chain; p += f->chain[j++].n)
		f->chain[j].p = p;
	if (key) {
		snprintf(f->peer_key, sizeof f->peer_key, "%s", EVP_PKEY_get0_type_name(key));
		f->peer_key_bits = (unsigned)EVP_PKEY_get_bits(key);
	}
	return LK_OK;
}

struct lk_result
lk_tls_facts_read(SSL *ssl, struct lk_tls_facts *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_tls_facts_done)
	struct lk_tls_facts f = { .der = LK_BUF_INIT(LK_CERTS_MAX * LK_CERT_DER_MAX) };
	int group = (int)SSL_get_negotiated_group(ssl);
	const char *name = group ? SSL_group_to_name(ssl, group) : NULL;

	snprintf(f.version, sizeof f.version, "%s", SSL_get_version(ssl));
	snprintf(f.suite, sizeof f.suite, "%s", SSL_get_cipher_name(ssl));
	snprintf(f.group, sizeof f.group, "%s", name ? name : "");
	LK_TRY(add_chain(&f, ssl, e));
	*ret = f;
	f.der = LK_BUF_INIT(0);
	return LK_OK;
}

void
lk_tls_facts_done(struct lk_tls_facts *f)
{
	lk_buf_done(&f->der);
	f->n_chain = 0;
}

struct lk_result
lk_tls_binding(SSL *ssl, uint8_t ret[static LK_TLS_BINDING_MAX], size_t *ret_n, struct lk_err *e)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	size_t n = 32;

	if (SSL_version(ssl) >= TLS1_3_VERSION) {
		/*= RFC9266 2: 32 octets exported with EXPORTER-Channel-Binding, no context =*/
		LK_OSSL(SSL_export_keying_material(
				ssl, ret, n, label, sizeof label - 1, NULL, 0, 0) == 1,
			e, LK_R_CRYPTO_LIBRARY, "no key material can be exported");
	} else {
		/*= RFC7627 5.4: no tls-unique without the extended master secret =*/
		LK_REQUIRE(SSL_get_extms_support(ssl) == 1, e, LK_R_TLS_BINDING,
			"the %s session has no extended master secret", SSL_get_version(ssl));
		/*= RFC5929 3.1: tls-unique is the first Finished message of the handshake =*/
		n = SSL_is_server(ssl) ? SSL_get_peer_finished(ssl, ret, LK_TLS_BINDING_MAX)
				       : SSL_get_finished(ssl, ret, LK_TLS_BINDING_MAX);
		LK_REQUIRE(n > 0 && n <= LK_TLS_BINDING_MAX, e, LK_R_TLS_GONE,
			"the handshake is not finished");
	}
	*ret_n = n;
	return LK_OK;
}
