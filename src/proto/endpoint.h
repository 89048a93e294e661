/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP interface of every service, as a table: the servers route by it, the
 * agent and the tests take their paths from it, doc/PROTOCOL.md prints it.
 */
#pragma once

#include "base/slice.h"

enum lk_ep {
#define LK_ENDPOINT(name, service, method, path, media_type, body_max, source) LK_EP_##name,
#include "proto/endpoint.def"
#undef LK_ENDPOINT
	LK_EP_COUNT
};

enum lk_service { LK_SERVICE_NOC, LK_SERVICE_MASA };

struct lk_endpoint_info {
	enum lk_service service;
	const char *method;
	const char *path;
	const char *media_type; /* of the request; NULL: none is asked for */
	size_t body_max;        /* bytes */
	const char *source;     /* clause */
};

const struct lk_endpoint_info *lk_endpoint_info(enum lk_ep which);
/* The endpoint of a service that answers this method and path; LK_EP_COUNT when there is none. */
enum lk_ep lk_endpoint_find(enum lk_service service, const char *method, const char *path);

/* Media types of answers. */
#define LK_TYPE_VOUCHER     "application/voucher-cms+json"                  /* RFC 8366 8.3 */
#define LK_TYPE_PKCS7_CERTS "application/pkcs7-mime; smime-type=certs-only" /* RFC 7030 4.2.3 */
#define LK_TYPE_CSRATTRS    "application/csrattrs"                          /* RFC 7030 4.5.2 */
#define LK_TYPE_PKCS10      "application/pkcs10"                            /* RFC 5967 */
#define LK_TYPE_JSON        "application/json"
#define LK_TYPE_CMS         "application/cms" /* RFC 7193; of onboarding information */
#define LK_TYPE_TEXT        "text/plain; charset=utf-8"
