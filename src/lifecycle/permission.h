/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may do what (NIST's paper, section 5; requirements 1.6). One question for
 * every way in:
 *
 *	LK_TRY(lk_authorise(&actor, LK_ACTION_DEVICE_REVOKE, &facts, e));
 *
 * Pure, and no by default: what the matrix of lifecycle/permission.def does not
 * allow is refused. Its conditions are answered by facts that the caller has
 * established. Whether the device's state allows it is lifecycle/transition.h's
 * question.
 */
#pragma once

#include "base/err.h"
#include "lifecycle/party.h"

enum lk_permission {
#define LK_PERMISSION(symbol, name, ...) LK_PERMISSION_##symbol,
#include "lifecycle/permission.def"
#undef LK_PERMISSION
	LK_PERMISSION_COUNT
};

enum lk_action {
#define LK_ACTION(symbol, name, rows) LK_ACTION_##symbol,
#include "lifecycle/action.def"
#undef LK_ACTION
	LK_ACTION_COUNT
};

/* A cell of the matrix: see the top of lifecycle/permission.def. */
enum lk_cell {
	LK_CELL_NO, /* blank */
	LK_CELL_MAY,
	LK_CELL_REQUEST,
	LK_CELL_DELEGATED,
	LK_CELL_C1,
	LK_CELL_C2,
	LK_CELL_C3,
	LK_CELL_C4,
	LK_CELL_C5,
	LK_CELL_C6,
	LK_CELL_C7,
	LK_CELL_OWN_NETWORK
};

/* Who asks, as authenticated. */
struct lk_actor {
	uint32_t parties; /* LK_PARTY_BIT() of what it is to this device and this network */
	const char *id;   /* "uid:0", an operator's local id: for the message; borrowed */
};

/* What is known of the device, the network and the actor; false is what is safe to say of each. */
struct lk_subject {
	bool at_integrator;        /* the device is with this integrator: state S2a */
	bool first_owner;          /* the actor is the manufacturer and still owns the device */
	bool owner;                /* the actor owns the device */
	bool authorized_onboarder; /* the owner authorized the actor to onboard the device */
	bool own_network;          /* the network asked about belongs to the actor */
	bool delegated;            /* who may do it delegated it to the actor */
	bool hosts_service;        /* the actor runs the authorization service for this network */
	bool itself;               /* the actor is the device asked about, by its own key */
	bool admitted;             /* this network admits the device */
};

/* Refuses with LK_R_PERMISSION_*, the one that says most. */
LK_RESULT lk_authorise(const struct lk_actor *actor, enum lk_action action,
	const struct lk_subject *facts, struct lk_err *e);

const char *lk_action_name(enum lk_action action);      /* "device.revoke" */
enum lk_action lk_action_by_name(const char *name);     /* LK_ACTION_COUNT when there is none */
uint32_t lk_action_permissions(enum lk_action action);  /* bits, 1 << enum lk_permission */
const char *lk_permission_name(enum lk_permission row); /* "onboard the device to a network" */
enum lk_cell lk_permission_cell(enum lk_permission row, enum lk_party party);
