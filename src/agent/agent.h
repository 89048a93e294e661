/* SPDX-License-Identifier: Apache-2.0
 *
 * The program latchkey-agent: what its steps share. The steps run one after the
 * other, each waiting in lk_agent_wait(), which meanwhile serves the supplicant's
 * requests for signatures.
 *
 *	lk_agent_onboard()	find a registrar, get the credential of its network
 *	lk_agent_join()		802.1X, tell that it worked, visit the applications
 *	lk_agent_renew()	a new LDevID from the network that it is in
 */
#pragma once

#include <poll.h>

#include "agent/credentials.h"
#include "agent/discover.h"
#include "agent/key_socket.h"
#include "agent/supplicant.h"
#include "base/time.h"
#include "net/http1.h"

struct lk_agent_options {
	const char *state_dir;
	const char *interface;  /* NULL: no discovery, no 802.1X */
	const char *registrar;  /* ADDRESS:PORT; NULL: discovery alone */
	const char *supplicant; /* program; "": the port is open already */
	const char *module; /* our OpenSSL module, for a key that is in no file; NULL: installed */
	const char *trusted_clock; /* "yes": times of certificates are checked; NULL: "no" */
	const char *address_wait;  /* how long to wait for a routable address */
	bool json;                 /* timeline as JSON lines */
	bool once;                 /* end after the applications were visited */
};

struct lk_agent {
	struct lk_agent_options set;
	const struct lk_clock *clock;
	const struct lk_random *random;
	struct lk_credentials credentials;
	bool has_registrar; /* where it was onboarded, in this run */
	struct sockaddr_in6 registrar;
	struct lk_onboarded onboarded; /* when it is */
	struct lk_key_socket *key_socket;
};

/* What a mistyped value would do unseen until much later. LK_R_USAGE, LK_R_SYNTAX_NUMBER. */
LK_RESULT lk_agent_check(const struct lk_agent_options *o, struct lk_err *e);
enum lk_chain_times lk_agent_times(const struct lk_agent *a);
int64_t lk_agent_ms(const struct lk_agent *a); /* monotonic */

/* A line of the timeline on standard output. registrar: "" for none; why: NULL for success. */
void lk_agent_tell(const struct lk_agent *a, const char *step, const char *registrar,
	const char *result, const struct lk_err *why);

/* As poll(), until deadline_ms; n at most LK_AGENT_FDS. False: the program was told to end. */
#define LK_AGENT_FDS (1 + LK_CANDIDATES_MAX)
bool lk_agent_wait(struct lk_agent *a, struct pollfd *fds, size_t n, int64_t deadline_ms);
void lk_agent_stop(void); /* async-signal-safe */

/* One HTTPS request. */
struct lk_call {
	const char *url; /* https://HOST[:PORT][/PATH]; NULL: address and request.target */
	const struct sockaddr_in6 *address;
	const char *path_after; /* "/x": below url's path, whose query counts no more; NULL: url's
				   own */
	const struct lk_anchors *anchors; /* whom the server's chain must lead to */
	bool with_ldevid;
	struct lk_http1_request request; /* target and host are filled in from url */
	int64_t deadline_ms;
};
/* Any complete response is a success; body (NULL: not wanted) is appended to. LK_R_AGENT_CONNECT,
 * _TLS, _SERVER, _SILENT, LK_R_CERT_CHAIN, LK_R_HTTP_*. */
LK_RESULT lk_agent_call(struct lk_agent *a, const struct lk_call *call, unsigned *ret_status,
	struct lk_buf *body, struct lk_err *e);

LK_RESULT lk_agent_onboard(struct lk_agent *a, struct lk_err *e);
LK_RESULT lk_agent_join(struct lk_agent *a, struct lk_supplicant *supplicant, struct lk_err *e);
LK_RESULT lk_agent_renew(struct lk_agent *a, struct lk_err *e);
/* When to, by lk_agent_ms(): two thirds of the LDevID's life behind its beginning. By the wall
 * clock, or counted from since_ms, whichever is earlier: a device's clock may be years behind. */
int64_t lk_agent_renew_at(const struct lk_agent *a, int64_t since_ms);
