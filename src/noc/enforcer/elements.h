/* SPDX-License-Identifier: Apache-2.0
 *
 * The elements of the sets and maps of policy/ruleset.h, put there over netlink. All
 * that belongs to one device goes in, changes and goes in one transaction of the
 * kernel; nothing here takes the name of a set from its caller.
 */
#pragma once

#include "policy/ruleset.h"

struct lk_netfilter; /* a netlink socket: opaque */

/* Probes sets, maps and conntrack. LK_R_ENFORCER_KERNEL names what is missing. */
LK_RESULT lk_netfilter_open(struct lk_netfilter **ret, struct lk_err *e);
void lk_netfilter_close(struct lk_netfilter *n);

/* What the kernel knows of a device that may use its port. */
struct lk_admission {
	char port[LK_RULESET_NAME_MAX];
	uint8_t mac[6];
	uint32_t mark;      /* lk_mark() */
	uint8_t address[4]; /* bound to it */
	bool bound;         /* address is set */
};

/* Each changes all of the device's elements or none. LK_R_ENFORCER_KERNEL. */
LK_RESULT lk_elements_admit(struct lk_netfilter *n, const struct lk_admission *a, struct lk_err *e);
/* From one address (or none) to another (or none): deleted and added in one transaction. */
LK_RESULT lk_elements_rebind(struct lk_netfilter *n, const struct lk_admission *from,
	const struct lk_admission *to, struct lk_err *e);
LK_RESULT lk_elements_cut(struct lk_netfilter *n, const struct lk_admission *a, struct lk_err *e);
/* Ends every connection that was opened under this mark. */
LK_RESULT lk_conntrack_cut(struct lk_netfilter *n, uint32_t mark, struct lk_err *e);
/* Of all devices of this profile. */
LK_RESULT lk_conntrack_cut_class(struct lk_netfilter *n, uint32_t class, struct lk_err *e);

/* --- what the ports saw ----------------------------------------------------------------------- */
enum lk_sighting_set {
	LK_SIGHTING_SEEN,
	LK_SIGHTING_MOVED,
	LK_SIGHTING_FOREIGN4,
	LK_SIGHTING_SETS
};

struct lk_sighting {
	char port[LK_RULESET_NAME_MAX];
	uint8_t mac[6];
	uint8_t address[4]; /* of LK_SIGHTING_FOREIGN4, else zero */
};

/* The elements of a set, sorted by their bytes. The caller frees *ret. */
LK_RESULT lk_sightings_dump(struct lk_netfilter *n, enum lk_sighting_set which,
	struct lk_sighting **ret, size_t *ret_n, struct lk_err *e);

/* --- are the tables still ours? --------------------------------------------------------------- */
/* Grows with each change that anybody makes to rules or elements. */
LK_RESULT lk_netfilter_generation(struct lk_netfilter *n, uint32_t *ret, struct lk_err *e);
/* A number over our tables, their chains with policies, and how many rules these have; 0 when there
 * are none. */
LK_RESULT lk_netfilter_fingerprint(struct lk_netfilter *n, uint64_t *ret, struct lk_err *e);
