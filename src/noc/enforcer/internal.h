/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the enforcer's files: what it remembers, and who changes what of it.
 *
 *	tables.c	what is in the kernel is what stands here
 *	guests.c	who is in: opening and cutting
 *	ports.c		device ports that come, go, or lose their cable
 *	bindings.c	which address a guest may use, by dnsmasq's leases
 *	sightings.c	what the ports saw, told once and not too often
 *	../enforcer.c	the role: who orders what of these, and when
 */
#pragma once

#include "ipc/body.h"
#include "noc/enforcer/elements.h"
#include "noc/enforcer/hostapd.h"
#include "noc/enforcer/leases.h"
#include "noc/enforcer/links.h"
#include "noc/enforcer/mac.h"
#include "noc/noc.h"

/* A device port that the kernel has and the configuration names. */
struct port {
	struct lk_link link; /* when it was looked at last */
	struct lk_hostapd *hostapd;
	struct {
		size_t n;
		int64_t until; /* monotonic: then it begins anew */
	} told[LK_SIGHTING_SETS];
};

/* A device that is in. */
struct guest {
	struct lk_admission admission; /* what the kernel should have */
	int64_t until;                 /* end of its lease */
	char device_id[sizeof((struct lk_port_open_body *)0)->device_id]; /* whose alarms are told
									   */
};

struct enforcer {
	struct lk_process *process;
	lk_hostapd_fn *on_hostapd; /* of each port; its ctx is this */
	struct lk_ruleset rules;   /* but for the ports */
	struct lk_flow flows[LK_RULESET_FLOWS_MAX];
	struct lk_profile profile;
	struct lk_netfilter *netfilter;
	struct lk_links *links;
	struct lk_watch *links_watch;
	struct lk_lease_watch *leases_watch;
	struct lk_deferred read_leases; /* at most once a turn */
	struct lk_timer *look;
	struct port *ports[LK_RULESET_PORTS_MAX];
	size_t n_ports;
	bool ports_known;   /* the last look at the links went well */
	struct guest *open; /* LK_GUESTS_MAX */
	size_t n_open;
	uint32_t last_device;
	uint32_t generation;  /* of nf_tables when the tables were looked at last */
	uint64_t fingerprint; /* of our tables as they were installed; 0: they are to be */
	struct lk_sighting *told[LK_SIGHTING_SETS]; /* what the last look saw */
	size_t n_told[LK_SIGHTING_SETS];
};

enum { LK_GUESTS_MAX = 65536 };

/* Tells the keeper. about NULL: no device that is known here. */
void lk_enforcer_tell(struct enforcer *s, enum lk_port_event kind, const char *port,
	const uint8_t mac[static 6], const struct guest *about, const char *detail);

/* --- tables.c --------------------------------------------------------------------------------- */
/* Rules first, everybody out; then those who are open are let in again. */
LK_RESULT lk_tables_install(struct enforcer *s, struct lk_err *e);
/* The same where somebody touched them. Before anything is opened. */
LK_RESULT lk_tables_ensure(struct enforcer *s, struct lk_err *e);

/* --- guests.c --------------------------------------------------------------------------------- */
struct guest *lk_guest_find(const struct enforcer *s, const uint8_t mac[static 6]);
bool lk_guest_is_open(const struct enforcer *s, const char *port, const uint8_t mac[static 6]);
/* *ret_changed becomes true when it was not so before. */
LK_RESULT lk_guest_admit(
	struct enforcer *s, const struct lk_port_open_body *b, bool *ret_changed, struct lk_err *e);
/* The device, wherever it is: it may be in at more ports than the one that the keeper saw last. */
LK_RESULT lk_guest_close(struct enforcer *s, const struct lk_port_close_body *b, bool *ret_changed,
	struct lk_err *e);
/* The last guest takes its place. A failure is logged: in memory and at hostapd it is out. */
void lk_guest_cut(struct enforcer *s, struct guest *g);
/* All at once, and the connections of those that were in before this process was. */
LK_RESULT lk_guests_cut_all(struct enforcer *s, struct lk_err *e);

/* --- ports.c ---------------------------------------------------------------------------------- */
struct port *lk_port_find(const struct enforcer *s, const char *name);
/* Looks at the links: new ports, those that are gone, cables that were pulled. */
LK_RESULT lk_ports_follow(struct enforcer *s, struct lk_err *e);
void lk_ports_done(struct enforcer *s);

/* --- bindings.c ------------------------------------------------------------------------------- */
bool lk_guest_is_bound(const struct guest *g, const uint8_t address[static 4]);
void lk_bindings_read(struct enforcer *s); /* the lease file */
void lk_bindings_expire(struct enforcer *s);

/* --- sightings.c ------------------------------------------------------------------------------ */
LK_RESULT lk_sightings_look(struct enforcer *s, struct lk_err *e);
