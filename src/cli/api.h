/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd's API as the command line calls it: one request, one answer, over the
 * operators' Unix socket (doc/api.md).
 */
#pragma once

#include "cli/cli.h"

#define LK_API_SOCKET "/run/latchkey/api.sock"

/* method on "/api/v1" + path; args (may be NULL) is borrowed and becomes the body. A refusal of the
 * daemon is this call's own, by the reason that it names. Caller decrefs. */
LK_RESULT lk_api_call(const char *socket_path, const char *method, const char *path,
	const json_t *args, json_t **ret, struct lk_err *e);
