/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS server's certificates: latchkeyd's keeper renews them, and whoever may write the
 * server's files fetches them here. The keys stay where they are.
 */
#include <getopt.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/api.h"
#include "crypto/x509.h"

#define RADIUS_DIR "/etc/latchkey/radius"
#define PEM_MAX    ((size_t)64 * 1024)

static const struct {
	const char *server; /* its name in the API */
	const char *file;   /* as `latchkey init` made it */
} files[] = { { "radius-server", "server.pem" }, { "aaa-client", "rest.pem" } };

static struct lk_result
read_command_line(int argc, char **argv, const char **socket, const char **dir, struct lk_err *e)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "radius-dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*socket = LK_API_SOCKET;
	*dir = RADIUS_DIR;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		LK_REQUIRE(option == 's' || option == 'd', e, LK_R_USAGE,
			"an option is unknown or lacks its value");
		*(option == 's' ? socket : dir) = optarg;
	}
	LK_REQUIRE(optind == argc, e, LK_R_USAGE, "%s is one word too many", argv[optind]);
	return LK_OK;
}

static struct lk_result
fetch(const char *socket, const char *server, struct lk_certs *ret, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	const char *pem;
	char path[64];

	snprintf(path, sizeof path, "/servers/%s", server);
	LK_TRY(lk_api_call(socket, "GET", path, NULL, &obj, e));
	pem = json_string_value(json_object_get(obj, "certificate"));
	return lk_certs_parse_any(lk_slice_str(pem ? pem : ""), ret, e);
}

/* A newer certificate of the same key takes the place of the one that is there. */
static struct lk_result
renew(const char *path, const struct lk_cert *newest, bool *ret_changed, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs here = { .n = 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(PEM_MAX);

	LK_TRY(lk_file_read(path, &pem, e));
	LK_TRY(lk_certs_parse_any(lk_buf_slice(&pem), &here, e));
	LK_REQUIRE(lk_cert_same_key(here.v[0], newest), e, LK_R_KEY_MISMATCH,
		"%s is of another key than the certificate that latchkeyd renewed", path);
	*ret_changed = lk_cert_not_before(newest) > lk_cert_not_before(here.v[0]);
	if (!*ret_changed)
		return LK_OK;
	lk_buf_clear(&pem);
	LK_TRY(lk_cert_print_pem(newest, &pem, e));
	return lk_file_replace(path, lk_buf_slice(&pem), 0644, e);
}

static void
tell(const struct lk_cli *cli, const char *path, bool changed, const struct lk_cert *c)
{
	char until[LK_TIME_TEXT_MAX];

	lk_time_print(lk_cert_not_after(c), until);
	if (cli->json)
		lk_cli_json(stdout, json_pack("{s:i,s:s,s:b,s:s}", "schema", 1, "file", path,
					    "renewed", changed, "not_after", until));
	else
		printf("%s: %s, good until %s\n", path, changed ? "renewed" : "nothing newer",
			until);
}

struct lk_result
lk_cli_radius_renew(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *socket, *dir;
	bool changed, any = false;
	char path[PATH_MAX];
	size_t i;

	LK_TRY(read_command_line(argc, argv, &socket, &dir, e));
	for (i = 0; i < LK_ARRAY_LEN(files); i++) {
		LK_CLEANUP(lk_certs_done) struct lk_certs newest = { .n = 0 };

		LK_TRY(lk_path_join(dir, files[i].file, path, sizeof path, e));
		LK_TRY(fetch(socket, files[i].server, &newest, e));
		LK_TRY(renew(path, newest.v[0], &changed, e));
		tell(cli, path, changed, newest.v[0]);
		any = any || changed;
	}
	if (any && !cli->json)
		puts("Restart the RADIUS server: it reads its certificates when it starts.");
	return LK_OK;
}
