/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of events: made, walked, and held against a signed head. It must
 * never read a payload for the chain's hash: what is erased leaves no hole.
 */
#include "store/ledger.h"

#include <assert.h>

#include "crypto/digest.h"

static_assert(LK_LEDGER_HASH_LEN == LK_SHA256_LEN, "the chain is of SHA-256");

static const uint8_t nothing[LK_LEDGER_HASH_LEN]; /* prev of the first event */

/*= Latchkey ledger commitment: SHA-256 over salt and payload =*/
static void
commit_to(const struct lk_event_record *ev, uint8_t ret[static LK_LEDGER_HASH_LEN])
{
	const struct lk_slice parts[] = { lk_blob_slice(&ev->salt), lk_blob_slice(&ev->payload) };

	lk_sha256(parts, LK_ARRAY_LEN(parts), ret);
}

static void
store_be64(int64_t v, uint8_t dst[static 8])
{
	unsigned i;

	for (i = 0; i < 8; i++)
		dst[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
}

/*= Latchkey ledger hash: over the fields with their lengths, the commitment and the link =*/
static void
hash_event(const struct lk_event_record *ev, uint8_t ret[static LK_LEDGER_HASH_LEN])
{
	uint8_t seq[8], at[8];
	const struct lk_slice fields[] = {
		LK_SLICE_LIT("latchkey ledger event v1"),
		lk_slice_str(ev->record.node_id),
		lk_slice_str(ev->record.site_id),
		LK_SLICE_ARRAY(seq),
		LK_SLICE_ARRAY(at),
		lk_slice_str(ev->type),
		lk_slice_str(ev->device_id),
		lk_slice_str(ev->run_id),
		lk_slice_str(ev->actor),
		lk_slice_str(ev->reason),
		lk_slice_str(ev->clause),
		lk_blob_slice(&ev->commitment),
		lk_blob_slice(&ev->prev),
	};
	uint8_t lengths[LK_ARRAY_LEN(fields)][4];
	struct lk_slice parts[2 * LK_ARRAY_LEN(fields)];
	unsigned i;

	store_be64(ev->seq, seq);
	store_be64(ev->at, at);
	for (i = 0; i < LK_ARRAY_LEN(fields); i++) {
		size_t n = fields[i].n;

		lengths[i][0] = (uint8_t)(n >> 24);
		lengths[i][1] = (uint8_t)(n >> 16);
		lengths[i][2] = (uint8_t)(n >> 8);
		lengths[i][3] = (uint8_t)n;
		parts[2 * i] = LK_SLICE_ARRAY(lengths[i]);
		parts[2 * i + 1] = fields[i];
	}
	lk_sha256(parts, LK_ARRAY_LEN(parts), ret);
}

struct lk_result
lk_ledger_head(struct lk_store *s, struct lk_ledger_head *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan last = { .index = LK_EVENT_BY_SEQ, .prefix = 1, .descending = true };
	struct lk_ledger_head head = { 0 };
	bool found;

	memcpy(ev.record.node_id, lk_store_origin(s)->node_id, sizeof ev.record.node_id);
	LK_TRY(lk_store_next(s, &last, &ev.record, &found, e));
	if (found) {
		LK_REQUIRE(ev.hash.n == sizeof head.hash, e, LK_R_LEDGER_HASH,
			"event %lld has a hash of %zu bytes", (long long)ev.seq, ev.hash.n);
		head.seq = ev.seq;
		memcpy(head.hash, ev.hash.p, sizeof head.hash);
	}
	*ret = head;
	return LK_OK;
}

struct lk_result
lk_ledger_append(struct lk_store *s, const struct lk_random *random, struct lk_event_record *ev,
	struct lk_err *e)
{
	uint8_t salt[LK_LEDGER_SALT_LEN], digest[LK_LEDGER_HASH_LEN];
	struct lk_ledger_head head;

	LK_TRY(lk_ledger_head(s, &head, e));
	memcpy(ev->record.site_id, lk_store_origin(s)->site_id, sizeof ev->record.site_id);
	memcpy(ev->record.node_id, lk_store_origin(s)->node_id, sizeof ev->record.node_id);
	ev->seq = head.seq + 1;
	lk_random_fill(random, salt, sizeof salt);
	LK_TRY(lk_blob_set(&ev->salt, LK_SLICE_ARRAY(salt), e));
	commit_to(ev, digest);
	LK_TRY(lk_blob_set(&ev->commitment, LK_SLICE_ARRAY(digest), e));
	LK_TRY(lk_blob_set(&ev->prev, LK_SLICE_ARRAY(head.hash), e));
	hash_event(ev, digest);
	LK_TRY(lk_blob_set(&ev->hash, LK_SLICE_ARRAY(digest), e));
	return lk_store_insert(s, &ev->record, e);
}

/* One event, against the hash of the one before. */
static struct lk_result
verify_event(const struct lk_event_record *ev, int64_t seq, struct lk_slice prev, struct lk_err *e)
{
	uint8_t digest[LK_LEDGER_HASH_LEN];

	/*= Latchkey ledger sequence: without gap =*/
	LK_REQUIRE(ev->seq == seq, e, LK_R_LEDGER_GAP, "event %lld is missing", (long long)seq);
	/*= Latchkey ledger chain: an event names the hash of the one before =*/
	LK_REQUIRE(lk_slice_eq(lk_blob_slice(&ev->prev), prev), e, LK_R_LEDGER_LINK,
		"event %lld does not follow event %lld", (long long)seq, (long long)seq - 1);
	hash_event(ev, digest);
	LK_REQUIRE(lk_slice_eq(lk_blob_slice(&ev->hash), LK_SLICE_ARRAY(digest)), e,
		LK_R_LEDGER_HASH, "event %lld is not what was hashed", (long long)seq);
	/*= Latchkey ledger erasure: the chain verifies without the payload =*/
	if (ev->salt.n == 0 && ev->payload.n == 0)
		return LK_OK;
	commit_to(ev, digest);
	LK_REQUIRE(lk_slice_eq(lk_blob_slice(&ev->commitment), LK_SLICE_ARRAY(digest)), e,
		LK_R_LEDGER_PAYLOAD, "the payload of event %lld is not what was committed to",
		(long long)seq);
	return LK_OK;
}

/* Fills *ev, whose node is set, with the event `seq`; one with seq 0 and no hash if it is not
 * there. */
static struct lk_result
load_event(struct lk_store *s, int64_t seq, struct lk_event_record *ev, struct lk_err *e)
{
	bool found;

	ev->seq = seq;
	LK_TRY(lk_store_find(s, LK_EVENT_BY_SEQ, &ev->record, &found, e));
	if (!found) {
		ev->seq = 0;
		return lk_blob_set(&ev->hash, (struct lk_slice){ 0 }, e);
	}
	return LK_OK;
}

struct lk_result
lk_ledger_verify(struct lk_store *s, const char *node_id, int64_t from, int64_t to,
	int64_t *ret_seq, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_buf_done) struct lk_buf prev = LK_BUF_INIT(LK_LEDGER_HASH_LEN);
	int64_t seq;

	assert(from >= 1);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(node_id), "node", ev.record.node_id, sizeof ev.record.node_id, e));
	if (from > 1) {
		LK_TRY(load_event(s, from - 1, &ev, e));
		if (ev.seq == 0) {
			*ret_seq = from - 1;
			return lk_fail(
				e, LK_R_LEDGER_GAP, "event %lld is missing", (long long)from - 1);
		}
		LK_TRY(lk_buf_append(&prev, lk_blob_slice(&ev.hash), e));
	} else {
		LK_TRY(lk_buf_append(&prev, LK_SLICE_ARRAY(nothing), e));
	}
	for (seq = from; seq <= to; seq++) {
		LK_TRY(load_event(s, seq, &ev, e));
		if (!verify_event(&ev, seq, lk_buf_slice(&prev), e).ok) {
			*ret_seq = seq;
			return (struct lk_result){ false };
		}
		lk_buf_clear(&prev);
		LK_TRY(lk_buf_append(&prev, lk_blob_slice(&ev.hash), e));
	}
	return LK_OK;
}

/*= SEC-20: all post-manufacture information deletable by authorized personnel =*/
struct lk_result
lk_ledger_erase(struct lk_store *s, int64_t seq, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	memcpy(ev.record.node_id, lk_store_origin(s)->node_id, sizeof ev.record.node_id);
	ev.seq = seq;
	return lk_store_erase(s, &ev.record, e);
}

struct lk_result
lk_ledger_erase_device(
	struct lk_store *s, const char *device_id, int64_t *ret_erased, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan scan = { .index = LK_EVENT_BY_DEVICE, .prefix = 1 };
	int64_t erased = 0;
	bool found;

	LK_TRY(lk_slice_to_str(
		lk_slice_str(device_id), "device", ev.device_id, sizeof ev.device_id, e));
	LK_TRY(lk_store_next(s, &scan, &ev.record, &found, e));
	while (found) {
		LK_TRY(lk_store_erase(s, &ev.record, e));
		erased++;
		LK_TRY(lk_store_next(s, &scan, &ev.record, &found, e));
	}
	*ret_erased = erased;
	return LK_OK;
}

/*= Latchkey ledger checkpoint: the store holds the head that was signed =*/
struct lk_result
lk_ledger_check_rollback(
	struct lk_store *s, const struct lk_ledger_head *was_signed, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_ledger_head head;

	if (was_signed->seq == 0)
		return LK_OK;
	LK_TRY(lk_ledger_head(s, &head, e));
	LK_REQUIRE(was_signed->seq <= head.seq, e, LK_R_LEDGER_ROLLBACK,
		"the store ends at event %lld, event %lld was signed", (long long)head.seq,
		(long long)was_signed->seq);
	memcpy(ev.record.node_id, lk_store_origin(s)->node_id, sizeof ev.record.node_id);
	LK_TRY(load_event(s, was_signed->seq, &ev, e));
	LK_REQUIRE(lk_slice_eq(lk_blob_slice(&ev.hash), LK_SLICE_ARRAY(was_signed->hash)), e,
		LK_R_LEDGER_FORK, "event %lld is not the one that was signed",
		(long long)was_signed->seq);
	return LK_OK;
}
