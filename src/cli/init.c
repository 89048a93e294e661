/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey init: a network's domain, made once. Keys, certificates, latchkeyd.conf
 * and the files of the programs beside it. Nothing that exists is ever
 * overwritten, and no secret is told: not on the command line, not in the output.
 */
#include "cli/init.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <unistd.h>

#include "base/file.h"

#define NAME_MAX_CHARS 36 /* what a record takes as the id of its site */

static struct lk_result
take_port(struct lk_init_options *o, const char *port, struct lk_err *e)
{
	LK_REQUIRE(o->n_ports < LK_INIT_PORTS_MAX, e, LK_R_USAGE, "more than %d ports were named",
		LK_INIT_PORTS_MAX);
	LK_REQUIRE(port[0] && strlen(port) < IFNAMSIZ && !strpbrk(port, "/ ,\n"), e, LK_R_USAGE,
		"'%s' is no interface's name", port);
	o->ports[o->n_ports++] = port;
	return LK_OK;
}

static struct lk_result
take_profile(struct lk_init_options *o, const char *value, struct lk_err *e)
{
	o->consumer = strcmp(value, "consumer") == 0;
	LK_REQUIRE(o->consumer || strcmp(value, "enterprise") == 0, e, LK_R_USAGE,
		"--profile is %s, want consumer or enterprise", value);
	return LK_OK;
}

static struct lk_result
take_option(int option, const char *value, struct lk_init_options *o, bool *with_radius,
	struct lk_err *e)
{
	static const struct {
		int option;
		size_t offset;
	} texts[] = {
		{ 'n', offsetof(struct lk_init_options, name) },
		{ 'd', offsetof(struct lk_init_options, dir) },
		{ 's', offsetof(struct lk_init_options, state_dir) },
		{ 'u', offsetof(struct lk_init_options, runtime_dir) },
		{ 'k', offsetof(struct lk_init_options, key_store) },
		{ 'g', offsetof(struct lk_init_options, registrar_name) },
		{ 'D', offsetof(struct lk_init_options, radius_dir) },
		{ 'l', offsetof(struct lk_init_options, listen) },
		{ 'w', offsetof(struct lk_init_options, publish) },
		{ 'b', offsetof(struct lk_init_options, bridge) },
		{ 'N', offsetof(struct lk_init_options, device_network) },
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(texts); i++)
		if (texts[i].option == option) {
			LK_REQUIRE(value[0] && !strpbrk(value, "\n\r"), e, LK_R_USAGE,
				"an option's value is empty or has a line feed in it");
			*(const char **)((char *)o + texts[i].offset) = value;
			return LK_OK;
		}
	switch (option) {
	case 'p':
		return take_port(o, value, e);
	case 'P':
		return take_profile(o, value, e);
	case 'R':
		*with_radius = true;
		return LK_OK;
	default:
		return lk_fail(e, LK_R_USAGE, "an option is unknown or lacks its value");
	}
}

/* Room for what is not on the command line as it is needed. */
struct texts {
	char registrar[80];
	char dir[PATH_MAX], state_dir[PATH_MAX], runtime_dir[PATH_MAX], radius_dir[PATH_MAX];
};

/* Paths go into files that programs read from other folders, and into the journal. */
static struct lk_result
make_absolute(const char **path, char room[static PATH_MAX], struct lk_err *e)
{
	if (!*path)
		return LK_OK;
	LK_TRY(lk_path_absolute(*path, room, e));
	*path = room;
	return LK_OK;
}

/* What is missing follows from what was named. */
static struct lk_result
complete(struct lk_init_options *o, bool with_radius, struct texts *t, struct lk_err *e)
{
	size_t i;

	LK_TRY(make_absolute(&o->dir, t->dir, e));
	LK_TRY(make_absolute(&o->state_dir, t->state_dir, e));
	LK_TRY(make_absolute(&o->runtime_dir, t->runtime_dir, e));
	LK_TRY(make_absolute(&o->radius_dir, t->radius_dir, e));
	LK_REQUIRE(o->name, e, LK_R_USAGE, "--name is missing");
	for (i = 0; o->name[i]; i++)
		LK_REQUIRE(isalnum((unsigned char)o->name[i]) || strchr(".-", o->name[i]), e,
			LK_R_USAGE, "--name takes letters, digits, '.' and '-'");
	LK_REQUIRE(i <= NAME_MAX_CHARS, e, LK_R_USAGE,
		"--name has %zu characters, at most %d are taken", i, NAME_MAX_CHARS);
	LK_REQUIRE(
		!o->radius_dir || with_radius, e, LK_R_USAGE, "--radius-dir needs --with-radius");
	LK_REQUIRE(!o->n_ports || with_radius, e, LK_R_USAGE,
		"--port needs --with-radius: hostapd asks a RADIUS server");
	LK_REQUIRE(!o->listen || strrchr(o->listen, ':'), e, LK_R_USAGE, "--listen %s has no port",
		o->listen);
	if (!o->registrar_name) {
		snprintf(t->registrar, sizeof t->registrar, "registrar.%s", o->name);
		o->registrar_name = t->registrar;
	}
	if (!o->listen && !o->publish)
		o->publish = "0.0.0.0:8080, [::]:8080";
	if (with_radius && !o->radius_dir) {
		LK_TRY(lk_path_join(o->dir, "radius", t->radius_dir, sizeof t->radius_dir, e));
		o->radius_dir = t->radius_dir;
	}
	return LK_OK;
}

static struct lk_result
read_command_line(
	int argc, char **argv, struct lk_init_options *o, bool *with_radius, struct lk_err *e)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "dir", required_argument, NULL, 'd' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "runtime-dir", required_argument, NULL, 'u' },
		{ "profile", required_argument, NULL, 'P' },
		{ "key-store", required_argument, NULL, 'k' },
		{ "registrar-name", required_argument, NULL, 'g' },
		{ "with-radius", no_argument, NULL, 'R' },
		{ "radius-dir", required_argument, NULL, 'D' },
		{ "listen", required_argument, NULL, 'l' },
		{ "publish", required_argument, NULL, 'w' },
		{ "bridge", required_argument, NULL, 'b' },
		{ "device-network", required_argument, NULL, 'N' },
		{ "port", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		LK_TRY(take_option(option, optarg, o, with_radius, e));
	LK_REQUIRE(optind == argc, e, LK_R_USAGE, "'%s' is not understood", argv[optind]);
	return LK_OK;
}

/* A network is there once its configuration is: then an unfinished journal has no say any more. */
static struct lk_result
refuse_second(const struct lk_init_options *o, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(o->dir, "latchkeyd.conf", path, sizeof path, e));
	LK_REQUIRE(access(path, F_OK) < 0 && errno == ENOENT, e, LK_R_FILE_EXISTS,
		"%s: there is a network already, and nothing is overwritten", path);
	return LK_OK;
}

static void
print_next(const struct lk_cli *cli, const struct lk_init_options *o)
{
	size_t i;

	if (cli->json) {
		lk_cli_json(stdout,
			json_pack("{s:i,s:s,s:s,s:s,s:s*}", "schema", 1, "network", o->name, "dir",
				o->dir, "state_dir", o->state_dir, "radius_dir", o->radius_dir));
		return;
	}
	printf("The network %s is made: %s, keys in %s.\n\nNext:\n", o->name, o->dir, o->state_dir);
	if (strncmp(o->key_store, "file:", 5) == 0)
		printf("  the root's key (%s/root) is needed for new CAs only: move it off this "
		       "machine\n",
			o->state_dir);
	if (o->n_ports)
		printf("  the bridge %s with its ports and addresses: see latchkeyd(8), THE "
		       "BRIDGE\n",
			o->bridge);
	else
		printf("  [front] announce = INTERFACE in %s/latchkeyd.conf, for devices to find "
		       "it\n",
			o->dir);
	printf("  latchkeyd --config %s/latchkeyd.conf\n", o->dir);
	if (o->radius_dir)
		printf("  freeradius -f -d %s\n", o->radius_dir);
	if (o->n_ports) {
		printf("  hostapd -t");
		for (i = 0; i < o->n_ports; i++)
			printf(" %s/hostapd/%s.conf", o->dir, o->ports[i]);
		printf("\n  dnsmasq -k -C %s/dnsmasq.conf\n", o->dir);
	}
	printf("  latchkey manufacturer add --name MANUFACTURER ANCHOR.pem\n");
}

static struct lk_result
make_network(struct lk_cli *cli, const struct lk_init_options *o, struct lk_init_journal *j,
	struct lk_err *e)
{
	bool cleaned;

	LK_TRY(refuse_second(o, e));
	LK_TRY(lk_path_join(o->dir, ".init-unfinished", j->path, sizeof j->path, e));
	LK_TRY(lk_init_recover(j, &cleaned, e));
	if (cleaned)
		fprintf(stderr,
			"latchkey: an earlier init did not finish; what it had made is removed\n");
	LK_TRY(lk_init_plan_pki(o, j, e));
	LK_TRY(lk_init_plan_files(o, j, e));
	LK_TRY(lk_dir_make(o->dir, 0755, e));
	LK_TRY(lk_init_begin(j, e));
	LK_TRY(lk_init_make_pki(o, lk_now(cli->clock), e));
	LK_TRY(lk_init_make_files(o, e));
	return lk_init_finish(j, e);
}

struct lk_result
lk_cli_init(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	struct lk_init_options o = { .dir = "/etc/latchkey",
		.state_dir = "/var/lib/latchkey/noc",
		.key_store = "file:",
		.bridge = "br-dev",
		.device_network = "10.77.0.0/24" };
	struct texts t;
	struct lk_init_journal j = { .path = "" };
	bool with_radius = false;
	struct lk_result r;

	LK_TRY(read_command_line(argc, argv, &o, &with_radius, e));
	LK_TRY(complete(&o, with_radius, &t, e));
	r = make_network(cli, &o, &j, e);
	lk_buf_done(&j.items);
	if (r.ok)
		print_next(cli, &o);
	return r;
}
