/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration table of latchkeyd.
 */
#include "noc/config.h"

#include "base/file.h"

#define TEXT(field, section, key, fallback, help) \
	LK_CONFIG_TEXT(struct lk_noc_config, field, section, key, fallback, help)
#define DURATION(field, section, key, fallback, least, most, help) \
	LK_CONFIG_DURATION(struct lk_noc_config, field, section, key, fallback, least, most, help)
#define U32(field, section, key, fallback, least, most, help) \
	LK_CONFIG_U32(struct lk_noc_config, field, section, key, fallback, least, most, help)
#define BOOL(field, section, key, fallback, help) \
	LK_CONFIG_BOOL(struct lk_noc_config, field, section, key, fallback, help)

#define DAY 86400

static const struct lk_config_key keys[] = {
	LK_CONFIG_COMMON("/var/lib/latchkey/noc"),
	TEXT(network, "network", "name", "",
		"The network's identifier: it goes to each device (SEC-13)."),
	TEXT(pki_dir, "network", "pki_dir", "/etc/latchkey/pki",
		"The folder with the domain's certificates."),
	TEXT(lifecycle_url, "network", "lifecycle_url", "",
		"Where devices report that they joined and renew: https URL of a front."),
	TEXT(radius_anchor, "network", "radius_anchor", "",
		"PEM file of the only CA that devices trust for the RADIUS server."),
	TEXT(radius_server, "network", "radius_server", "",
		"The exact name in the RADIUS server's certificate."),
	TEXT(applications, "network", "applications", "",
		"Application services that devices are told of: kind=url|anchor.pem, separated by "
		"commas."),

	TEXT(listen, "front", "listen", "0.0.0.0:8443, [::]:8443",
		"Addresses for devices, separated by commas."),
	U32(fronts, "front", "processes", "2", 1, 64, "Number of front processes."),
	BOOL(allow_tls12, "front", "allow_tls12", "no", "Offer TLS 1.2 to devices."),
	TEXT(announce, "front", "announce", "",
		"Interfaces on which the registrar is announced by mDNS, separated by commas."),

	TEXT(publish_listen, "publish", "listen", "",
		"Addresses for plain HTTP, separated by commas: revocation lists are served "
		"there."),
	TEXT(publish_url, "publish", "url", "",
		"That place as others reach it, http://NAME:PORT: certificates name their list "
		"below it."),
	DURATION(crl_refresh, "publish", "crl_refresh", "30s", 2, 3600,
		"How soon a revocation is on the list that is served."),
	DURATION(crl_life, "publish", "crl_life", "1d", 600, 30 * DAY,
		"For how long a list is good. It is renewed at half of that."),

	DURATION(run, "onboarding", "run", "15m", 60, DAY,
		"How long one onboarding may take, from approval to the LDevID."),
	DURATION(ask, "onboarding", "ask", "4d", 60, 4 * DAY,
		"How long a device may wait for an operator (RFC 8995 5.6)."),
	DURATION(retry_after, "onboarding", "retry_after", "5s", 1, 60,
		"How long a device is told to wait before it asks again."),
	DURATION(ldevid_life, "onboarding", "ldevid_life", "30d", 3600, 398 * DAY,
		"Life of an LDevID."),
	BOOL(audit_required, "onboarding", "audit_required", "yes",
		"Refuse a device whose MASA does not hand out its audit log."),

	TEXT(est_labels, "est", "labels", "",
		"Where plain EST is open: labels separated by commas, each with its ways in. code: "
		"an "
		"operator's one-time code (latchkey est code new); idevid: the certificate of a "
		"trusted "
		"manufacturer; and tls12 where its clients know no better. As in: plant code, "
		"printers "
		"code tls12. Whatever is not named here is shut."),
	DURATION(est_life, "est", "certificate_life", "90d", 3600, 398 * DAY,
		"Life of a certificate of plain EST."),
	DURATION(est_code_life, "est", "code_life", "15m", 60, DAY,
		"How long an enrolment code is good for."),

	TEXT(aaa_listen, "access", "listen", "127.0.0.1:8445", "Where the RADIUS server asks."),
	DURATION(grant, "access", "grant", "30s", 1, 300,
		"How long a yes to the RADIUS server waits for the port."),
	DURATION(session, "access", "session", "1h", 60, DAY,
		"When a joined device authenticates again."),

	TEXT(egress_allow, "masa", "egress_allow", "",
		"Networks that are not public and may be connected to, as CIDRs separated by "
		"commas."),

	TEXT(api_listen, "api", "listen", "unix:api.sock", "Where operators are served."),

	TEXT(registrar_key, "keys", "registrar", "",
		"Key of the registrar, for TLS and voucher requests."),
	TEXT(device_ca_key, "keys", "device_ca", "", "Key of the CA that issues LDevIDs."),
	TEXT(service_ca_key, "keys", "service_ca", "", "Key of the CA of plain EST."),
	TEXT(server_ca_key, "keys", "server_ca", "", "Key of the CA of this network's servers."),
	TEXT(operator_ca_key, "keys", "operator_ca", "", "Key of the CA of operators."),
	TEXT(aaa_key, "keys", "aaa", "", "TLS key of the RADIUS server's hook."),
	TEXT(token_dir, "keys", "token_dir", "/var/lib/softhsm/tokens",
		"What the PKCS#11 module of a key reads and writes while it signs."),

	BOOL(enforce, "enforcement", "enable", "no", "Enforce access on this machine's bridge."),
	TEXT(bridge, "enforcement", "bridge", "br-dev", "The bridge of the devices."),
	TEXT(ports, "enforcement", "ports", "",
		"Its device ports, separated by commas; a * at the end stands for any characters."),
	TEXT(router_address, "enforcement", "router_address", "fe80::1",
		"Link-local address of the join point on the bridge."),
	U32(join_port, "enforcement", "join_port", "8443", 1, 65535, "TCP port of the join point."),
	TEXT(device_network, "enforcement", "device_network", "192.0.2.0/24",
		"The network of the devices' addresses."),
	TEXT(reach, "enforcement", "reach", "",
		"What joined devices may open beyond the router, separated by commas: "
		"tcp:203.0.113.20:443, udp:203.0.113.0/24:5000-5010, ping:203.0.113.20."),
	TEXT(hostapd_dir, "enforcement", "hostapd_dir", "/run/hostapd",
		"Folder of hostapd's control sockets, one a port."),
	TEXT(lease_file, "enforcement", "lease_file", "/var/lib/misc/dnsmasq.leases",
		"dnsmasq's lease file."),
	TEXT(nas_prefix, "enforcement", "nas_prefix", "",
		"What stands before the port's name in a NAS-Identifier."),
};

static struct lk_result
check(const void *values, struct lk_err *e)
{
	struct lk_egress egress = { .n_allow = 0 };
	struct lk_est_labels labels;

	LK_TRY(lk_noc_egress(values, &egress, e));
	return lk_noc_est_labels(values, &labels, e);
}

const struct lk_config_spec lk_noc_config_spec = { "latchkeyd", "/etc/latchkey/latchkeyd.conf",
	keys, LK_ARRAY_LEN(keys), sizeof(struct lk_noc_config), check };

struct lk_result
lk_noc_pki_path(const struct lk_noc_config *c, const char *name, char dst[static PATH_MAX],
	struct lk_err *e)
{
	return lk_path_join(c->pki_dir, name, dst, PATH_MAX, e);
}

struct lk_result
lk_noc_est_labels(const struct lk_noc_config *c, struct lk_est_labels *ret, struct lk_err *e)
{
	LK_TRY(lk_est_labels_parse(c->est_labels, ret, e));
	LK_REQUIRE(ret->n == 0 || c->service_ca_key[0], e, LK_R_EST_LABELS,
		"a label is open, and [keys] service_ca is not set");
	return LK_OK;
}

struct lk_result
lk_noc_egress(const struct lk_noc_config *c, struct lk_egress *ret, struct lk_err *e)
{
	char list[LK_CONFIG_TEXT_MAX], *at = list, *item;

	memcpy(list, c->egress_allow, sizeof list);
	while ((item = strsep(&at, ", ")))
		if (item[0])
			LK_TRY(lk_egress_allow(ret, item, e));
	return LK_OK;
}
