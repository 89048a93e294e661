/* SPDX-License-Identifier: Apache-2.0
 *
 * liblatchkey-agent: a device's onboarding (RFC 8995, RFC 7030) for firmware. It
 * opens no socket, reads no clock and starts no thread: the caller has a TCP
 * connection, moves bytes and says what time it is. One object is one attempt
 * with one registrar.
 *
 *	do {
 *		what = latchkey_agent_next(a, now, now_ms);
 *		LATCHKEY_CONNECT	connect to `address`, port `port`;
 *					then latchkey_agent_connected()
 *		LATCHKEY_CLOSE		close that connection
 *		LATCHKEY_WAIT		send latchkey_agent_output(), give what comes to
 *					latchkey_agent_feed(), call again after either and at
 *					latchkey_agent_deadline()
 *	} while (what != LATCHKEY_DONE);
 *
 * src/agent/example.c is a whole device in 150 lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct latchkey_agent; /* opaque */

enum latchkey_do { LATCHKEY_CONNECT, LATCHKEY_CLOSE, LATCHKEY_WAIT, LATCHKEY_DONE };

struct latchkey_bytes {
	const void *p; /* borrowed */
	size_t n;
};

struct latchkey_settings {
	const char *idevid;	/* PEM: its own certificate, then its chain */
	const char *idevid_key; /* file:PATH, tpm2:PATH or pkcs11:... */
	const char *anchors;	/* PEM: the manufacturer's, whose vouchers are believed */
	const char *ldevid_key; /* where the new key is made, in one of the same forms */
	const char *address;	/* of the registrar: "fe80::1" */
	uint16_t port;
	bool trusted_clock; /* false: times of certificates are not looked at */
};

/* NULL: *ret_reason says why, "key-missing". Settings are copied. */
struct latchkey_agent *latchkey_agent_new(
	const struct latchkey_settings *settings, const char **ret_reason);
void latchkey_agent_free(struct latchkey_agent *a);

/* now: Unix seconds; now_ms: milliseconds of a clock that never goes back. */
enum latchkey_do latchkey_agent_next(struct latchkey_agent *a, int64_t now, int64_t now_ms);
void latchkey_agent_place(const struct latchkey_agent *a, const char **address, uint16_t *port);
int64_t latchkey_agent_deadline(const struct latchkey_agent *a); /* INT64_MAX: none */
void latchkey_agent_connected(struct latchkey_agent *a, int64_t now_ms);
/* The connection ended or could not be made. */
void latchkey_agent_closed(struct latchkey_agent *a, int64_t now, int64_t now_ms);
void latchkey_agent_feed(
	struct latchkey_agent *a, const void *p, size_t n, int64_t now, int64_t now_ms);
struct latchkey_bytes latchkey_agent_output(struct latchkey_agent *a);
void latchkey_agent_sent(struct latchkey_agent *a, size_t n);

/* After LATCHKEY_DONE. The LDevID's key is at its place, durable; the rest is the caller's to
 * keep. False: it failed, and latchkey_agent_reason() says why. */
struct latchkey_credentials {
	struct latchkey_bytes ldevid;	   /* DER certificate */
	struct latchkey_bytes domain;	   /* DER certificate: the anchor from now on */
	struct latchkey_bytes voucher;	   /* CMS */
	struct latchkey_bytes information; /* CMS: onboarding information */
};
bool latchkey_agent_credentials(const struct latchkey_agent *a, struct latchkey_credentials *ret);
const char *latchkey_agent_reason(const struct latchkey_agent *a); /* "voucher-domain" */

#ifdef __cplusplus
}
#endif
