/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd.conf with what differs from the defaults, and the files of hostapd,
 * FreeRADIUS and dnsmasq, filled from the templates that this program carries.
 */
#include "cli/init.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/number.h"
#include "base/random.h"
#include "base/secret.h"

#define TEXT_MAX    (64 * 1024)
#define SECRET_MAX  65
#define RADIUS_PORT "1812"
#define ACCT_PORT   "1813"
#define LOOPBACK    "127.0.0.1"

extern const char lk_template_radiusd[], lk_template_dictionary[], lk_template_port[],
	lk_template_devices[];

struct lk_result
lk_init_fill(
	const char *text, const struct lk_init_value *values, struct lk_buf *out, struct lk_err *e)
{
	const char *at;

	for (; (at = strchr(text, '@')); text = at) {
		const char *end = at + 1 + strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		const struct lk_init_value *v = values;

		LK_TRY(lk_buf_append(out, lk_slice(text, (size_t)(at - text)), e));
		LK_REQUIRE(*end == '@', e, LK_R_BUG, "a template has a lone @");
		while (v->name && (strlen(v->name) != (size_t)(end - at - 1) ||
					  strncmp(v->name, at + 1, strlen(v->name)) != 0))
			v++;
		LK_REQUIRE(v->name && v->value, e, LK_R_BUG,
			"nothing is known for the template's %.*s", (int)(end - at + 1), at);
		LK_TRY(lk_buf_append_str(out, v->value, e));
		at = end + 1;
	}
	return lk_buf_append_str(out, text, e);
}

static struct lk_result
write_filled(
	const char *path, const char *text, const struct lk_init_value *values, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(TEXT_MAX);
	struct lk_result r;

	LK_TRY(lk_init_fill(text, values, &out, e));
	r = lk_file_create(path, lk_buf_slice(&out), 0600, e); /* some hold the RADIUS secret */
	lk_wipe(out.p, out.n);
	return r;
}

/* --- paths ------------------------------------------------------------------------------------ */

static struct lk_result
port_path(const struct lk_init_options *o, size_t i, char dst[static PATH_MAX], struct lk_err *e)
{
	char name[128];

	snprintf(name, sizeof name, "hostapd/%s.conf", o->ports[i]);
	return lk_path_join(o->dir, name, dst, PATH_MAX, e);
}

struct lk_result
lk_init_plan_files(const struct lk_init_options *o, struct lk_init_journal *j, struct lk_err *e)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < o->n_ports; i++) {
		LK_TRY(port_path(o, i, path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	if (o->n_ports) {
		LK_TRY(lk_path_join(o->dir, "dnsmasq.conf", path, sizeof path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	if (o->radius_dir) {
		LK_TRY(lk_path_join(o->radius_dir, "radiusd.conf", path, sizeof path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
		LK_TRY(lk_path_join(o->radius_dir, "dictionary", path, sizeof path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	LK_TRY(lk_path_join(o->dir, "latchkeyd.conf", path, sizeof path, e));
	return lk_init_plan_file(j, path, e);
}

/* --- FreeRADIUS and hostapd ------------------------------------------------------------------- */

static struct lk_result
make_radius(const struct lk_init_options *o, const char *secret, struct lk_err *e)
{
	enum { RUN, CERT, KEY, CA, REST_CA, REST_CERT, REST_KEY, CONF, DICTIONARY, N };
	static const char *const names[N] = { "run", "server.pem", "server.key", "device-ca.pem",
		"aaa-anchor.pem", "rest.pem", "rest.key", "radiusd.conf", "dictionary" };
	char path[N][PATH_MAX];
	const struct lk_init_value values[] = { { "RADDB", o->radius_dir }, { "RUNDIR", path[RUN] },
		{ "SERVER_CERT", path[CERT] }, { "SERVER_KEY", path[KEY] },
		{ "DEVICE_CA", path[CA] }, { "REST_CA", path[REST_CA] },
		{ "REST_CERT", path[REST_CERT] }, { "REST_KEY", path[REST_KEY] },
		{ "AAA_URL", "https://" LOOPBACK ":8445" }, { "LISTEN_ADDR", LOOPBACK },
		{ "CLIENT_ADDR", LOOPBACK }, { "PORT", RADIUS_PORT }, { "ACCT_PORT", ACCT_PORT },
		{ "SECRET", secret }, { NULL, NULL } };
	size_t i;

	for (i = 0; i < N; i++)
		LK_TRY(lk_path_join(o->radius_dir, names[i], path[i], sizeof path[i], e));
	LK_TRY(lk_dir_make(path[RUN], 0700, e));
	LK_TRY(write_filled(path[DICTIONARY], lk_template_dictionary, values, e));
	return write_filled(path[CONF], lk_template_radiusd, values, e);
}

static struct lk_result
make_ports(const struct lk_init_options *o, const char *secret, struct lk_err *e)
{
	char path[PATH_MAX];
	size_t i;

	LK_TRY(lk_path_join(o->dir, "hostapd", path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0755, e));
	for (i = 0; i < o->n_ports; i++) {
		/* The NAS-Identifier is the port's name: [enforcement] nas_prefix is empty. */
		const struct lk_init_value values[] = { { "PORT_IFNAME", o->ports[i] },
			{ "CTRL_DIR", "/run/hostapd" }, { "CTRL_GROUP", "0" },
			{ "REAUTH_SECONDS", "3600" }, { "NAS_ID", o->ports[i] },
			{ "NAS_ADDR", LOOPBACK }, { "RADIUS_ADDR", LOOPBACK },
			{ "RADIUS_PORT", RADIUS_PORT }, { "RADIUS_ACCT_PORT", ACCT_PORT },
			{ "SECRET", secret }, { NULL, NULL } };

		LK_TRY(port_path(o, i, path, e));
		LK_TRY(write_filled(path, lk_template_port, values, e));
	}
	return LK_OK;
}

/* --- dnsmasq ---------------------------------------------------------------------------------- */

static void
address_text(uint32_t address, char dst[static INET_ADDRSTRLEN])
{
	struct in_addr a = { htonl(address) };

	inet_ntop(AF_INET, &a, dst, INET_ADDRSTRLEN);
}

/* The first address is the router's, the next nine stay free, the rest are leased. */
static struct lk_result
make_dnsmasq(const struct lk_init_options *o, struct lk_err *e)
{
	char network[64], first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN],
		router[INET_ADDRSTRLEN], most[16], path[PATH_MAX], *slash;
	struct in_addr base;
	uint32_t bits, size, from;

	LK_TRY(lk_slice_to_str(
		lk_slice_str(o->device_network), "the network", network, sizeof network, e));
	slash = strchr(network, '/');
	LK_REQUIRE(slash, e, LK_R_USAGE, "--device-network %s is no CIDR", o->device_network);
	*slash++ = 0;
	LK_TRY(lk_parse_u32(lk_slice_str(slash), "the prefix", 8, 27, &bits, e));
	LK_REQUIRE(inet_pton(AF_INET, network, &base) == 1, e, LK_R_USAGE,
		"--device-network %s is no CIDR", o->device_network);
	size = UINT32_C(1) << (32 - bits);
	from = ntohl(base.s_addr) & ~(size - 1);
	address_text(from + 1, router);
	address_text(from + 11, first);
	address_text(from + size - 2, last);
	address_text(~(size - 1), mask);
	snprintf(most, sizeof most, "%u", size - 12);
	{
		const struct lk_init_value values[] = { { "BRIDGE", o->bridge },
			{ "USER", "dnsmasq" }, { "RANGE_FIRST", first }, { "RANGE_LAST", last },
			{ "NETMASK", mask }, { "LEASE_TIME", "1h" },
			{ "LEASE_FILE", "/var/lib/misc/dnsmasq.leases" }, { "LEASE_MAX", most },
			{ "ROUTER_ADDR", router }, { "DNS_ADDR", router }, { NULL, NULL } };

		LK_TRY(lk_path_join(o->dir, "dnsmasq.conf", path, sizeof path, e));
		return write_filled(path, lk_template_devices, values, e);
	}
}

/* --- latchkeyd.conf --------------------------------------------------------------------------- */

/* A long value goes on in the next line, behind a blank: a line has at most 198 bytes. A list is
 * broken between its items. */
static struct lk_result
put(struct lk_buf *out, const char *why, const char *key, const char *value, struct lk_err *e)
{
	const size_t most = 120;
	size_t n = strlen(value), piece;
	const char *comma;

	LK_TRY(lk_buf_printf(out, e, "# %s\n%s = ", why, key));
	for (; n > most; value += piece, n -= piece) {
		comma = memrchr(value, ',', most);
		piece = comma ? (size_t)(comma - value) + 1 : most;
		LK_TRY(lk_buf_printf(out, e, "%.*s\n\t", (int)piece, value));
	}
	return lk_buf_printf(out, e, "%s\n", value);
}

static struct lk_result
put_network(struct lk_buf *out, const struct lk_init_options *o, struct lk_err *e)
{
	const char *port = o->listen ? strrchr(o->listen, ':') : ":8443";
	char text[PATH_MAX];

	LK_TRY(lk_buf_append_str(out, "\n[network]\n", e));
	LK_TRY(put(out, "What devices are told that this network is called.", "name", o->name, e));
	LK_TRY(lk_path_join(o->dir, "pki", text, sizeof text, e));
	LK_TRY(put(
		out, "The domain's certificates, as latchkey init made them.", "pki_dir", text, e));
	snprintf(text, sizeof text, "https://%s%s", o->registrar_name, port ? port : ":8443");
	LK_TRY(put(out,
		"Where devices report and renew: the name is in the registrar's certificate.",
		"lifecycle_url", text, e));
	if (!o->radius_dir)
		return LK_OK;
	LK_TRY(lk_path_join(o->dir, "pki/radius-anchor.pem", text, sizeof text, e));
	LK_TRY(put(out, "The only CA that devices take for the RADIUS server.", "radius_anchor",
		text, e));
	snprintf(text, sizeof text, "radius.%s", o->name);
	return put(out, "The name in the RADIUS server's certificate.", "radius_server", text, e);
}

static struct lk_result
put_front(struct lk_buf *out, const struct lk_init_options *o, struct lk_err *e)
{
	if (!o->listen && !o->consumer && !o->n_ports)
		return LK_OK;
	LK_TRY(lk_buf_append_str(out, "\n[front]\n", e));
	if (o->listen)
		LK_TRY(put(out, "Where devices connect.", "listen", o->listen, e));
	if (o->consumer)
		LK_TRY(put(out, "One process is plenty for a household.", "processes", "1", e));
	return o->n_ports ? put(out, "Where devices find it by mDNS.", "announce", o->bridge, e)
			  : LK_OK;
}

struct lk_result
lk_init_publish_url(const struct lk_init_options *o, const char *path,
	char dst[static LK_CERT_NAME_MAX], struct lk_err *e)
{
	const char *port = strrchr(o->publish, ':');
	int n;

	LK_REQUIRE(port, e, LK_R_USAGE, "--publish %s has no port", o->publish);
	n = snprintf(dst, LK_CERT_NAME_MAX, "http://%s%s%s", o->registrar_name, port, path);
	LK_REQUIRE(
		n > 0 && n < LK_CERT_NAME_MAX, e, LK_R_USAGE, "the registrar's name is too long");
	return LK_OK;
}

static struct lk_result
put_publish(struct lk_buf *out, const struct lk_init_options *o, struct lk_err *e)
{
	char url[LK_CERT_NAME_MAX];

	if (!o->publish)
		return LK_OK;
	LK_TRY(lk_init_publish_url(o, "", url, e));
	LK_TRY(lk_buf_append_str(out, "\n[publish]\n", e));
	LK_TRY(put(
		out, "Plain HTTP: revocation lists, which are signed.", "listen", o->publish, e));
	return put(out, "That place, as certificates name it.", "url", url, e);
}

static struct lk_result
put_keys(struct lk_buf *out, const struct lk_init_options *o, struct lk_err *e)
{
	char uri[LK_KEY_URI_MAX + 1];
	const char *name;
	size_t i;

	LK_TRY(lk_buf_append_str(out,
		"\n# Where the signer's keys live. No other process opens them.\n"
		"[keys]\n",
		e));
	for (i = 0; (name = lk_init_key_name(i)); i++) {
		if (strcmp(name, "aaa") == 0 && !o->radius_dir)
			continue;
		LK_TRY(lk_init_key_uri(o, name, uri, e));
		LK_TRY(put(out,
			strcmp(name, "aaa") == 0 ? "TLS towards the RADIUS server."
						 : "Made by latchkey init.",
			name, uri, e));
	}
	return LK_OK;
}

static struct lk_result
put_enforcement(struct lk_buf *out, const struct lk_init_options *o, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf ports = LK_BUF_INIT(LK_INIT_PORTS_MAX * IFNAMSIZ);
	size_t i;

	if (!o->n_ports)
		return LK_OK;
	for (i = 0; i < o->n_ports; i++)
		LK_TRY(lk_buf_printf(&ports, e, "%s%s", i ? "," : "", o->ports[i]));
	LK_TRY(lk_buf_append_str(out, "\n[enforcement]\n", e));
	LK_TRY(put(
		out, "This machine's bridge lets only admitted devices pass.", "enable", "yes", e));
	LK_TRY(put(out, "The bridge of the devices.", "bridge", o->bridge, e));
	LK_TRY(put(out, "Its ports; each has a file for hostapd.", "ports", lk_buf_str(&ports), e));
	return put(
		out, "The addresses that dnsmasq leases.", "device_network", o->device_network, e);
}

static struct lk_result
make_conf(const struct lk_init_options *o, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(TEXT_MAX);
	char path[PATH_MAX];

	LK_TRY(lk_buf_append_str(&out,
		"# latchkeyd.conf: what differs from the defaults, which\n"
		"# `latchkeyd --print-defaults` shows and latchkeyd.conf(5) explains.\n"
		"\n[paths]\n",
		e));
	LK_TRY(put(&out, "Keys, store and ledger.", "state_dir", o->state_dir, e));
	if (o->runtime_dir)
		LK_TRY(put(&out, "Sockets.", "runtime_dir", o->runtime_dir, e));
	LK_TRY(put_network(&out, o, e));
	LK_TRY(put_front(&out, o, e));
	LK_TRY(put_publish(&out, o, e));
	LK_TRY(put_keys(&out, o, e));
	LK_TRY(put_enforcement(&out, o, e));
	LK_TRY(lk_path_join(o->dir, "latchkeyd.conf", path, sizeof path, e));
	return lk_file_create(path, lk_buf_slice(&out), 0644, e);
}

struct lk_result
lk_init_make_files(const struct lk_init_options *o, struct lk_err *e)
{
	char secret[SECRET_MAX];
	uint8_t random[32];
	struct lk_result r = LK_OK;

	/* There is no default password. */
	lk_random_fill(&lk_random_system, random, sizeof random);
	lk_hex(LK_SLICE_ARRAY(random), secret);
	if (o->radius_dir)
		r = make_radius(o, secret, e);
	if (r.ok && o->n_ports)
		r = make_ports(o, secret, e);
	lk_wipe(random, sizeof random);
	lk_wipe(secret, sizeof secret);
	LK_TRY(r);
	if (o->n_ports)
		LK_TRY(make_dnsmasq(o, e));
	return make_conf(o, e);
}
