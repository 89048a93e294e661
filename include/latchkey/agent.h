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
 * What is borrowed from it lives until the next call with the same object, unless told otherwise.
 *An object is used by one thread at a time; two have nothing in common but OpenSSL and jansson,
 *which come with the program, and memory is malloc()'s. TLS is 1.3 only, keys it makes are P-256
 *(OpenSSL's default library context), and only the files behind `file:` and `tpm2:` are touched.
 *
 * A reason is a short name that never changes its meaning, "voucher-domain": `latchkey` and the
 * network's log have the same ones, src/base/reason.def has each with its clause and a cure.
 *
 * src/agent/example.c is a whole device.
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

/* All are needed; text ends with NUL. */
struct latchkey_settings {
	const char *idevid; /* PEM: its own certificate, then its chain (IEEE 802.1AR) */
	/* file:PATH, tpm2:PATH or pkcs11:... (RFC 7512), at most 512 octets */
	const char *idevid_key;
	const char *anchors; /* PEM: the manufacturer's, whose vouchers are believed */
	/* Where the new key is made, in one of the same forms. A key that is there is destroyed
	 * before, once the voucher verified: a device that is onboarded again names another place.
	 */
	const char *ldevid_key;
	const char *address; /* of the registrar, at most 63 octets: "fe80::1"; not looked up */
	uint16_t port;       /* not 0 */
	bool trusted_clock;  /* false: times of certificates are not looked at (RFC 8995 2.6.1) */
};

/* NULL: *ret_reason says why, "usage" for a setting that is missing, "file-missing", "no-memory",
 * ...: a constant. Settings are copied. Free it with latchkey_agent_free(). */
struct latchkey_agent *latchkey_agent_new(
	const struct latchkey_settings *settings, const char **ret_reason);
/* At any time, NULL too. An attempt that is given up leaves at most the new key behind. */
void latchkey_agent_free(struct latchkey_agent *a);

/* What to do now. now: Unix seconds, whatever the clock says without a trusted one; now_ms:
 * milliseconds of a clock that never goes back and is not set, of any beginning. */
enum latchkey_do latchkey_agent_next(struct latchkey_agent *a, int64_t now, int64_t now_ms);
/* As in the settings, for the object's life. */
void latchkey_agent_place(const struct latchkey_agent *a, const char **address, uint16_t *port);
/* In now_ms's time; INT64_MAX: none. */
int64_t latchkey_agent_deadline(const struct latchkey_agent *a);
void latchkey_agent_connected(struct latchkey_agent *a, int64_t now_ms);
/* The connection ended or could not be made, not by LATCHKEY_CLOSE. A provisional connection is not
 * resumed: the attempt has failed then (RFC 8995 5.1), unless it was over. */
void latchkey_agent_closed(struct latchkey_agent *a, int64_t now, int64_t now_ms);
/* Any number of octets as they came, 0 to 16 KiB well. */
void latchkey_agent_feed(
	struct latchkey_agent *a, const void *p, size_t n, int64_t now, int64_t now_ms);
/* Octets to be sent, until latchkey_agent_sent() says how many of them were: at most that many. */
struct latchkey_bytes latchkey_agent_output(struct latchkey_agent *a);
void latchkey_agent_sent(struct latchkey_agent *a, size_t n);

/* What a device came away with: to be kept by the caller; borrowed for the object's life. The
 * LDevID's key is at its place, durable. */
struct latchkey_credentials {
	struct latchkey_bytes ldevid; /* DER certificate (RFC 7030 4.2) */
	struct latchkey_bytes
		domain; /* DER certificate: the only anchor from now on (RFC 8366 5.3) */
	struct latchkey_bytes voucher; /* CMS, as received (RFC 8366) */
	struct latchkey_bytes
		information;      /* CMS: onboarding information, verified (RFC 8572 2.2) */
	struct latchkey_bytes ca; /* PEM: the network's CAs (RFC 7030 4.1), to be sent behind the
				   * LDevID; believed by what leads to `domain` only */
};
/* After LATCHKEY_DONE. False: it failed, and latchkey_agent_reason() says why; *ret is untouched.
 */
bool latchkey_agent_credentials(struct latchkey_agent *a, struct latchkey_credentials *ret);
/* A constant: "voucher-domain"; "none" as long as nothing failed. */
const char *latchkey_agent_reason(const struct latchkey_agent *a);

#ifdef __cplusplus
}
#endif
