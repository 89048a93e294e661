/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's head, signed by the clock and kept outside the database: a store
 * that was put back to an earlier day is refused at start, until the operator says
 * that it is to go on. The store is a file, as in a keeper; the signer is the real
 * one, and the clock stands still.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artefact/checkpoint.h"
#include "base/file.h"
#include "pki.h"
#include "role/checkpointer.h"
#include "role/signer.h"

static const struct lk_origin origin = { "home", "node-1" };

static struct world {
	char dir[32];
	char copy[PATH_MAX];
	struct pki_cast cast;
	struct lk_clock_fixed clock;
	struct lk_signer *signer;
	struct lk_store *store;
	struct lk_turn *turn;
	struct lk_checkpointer checkpointer;
	bool signer_is_gone;
	struct lk_buf tampered; /* comes back instead of what was signed */
	uint32_t question;
	struct lk_buf answer; /* to the question; empty: none came yet */
	unsigned signatures;  /* asked for */
	unsigned told;        /* checkpoints that the change stream heard of */
} w;
static struct lk_err e;

/* --- the keeper around it --------------------------------------------------------------------- */

static struct lk_result
sign(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	struct lk_sign_checkpoint_body b;
	struct lk_signed_body s;

	(void)ctx;
	(void)index;
	(void)ret;
	assert_int_equal(kind, LK_SEND_QUESTION);
	assert_int_equal(to, LK_ROLE_SIGNER);
	w.question = id;
	w.signatures++;
	assert_true(lk_body_unpack(type, packed, &b, &e).ok);
	assert_true(lk_signer_sign(w.signer, LK_ROLE_KEEPER, type, &b, &out, &e).ok);
	s.bytes = w.tampered.n ? lk_buf_slice(&w.tampered) : lk_buf_slice(&out);
	assert_true(lk_body_pack(LK_BODY_signed, &s, &w.answer, &e).ok);
	return LK_OK;
}

static struct lk_result
record_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *ret)
{
	struct lk_event ev = { .type = "refused", .actor = "signer", .reason = why->reason };

	(void)m;
	return lk_turn_event(t, &ev, NULL, ret);
}

static struct lk_result
answer_nobody(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *ret)
{
	(void)t;
	(void)m;
	(void)why;
	(void)ret;
	return LK_OK;
}

static void
committed(void *app, const struct lk_record *r, bool removed)
{
	(void)app;
	(void)removed;
	w.told += r->type->kind == LK_KIND_checkpoint;
}

static void
open_store(void)
{
	struct lk_turn_settings set = { .clock = &w.clock.clock,
		.random = &lk_random_system,
		.record_refusal = record_refusal,
		.answer_refusal = answer_nobody,
		.committed = committed,
		.send = sign,
		.checkpointer = &w.checkpointer,
		.answer_ms = 1000 };
	char path[PATH_MAX];

	assert_true(lk_path_join(w.dir, "store.db", path, sizeof path, &e).ok);
	assert_true(lk_store_open_sqlite(path, LK_STORE_NOC, &origin, &w.store, &e).ok);
	set.store = w.store;
	assert_true(lk_turn_new(&set, &w.turn, &e).ok);
}

static void
close_store(void)
{
	w.turn = lk_turn_free(w.turn);
	w.store = lk_store_close(w.store);
}

/* As a keeper starts: the store is opened and held against its checkpoint. */
static struct lk_result
start(bool accept_rollback)
{
	struct lk_checkpointer_settings set = { .signers = &w.cast.registrar.chain,
		.accept_rollback = accept_rollback };

	close_store();
	open_store();
	memcpy(set.copy, w.copy, sizeof set.copy);
	return lk_checkpointer_start(&w.checkpointer, &set, w.turn, &e);
}

/* Copies store.db, as a backup does, or the checkpoint. */
static void
copy_file(const char *from, const char *to)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf bytes = LK_BUF_INIT(16 << 20);
	char a[PATH_MAX], b[PATH_MAX];

	assert_true(lk_path_join(w.dir, from, a, sizeof a, &e).ok);
	assert_true(lk_path_join(w.dir, to, b, sizeof b, &e).ok);
	assert_true(lk_file_read(a, &bytes, &e).ok);
	assert_true(lk_file_replace(b, lk_buf_slice(&bytes), 0600, &e).ok);
}

static void
record_event(void)
{
	struct lk_event ev = { .type = "test", .actor = "test" };

	assert_true(lk_turn_begin(w.turn, &e).ok);
	assert_true(lk_turn_event(w.turn, &ev, NULL, &e).ok);
	assert_true(lk_turn_flush(w.turn, &e).ok);
}

/* One tick, and the answer of the signer if it was asked. */
static void
tick(void)
{
	assert_true(lk_checkpointer_tick(&w.checkpointer, w.turn, &e).ok);
	assert_true(lk_turn_flush(w.turn, &e).ok);
	if (!w.answer.n)
		return;
	if (w.signer_is_gone) {
		lk_err_set(&e, LK_R_IPC_GONE, "there is no signer");
		lk_turn_failed(w.turn, w.question, &e);
	} else {
		assert_true(lk_turn_receive(w.turn, LK_ROLE_SIGNER, 0, w.question, LK_BODY_signed,
			lk_buf_slice(&w.answer), &e)
				    .ok);
	}
	lk_buf_clear(&w.answer);
	assert_true(lk_turn_flush(w.turn, &e).ok);
}

/* Records n events and has the head signed. */
static void
live(unsigned n)
{
	while (n--)
		record_event();
	w.clock.ms += 60000;
	tick();
}

static int64_t
head(void)
{
	struct lk_ledger_head h;

	assert_true(lk_ledger_head(w.store, &h, &e).ok);
	return h.seq;
}

static int64_t
copied(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };

	assert_true(lk_file_read(w.copy, &der, &e).ok);
	assert_true(
		lk_checkpoint_parse(lk_buf_slice(&der), w.cast.registrar.chain.v[0], &c, &e).ok);
	assert_string_equal(c.node, "node-1");
	assert_string_equal(c.site, "home");
	return (int64_t)c.seq;
}

static int64_t
newest_inside(void)
{
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record r = LK_RECORD_INIT(checkpoint);
	struct lk_scan last = { .index = LK_CHECKPOINT_BY_SEQ, .descending = true };
	bool found;

	assert_true(lk_store_next(w.store, &last, &r.record, &found, &e).ok);
	return found ? r.seq : 0;
}

static int
setup(void **state)
{
	struct lk_signer_settings keys = { .node = "node-1", .site = "home" };
	struct lk_signer_identity *registrar = &keys.identity[LK_SIGNER_REGISTRAR];

	(void)state;
	w = (struct world){ .dir = "/tmp/lk-checkpoint-XXXXXX" };
	assert_non_null(mkdtemp(w.dir));
	assert_true(lk_path_join(w.dir, "checkpoint", w.copy, sizeof w.copy, &e).ok);
	w.answer = w.tampered = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	lk_clock_fixed_init(&w.clock, PKI_NOW);
	pki_cast_init(&w.cast);
	registrar->key = lk_key_ref(w.cast.registrar.key);
	assert_true(lk_certs_add(&registrar->chain, pki_cert(&w.cast.registrar), &e).ok);
	assert_true(lk_signer_new(&keys, &w.signer, &e).ok);
	assert_true(start(false).ok);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = { "store.db", "backup", "checkpoint", "former" };
	char path[PATH_MAX];
	size_t i;

	(void)state;
	close_store();
	lk_signer_free(w.signer);
	pki_cast_done(&w.cast);
	lk_buf_done(&w.answer);
	lk_buf_done(&w.tampered);
	for (i = 0; i < LK_ARRAY_LEN(files); i++) {
		assert_true(lk_path_join(w.dir, files[i], path, sizeof path, &e).ok);
		assert_true(lk_file_remove(path, &e).ok);
	}
	assert_int_equal(rmdir(w.dir), 0);
	return 0;
}

/* --- by the clock ----------------------------------------------------------------------------- */

/*= Latchkey ledger: the head is signed at least every 60 s =*/
static void
test_head_is_signed_each_minute(void **state)
{
	int64_t second, unsigned_since = 0;

	(void)state;
	/* An event a second for ten minutes, and the keeper's four ticks in each. */
	for (second = 0; second < 600; second++) {
		record_event();
		for (int i = 0; i < 4; i++, w.clock.ms += 250)
			tick();
		w.clock.seconds++;
		if (newest_inside() == head())
			unsigned_since = second;
		assert_true(second - unsigned_since < 60);
	}
	assert_int_equal(copied(), newest_inside());
	assert_int_equal(w.told, w.signatures);
	assert_true(w.signatures <= 600 / 20);
}

/* Nor does a wall clock that is set back stop it. */
static void
test_clock_that_is_set_back(void **state)
{
	(void)state;
	live(1);
	w.clock.seconds -= 86400;
	live(1);
	assert_int_equal(copied(), 2);
}

static void
test_nothing_new_is_not_signed_again(void **state)
{
	(void)state;
	live(2);
	assert_int_equal(w.signatures, 1);
	live(0);
	assert_true(start(false).ok);
	live(0);
	assert_int_equal(w.signatures, 1);
	assert_int_equal(head(), 2);
}

/* A signer that does not answer once is made up for within the minute. */
static void
test_signature_that_fails_is_made_up_for(void **state)
{
	(void)state;
	record_event();
	w.signer_is_gone = true;
	tick();
	assert_int_equal(newest_inside(), 0);
	w.signer_is_gone = false;
	w.clock.ms += 30000;
	tick();
	assert_int_equal(newest_inside(), 1);
	assert_int_equal(copied(), 1);
}

/* What does not name this ledger's event is neither kept nor copied. */
static void
test_signature_over_something_else_is_refused(void **state)
{
	static uint8_t hash[LK_CHECKPOINT_HASH_LEN] = { 1 };
	struct lk_checkpoint other = { .node = "node-1",
		.site = "home",
		.seq = 2,
		.at = PKI_NOW,
		.hash = { hash, sizeof hash, sizeof hash, sizeof hash } };

	(void)state;
	live(1);
	assert_true(lk_file_read(w.copy, &w.tampered, &e).ok);
	w.tampered.p[w.tampered.n - 1] ^= 1;
	live(1);
	assert_int_equal(copied(), 1);
	assert_int_equal(newest_inside(), 1);
	/* By the right key, over an event that this ledger does not have. */
	lk_buf_clear(&w.tampered);
	assert_true(lk_checkpoint_build(
		&other, w.cast.registrar.key, &w.cast.registrar.chain, &w.tampered, &e)
			    .ok);
	live(1);
	assert_int_equal(copied(), 1);
	assert_int_equal(newest_inside(), 1);
	lk_buf_clear(&w.tampered);
	live(0);
	assert_int_equal(copied(), head());
}

/* Only its owner reads it, and no other file is left beside it. */
static void
test_file_is_replaced_whole(void **state)
{
	struct stat st;

	(void)state;
	live(1);
	live(1);
	assert_int_equal(stat(w.copy, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(copied(), 2);
}

/* A power cut between file and record: the file is ahead, which is fine. */
static void
test_file_ahead_of_the_records(void **state)
{
	(void)state;
	record_event();
	close_store();
	copy_file("store.db", "backup");
	open_store();
	live(0);
	assert_int_equal(copied(), 1);
	close_store();
	copy_file("backup", "store.db");
	assert_true(start(false).ok);
	assert_int_equal(newest_inside(), 0);
	live(0);
	assert_int_equal(newest_inside(), 1);
	assert_int_equal(head(), 1);
}

/* --- at start --------------------------------------------------------------------------------- */

/* Three days: a backup after the first. */
static void
back_up_and_go_on(void)
{
	live(3);
	close_store();
	copy_file("store.db", "backup");
	copy_file("checkpoint", "former");
	open_store();
	live(4);
	assert_int_equal(copied(), 7);
	close_store();
}

/*= Latchkey ledger: a store older than its newest checkpoint is refused at start =*/
static void
test_restored_older_store_is_refused(void **state)
{
	(void)state;
	back_up_and_go_on();
	assert_true(start(false).ok); /* as it was left */
	close_store();
	copy_file("backup", "store.db");
	assert_refused(start(false), e, LK_R_LEDGER_ROLLBACK);
	assert_non_null(strstr(e.msg, "ends at event 3, event 7 was signed"));
	assert_non_null(strstr(e.msg, "--accept-rollback"));
	assert_int_equal(head(), 3); /* nothing was written */
	assert_int_equal(copied(), 7);
	/* Nor does going on another way help. */
	record_event();
	record_event();
	record_event();
	record_event();
	assert_refused(start(false), e, LK_R_LEDGER_FORK);
}

/*= Latchkey ledger: a rollback that the operator accepts is an event =*/
static void
test_rollback_is_accepted_and_recorded(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan last = { .index = LK_EVENT_BY_SEQ, .descending = true };
	bool found;

	(void)state;
	back_up_and_go_on();
	copy_file("backup", "store.db");
	assert_true(start(true).ok);
	assert_int_equal(head(), 4);
	assert_true(lk_store_next(w.store, &last, &ev.record, &found, &e).ok);
	assert_string_equal(ev.type, "rollback-accepted");
	assert_string_equal(ev.reason, "ledger-rollback");
	assert_string_equal(ev.actor, "operator");
	assert_non_null(strstr((const char *)ev.payload.p, "\"head\":3,\"signed\":7"));
	/* From the next checkpoint on there is nothing left to accept. */
	live(0);
	assert_int_equal(copied(), 4);
	assert_true(start(false).ok);
	/* Where nothing is wrong the option does nothing. */
	assert_true(start(true).ok);
	assert_int_equal(head(), 4);
}

/*= Latchkey ledger: the checkpoint outside the database is signed by this service =*/
static void
test_forged_checkpoint_is_refused(void **state)
{
	struct lk_checkpoint c = { .node = "node-1", .site = "home", .seq = 3, .at = PKI_NOW };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	LK_CLEANUP(lk_record_done) struct lk_event_record third = LK_RECORD_INIT(event);
	size_t i;

	(void)state;
	back_up_and_go_on();
	copy_file("backup", "store.db");
	open_store();
	memcpy(third.record.node_id, origin.node_id, sizeof third.record.node_id);
	third.seq = 3;
	assert_true(lk_store_get(w.store, LK_EVENT_BY_SEQ, &third.record, &e).ok);
	c.hash = (struct lk_buf){ third.hash.p, third.hash.n, third.hash.n, third.hash.n };

	/* Right in every word, but by another's key. */
	assert_true(
		lk_checkpoint_build(&c, w.cast.stranger.key, &w.cast.stranger.chain, &der, &e).ok);
	assert_true(lk_file_replace(w.copy, lk_buf_slice(&der), 0600, &e).ok);
	assert_refused(start(false), e, LK_R_LEDGER_COPY_FORGED);

	/* Of another network or node whose key is the same; no checkpoint at all; cut off. */
	for (i = 0; i < 2; i++) {
		lk_buf_clear(&der);
		c.site[0] = i ? 'h' : 'H';
		c.node[0] = i ? 'N' : 'n';
		assert_true(lk_checkpoint_build(
			&c, w.cast.registrar.key, &w.cast.registrar.chain, &der, &e)
				    .ok);
		assert_true(lk_file_replace(w.copy, lk_buf_slice(&der), 0600, &e).ok);
		assert_refused(start(false), e, LK_R_LEDGER_COPY_FORGED);
	}
	for (i = 0; i < der.n; i += der.n / 8) {
		assert_true(lk_file_replace(w.copy, lk_slice(der.p, i), 0600, &e).ok);
		assert_refused(start(false), e, LK_R_LEDGER_COPY_FORGED);
	}
	assert_int_equal(head(), 3);
	assert_true(start(true).ok);
	assert_int_equal(head(), 4);
}

/* Taking the file away, or putting back an older one, does not hide what the store itself knows. */
static void
test_missing_or_older_checkpoint_is_refused(void **state)
{
	(void)state;
	back_up_and_go_on();
	copy_file("former", "checkpoint");
	assert_refused(start(false), e, LK_R_LEDGER_COPY_OLD);
	assert_true(lk_file_remove(w.copy, &e).ok);
	assert_refused(start(false), e, LK_R_LEDGER_COPY_OLD);
	assert_int_equal(head(), 7);
	assert_true(start(true).ok);
	live(0);
	assert_true(start(false).ok);
}

#define in_a_keeper(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_keeper(test_head_is_signed_each_minute),
		in_a_keeper(test_clock_that_is_set_back),
		in_a_keeper(test_nothing_new_is_not_signed_again),
		in_a_keeper(test_signature_that_fails_is_made_up_for),
		in_a_keeper(test_signature_over_something_else_is_refused),
		in_a_keeper(test_file_is_replaced_whole),
		in_a_keeper(test_file_ahead_of_the_records),
		in_a_keeper(test_restored_older_store_is_refused),
		in_a_keeper(test_rollback_is_accepted_and_recorded),
		in_a_keeper(test_forged_checkpoint_is_refused),
		in_a_keeper(test_missing_or_older_checkpoint_is_refused),
	};

	return cmocka_run_group_tests_name("checkpointer", tests, NULL, NULL);
}
