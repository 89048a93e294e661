/* SPDX-License-Identifier: Apache-2.0
 *
 * What one operation costs the servers. Many simulated devices in one process do
 * whole operations against daemons that run beside it; their CPU time is read
 * from their own clocks before and after. All kinds of operation, nginx's
 * handshake and the unit costs of the cryptography take turns, so that what
 * disturbs the machine disturbs all of them.
 *
 *	bench DEVICES ROUNDS FOLDER NOC-PID MASA-PID NGINX-PID OUT.json
 *
 * FOLDER: maker/ and site/ as latchkey-factory and latchkey init made them, noc-state/,
 * devices/0 …, a device each. An operation that fails ends the program: a rate
 * with failures in it says nothing.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/engine.h"
#include "base/encode.h"
#include "base/file.h"
#include "unit_cost.h"

#define WIDTH      16 /* operations at once, below the servers' limit per source */
#define UNIT_TIMES 100
#define NS_PER_MS  1e6
#define PROCS_MAX  32

#define must(call)                                          \
	do {                                                \
		struct lk_err must_e = { 0 }, *e = &must_e; \
		if (!(call).ok)                             \
			give_up(#call, must_e.msg);         \
	} while (0)

static _Noreturn void
give_up(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

enum kind { TLS_MUTUAL, MASA_VOUCHER, EST_ENROLL, BRSKI_ONBOARD, PEER, KIND_COUNT };

/* An operation, and what its servers cannot do without. */
struct kind_info {
	const char *name;
	const char *programs; /* whose CPU time counts */
	uint16_t port;
	double connections; /* from outside, each worth one of the peer's */
	unsigned floor[UNIT_COUNT];
};

#define HANDSHAKE(n) [UNIT_KEYGEN] = (n), [UNIT_ECDH] = (n), [UNIT_SIGN] = (n)
static struct kind_info kinds[KIND_COUNT] = {
	/* CertificateVerify and the device CA's signature; the chain above is known */
	[TLS_MUTUAL] = { "tls-mutual", "noc", 8443, 1, { HANDSHAKE(1), [UNIT_VERIFY] = 2 } },
	/* CertificateVerify, the IDevID's signature, both requests; the voucher */
	[MASA_VOUCHER] = { "masa-voucher", "masa", 9443, 1,
		{ HANDSHAKE(1), [UNIT_VERIFY] = 2, [UNIT_CMS_VERIFY] = 2, [UNIT_CMS_SIGN] = 1 } },
	[EST_ENROLL] = { "est-enroll", "noc", 8443, 1,
		{ HANDSHAKE(1), [UNIT_VERIFY] = 2, [UNIT_CSR] = 1, [UNIT_X509_SIGN] = 1 } },
	/* Registrar: the pledge's request, its own, the voucher, the CSR, the certificate, the
	 * onboarding information; MASA, on a connection that is kept: two requests, the IDevID's
	 * signature, the voucher */
	[BRSKI_ONBOARD] = { "brski-onboard", "noc masa", 8443, 2,
		{ HANDSHAKE(2), [UNIT_VERIFY] = 5, [UNIT_CMS_VERIFY] = 4, [UNIT_CMS_SIGN] = 3,
			[UNIT_CSR] = 1, [UNIT_X509_SIGN] = 1 } },
	[PEER] = { "nginx", "nginx", 8444, 1, { HANDSHAKE(1), [UNIT_VERIFY] = 2 } },
};

struct device {
	char serial[LK_CERT_NAME_MAX];
	struct lk_certs idevid;
	struct lk_key *idevid_key;
	struct lk_cert *ldevid;
	struct lk_certs ca; /* cacerts */
	struct lk_key *key; /* the LDevID's */
};

struct op {
	enum kind kind;
	struct device *device;
	int fd;
	int64_t start_ns;
	struct lk_engine *engine;   /* of BRSKI_ONBOARD */
	struct lk_channel *channel; /* of the others */
	bool asked;
	struct lk_key *new_key; /* of EST_ENROLL */
	struct lk_buf body;
};

struct process {
	const char *program;
	char role[32];
	clockid_t clock;
	int64_t begin_ns;
};

struct result {
	unsigned n;
	double wall_ns;
	double *latency_ms;
	double cpu_ns[PROCS_MAX]; /* by process */
};

struct bench {
	char folder[PATH_MAX / 2];
	struct device *devices;
	unsigned first, n_devices;
	struct lk_anchors *manufacturer;
	struct lk_certs registrar;
	struct lk_key *registrar_key;
	struct process process[PROCS_MAX];
	size_t n_processes;
	struct result result[KIND_COUNT];
	int64_t unit_ns[UNIT_COUNT];
	unsigned unit_n;
};

/* --- clocks ----------------------------------------------------------------------------------- */

static int64_t
read_clock(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		give_up("clock", "a server's process has ended");
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t
mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t
mono_ms(void)
{
	return mono_ns() / 1000000;
}

/* The program's name and its role: "noc.keeper". */
static void
watch(struct bench *b, const char *program, pid_t pid)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(4096);
	struct process *p = &b->process[b->n_processes++];
	char path[64], *role;
	size_t at;

	if (b->n_processes > PROCS_MAX)
		give_up(program, "too many processes");
	p->program = program;
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	must(lk_file_read(path, &line, e));
	for (at = 0; at < line.n && strcmp((char *)line.p + at, "--role") != 0;)
		at += strlen((char *)line.p + at) + 1;
	role = at < line.n ? (char *)line.p + at + sizeof "--role" : NULL;
	snprintf(p->role, sizeof p->role, "%s.%.20s", program, role ? role : "main");
	if (clock_getcpuclockid(pid, &p->clock) != 0)
		give_up(program, "no such process");
}

static long
whole_number(const char *text, long least)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < least)
		give_up(text, "not a whole number, or too small");
	return n;
}

static void
watch_all(struct bench *b, const char *program, const char *pid)
{
	char path[64], children[1024] = "", *at = children, *end;
	long child;
	FILE *f;

	watch(b, program, (int)whole_number(pid, 1));
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", whole_number(pid, 1),
		whole_number(pid, 1));
	f = fopen(path, "re");
	if (!f)
		give_up(path, strerror(errno));
	if (!fgets(children, sizeof children, f))
		children[0] = '\0'; /* a program of one process */
	fclose(f);
	for (; child = strtol(at, &end, 10), end != at; at = end)
		watch(b, program, (int)child);
}

/* --- operations ------------------------------------------------------------------------------- */

static void
dial(struct op *o)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(kinds[o->kind].port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;

	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (o->fd < 0 || connect(o->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
		setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		give_up(kinds[o->kind].name, strerror(errno));
}

static void
hang_up(struct op *o)
{
	close(o->fd);
	o->fd = -1;
}

static struct lk_result
take_any(void *ctx, const struct lk_certs *server, struct lk_err *e)
{
	(void)ctx;
	(void)server;
	(void)e;
	return LK_OK;
}

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	(void)ctx;
	return lk_key_ephemeral(LK_KEY_P256, ret, e);
}

static void
pledge_request(struct bench *b, const struct device *d, struct lk_buf *out)
{
	struct lk_slice registrar = lk_cert_der(b->registrar.v[0]);
	struct lk_voucher_request_leaves leaf = { .assertion = LK_ASSERTION_PROXIMITY,
		.present = 1u << LK_REQUEST_ASSERTION | 1u << LK_REQUEST_NONCE |
			   1u << LK_REQUEST_SERIAL_NUMBER |
			   1u << LK_REQUEST_PROXIMITY_REGISTRAR_CERT,
		.proximity_registrar_cert = {
			(uint8_t *)(uintptr_t)registrar.p, registrar.n, 0, registrar.n } };
	uint8_t nonce[16];

	lk_random_fill(&lk_random_system, nonce, sizeof nonce);
	lk_hex(LK_SLICE_ARRAY(nonce), leaf.nonce);
	must(lk_slice_to_str(lk_slice_str(d->serial), "serial number", leaf.serial_number,
		sizeof leaf.serial_number, e));
	must(lk_pledge_request_build(&leaf, d->idevid_key, &d->idevid, out, e));
}

static void
registrar_request(struct bench *b, const struct device *d, struct lk_buf *out)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_PLEDGE_REQUEST_MAX);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *request = NULL;
	struct lk_pledge_request_want want = { d->idevid.v[0], b->registrar.v[0] };
	struct lk_verified_pledge_request verified;
	struct lk_voucher_request_leaves leaf = { 0 };

	pledge_request(b, d, &prior);
	must(lk_voucher_request_parse(lk_buf_slice(&prior), &request, e));
	must(lk_pledge_request_check(request, &want, &verified, e));
	must(lk_registrar_request_leaves(&verified, time(NULL), &leaf, e));
	must(lk_registrar_request_build(&leaf, b->registrar_key, &b->registrar, out, e));
	lk_voucher_request_leaves_done(&leaf);
}

static void
start(struct bench *b, enum kind kind, struct device *d, struct op *o)
{
	struct lk_pledge_settings pledge = { .idevid = &d->idevid,
		.idevid_key = d->idevid_key,
		.manufacturer = b->manufacturer,
		.times = LK_TIMES_IGNORE,
		.accept_nonceless = true,
		.accept_assertions = (1u << LK_ASSERTION_COUNT) - 1,
		.random = &lk_random_system,
		.new_key = new_key };
	struct lk_channel_settings channel = { .own = d->ldevid,
		.own_chain = &d->ca,
		.own_key = d->key,
		.host = "localhost",
		.judge = take_any };

	*o = (struct op){
		.kind = kind, .device = d, .fd = -1, .body = LK_BUF_INIT(LK_REGISTRAR_REQUEST_MAX)
	};
	if (kind == MASA_VOUCHER) {
		registrar_request(b, d, &o->body);
		channel.own = b->registrar.v[0];
		channel.own_chain = &b->registrar;
		channel.own_key = b->registrar_key;
	}
	o->start_ns = mono_ns();
	if (kind == BRSKI_ONBOARD) {
		must(lk_engine_new(&pledge, "localhost", &o->engine, e));
		return;
	}
	dial(o);
	must(lk_channel_new(&channel, &o->channel, e));
}

static void
ask(struct op *o)
{
	static const struct lk_http1_request requests[KIND_COUNT] = {
		[TLS_MUTUAL] = { .method = "GET", .target = "/.well-known/est/cacerts" },
		[PEER] = { .method = "GET", .target = "/cacerts" },
		[MASA_VOUCHER] = { .method = "POST",
			.target = "/.well-known/brski/requestvoucher",
			.content_type = "application/voucher-cms+json" },
		[EST_ENROLL] = { .method = "POST",
			.target = "/.well-known/est/simplereenroll",
			.content_type = "application/pkcs10" },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf csr = LK_BUF_INIT(LK_CSR_MAX);
	struct lk_http1_request r = requests[o->kind];
	uint8_t binding[LK_TLS_BINDING_MAX];
	size_t n;

	if (o->kind == EST_ENROLL) {
		struct lk_csr_spec spec = { .renewed = o->device->ldevid };

		must(lk_channel_binding(o->channel, binding, &n, e));
		spec.binding = lk_slice(binding, n);
		must(lk_key_ephemeral(LK_KEY_P256, &o->new_key, e));
		must(lk_csr_build(&spec, o->new_key, &csr, e));
		must(lk_base64_encode(lk_buf_slice(&csr), &o->body, e));
	}
	r.body = lk_buf_slice(&o->body);
	must(lk_channel_request(o->channel, &r, e));
	o->asked = true;
}

/* The new certificate is the one that is shown from now on. */
static void
take_renewed(struct op *o, struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs got = { .n = 0 };
	struct device *d = o->device;

	must(lk_base64_decode(body, LK_BASE64_WHITESPACE, &der, e));
	must(lk_certs_parse_pkcs7(lk_buf_slice(&der), &got, e));
	if (!lk_slice_eq(lk_cert_spki(got.v[0]), lk_key_spki(o->new_key)))
		give_up("est-enroll", "the certificate is for another key");
	lk_cert_free(d->ldevid);
	d->ldevid = lk_cert_ref(got.v[0]);
	lk_key_free(d->key);
	d->key = LK_TAKE(o->new_key);
}

static void
take_credentials(struct op *o)
{
	const struct lk_pledge *p = lk_engine_pledge(o->engine);
	struct lk_pledge_credentials got;
	struct device *d = o->device;

	if (lk_pledge_state(p) != LK_PLEDGE_ONBOARDED)
		give_up(d->serial, lk_pledge_error(p)->msg);
	must(lk_pledge_credentials(p, &got, e));
	d->key = lk_key_ref((struct lk_key *)(uintptr_t)got.key);
	d->ldevid = lk_cert_ref((struct lk_cert *)(uintptr_t)got.ldevid);
	lk_certs_copy(got.ca, &d->ca);
}

static void
send_all(struct op *o, struct lk_slice out)
{
	while (out.n) {
		ssize_t n = send(o->fd, out.p, out.n, MSG_NOSIGNAL);

		if (n < 0)
			give_up(kinds[o->kind].name, strerror(errno));
		out = lk_slice(out.p + n, out.n - (size_t)n);
	}
}

/* Whether the operation is done. */
static bool
drive_engine(struct op *o)
{
	for (;;) {
		struct lk_slice out;

		switch (lk_engine_next(o->engine, time(NULL), mono_ms())) {
		case LK_ENGINE_CONNECT:
			dial(o);
			lk_engine_connected(o->engine, mono_ms());
			break;
		case LK_ENGINE_CLOSE:
			hang_up(o);
			break;
		case LK_ENGINE_WAIT:
			out = lk_engine_output(o->engine);
			if (!out.n)
				return false;
			send_all(o, out);
			lk_engine_sent(o->engine, out.n);
			break;
		case LK_ENGINE_END:
			take_credentials(o);
			return true;
		}
	}
}

static bool
drive_channel(struct op *o)
{
	const struct lk_http1 *h;
	struct lk_slice out;

	if (!o->asked && lk_channel_is_up(o->channel))
		ask(o);
	out = lk_channel_output(o->channel);
	if (out.n) {
		send_all(o, out);
		lk_channel_sent(o->channel, out.n);
	}
	h = lk_channel_response(o->channel);
	if (!h)
		return false;
	if (h->status != 200)
		give_up(kinds[o->kind].name, lk_buf_str(&h->body));
	if (o->kind == EST_ENROLL)
		take_renewed(o, lk_buf_slice(&h->body));
	hang_up(o);
	return true;
}

static void
receive(struct op *o)
{
	uint8_t chunk[16 * 1024];
	ssize_t n = recv(o->fd, chunk, sizeof chunk, MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		give_up(kinds[o->kind].name, strerror(errno));
	if (n < 0)
		return;
	if (o->engine && n == 0)
		lk_engine_closed(o->engine, NULL, time(NULL), mono_ms());
	else if (o->engine)
		lk_engine_feed(o->engine, lk_slice(chunk, (size_t)n), time(NULL), mono_ms());
	else if (n == 0)
		give_up(kinds[o->kind].name, "the server closed the connection");
	else
		must(lk_channel_feed(o->channel, lk_slice(chunk, (size_t)n), e));
}

static void
finish(struct op *o, struct result *r)
{
	r->latency_ms[r->n++] = (double)(mono_ns() - o->start_ns) / NS_PER_MS;
	o->engine = lk_engine_free(o->engine);
	o->channel = lk_channel_free(o->channel);
	o->new_key = lk_key_free(o->new_key);
	lk_buf_done(&o->body);
}

/* --- one turn: the same kind for some devices ------------------------------------------------- */

static int
patience_ms(const struct op *o)
{
	int64_t left = o->engine ? lk_engine_deadline(o->engine) - mono_ms() : 10000;

	return (int)(left < 0 ? 0 : left < 10000 ? left : 10000);
}

static void
run_ops(struct bench *b, enum kind kind, struct device *d, unsigned n)
{
	struct op ops[WIDTH] = { 0 };
	struct pollfd fds[WIDTH];
	unsigned begun = 0, done = 0, i;

	while (done < n) {
		int wait_ms = 10000;

		for (i = 0; i < WIDTH; i++) {
			struct op *o = &ops[i];

			while ((o->engine || o->channel) &&
				(o->engine ? drive_engine(o) : drive_channel(o))) {
				finish(o, &b->result[kind]);
				done++;
			}
			if (!o->engine && !o->channel && begun < n) {
				start(b, kind, &d[begun++], o);
				wait_ms = 0;
			}
			fds[i] = (struct pollfd){ .fd = o->engine || o->channel ? o->fd : -1,
				.events = POLLIN };
			if ((o->engine || o->channel) && patience_ms(o) < wait_ms)
				wait_ms = patience_ms(o);
		}
		if (done < n && poll(fds, WIDTH, wait_ms) < 0)
			give_up("poll", strerror(errno));
		for (i = 0; i < WIDTH; i++)
			if (done < n && fds[i].revents)
				receive(&ops[i]);
	}
}

static void
measure(struct bench *b, enum kind kind, struct device *d, unsigned n)
{
	struct result *r = &b->result[kind];
	int64_t begin;
	size_t i;

	for (i = 0; i < b->n_processes; i++)
		b->process[i].begin_ns = read_clock(b->process[i].clock);
	begin = mono_ns();
	run_ops(b, kind, d, n);
	r->wall_ns += (double)(mono_ns() - begin);
	for (i = 0; i < b->n_processes; i++)
		r->cpu_ns[i] += (double)(read_clock(b->process[i].clock) - b->process[i].begin_ns);
}

static void
measure_units(struct bench *b, const struct device *d)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf csr = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf cms = LK_BUF_INIT(LK_PLEDGE_REQUEST_MAX);
	struct lk_csr_spec spec = { .renewed = d->ldevid };
	struct unit_samples samples = { .cert = d->ldevid };

	must(lk_csr_build(&spec, d->key, &csr, e));
	pledge_request(b, d, &cms);
	samples.csr = lk_buf_slice(&csr);
	samples.cms = lk_buf_slice(&cms);
	unit_cost_add(&samples, UNIT_TIMES, b->unit_ns);
	b->unit_n += UNIT_TIMES;
}

static unsigned
sent_certs(const struct lk_certs *chain, struct lk_cert *own)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs path = { .n = 0 };

	must(lk_chain_order(own, chain, &path, e));
	return (unsigned)(path.n - lk_cert_is_self_signed(path.v[path.n - 1]));
}

/* Each certificate that a client sends is decoded once. */
static void
count_decodings(struct bench *b)
{
	const struct device *d = &b->devices[0];
	unsigned ldevid = sent_certs(&d->ca, d->ldevid);
	unsigned idevid = sent_certs(&d->idevid, d->idevid.v[0]);

	kinds[TLS_MUTUAL].floor[UNIT_D2I_X509] = ldevid;
	kinds[PEER].floor[UNIT_D2I_X509] = ldevid;
	kinds[EST_ENROLL].floor[UNIT_D2I_X509] = ldevid;
	kinds[BRSKI_ONBOARD].floor[UNIT_D2I_X509] = ldevid + idevid;
	kinds[MASA_VOUCHER].floor[UNIT_D2I_X509] = sent_certs(&b->registrar, b->registrar.v[0]);
}

/* --- the report ------------------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* CPU of one operation in process i; none where the process has no part in it. */
static double
cpu_ms_of(const struct bench *b, enum kind kind, size_t i)
{
	const struct result *r = &b->result[kind];

	if (!strstr(kinds[kind].programs, b->process[i].program))
		return 0;
	return r->cpu_ns[i] / NS_PER_MS / r->n;
}

static double
cpu_ms(const struct bench *b, enum kind kind)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < b->n_processes; i++)
		sum += cpu_ms_of(b, kind, i);
	return sum;
}

/* The processes of one role together. */
static json_t *
by_role(const struct bench *b, enum kind kind)
{
	json_t *out = json_object();
	size_t i;

	for (i = 0; i < b->n_processes; i++) {
		const char *role = b->process[i].role;
		double ms = cpu_ms_of(b, kind, i);

		if (ms > 0)
			json_object_set_new(out, role,
				json_real(ms + json_number_value(json_object_get(out, role))));
	}
	return out;
}

static double
floor_ms(const struct bench *b, enum kind kind, json_t *terms)
{
	double sum = 0;
	size_t u;

	for (u = 0; u < UNIT_COUNT; u++) {
		double each = (double)b->unit_ns[u] / NS_PER_MS / b->unit_n;
		unsigned n = kinds[kind].floor[u];

		if (n)
			json_object_set_new(terms, unit_names[u],
				json_pack("{s:i,s:f}", "times", n, "ms", each));
		sum += n * each;
	}
	return sum;
}

static json_t *
report(struct bench *b, enum kind kind)
{
	struct result *r = &b->result[kind];
	double cpu = cpu_ms(b, kind), peer = cpu_ms(b, PEER) * kinds[kind].connections;
	json_t *terms = json_object(), *roles = by_role(b, kind), *ms;
	double least = floor_ms(b, kind, terms), p50, p99, rate = r->n / (r->wall_ns / 1e9);
	const char *role;

	qsort(r->latency_ms, r->n, sizeof *r->latency_ms, by_size);
	p50 = r->latency_ms[r->n / 2];
	p99 = r->latency_ms[r->n * 99 / 100];
	printf("%-14s %6u %8.0f %9.3f %9.3f %7.2f %9.3f %7.2f %8.1f %8.1f  ", kinds[kind].name,
		r->n, rate, cpu, least, cpu / least, peer, cpu / peer, p50, p99);
	json_object_foreach (roles, role, ms)
		if (json_number_value(ms) >= 0.005)
			printf(" %s %.3f", role, json_number_value(ms));
	putchar('\n');
	return json_pack("{s:s,s:f,s:f,s:o,s:f,s:f,s:o,s:f,s:f,s:f,s:f}", "name", kinds[kind].name,
		"ops_per_s", rate, "cpu_ms_per_op", cpu, "cpu_ms_by_role", roles, "peer_ms_per_op",
		peer, "floor_ms_per_op", least, "floor_terms", terms, "ratio_floor", cpu / least,
		"ratio_peer", cpu / peer, "p50_ms", p50, "p99_ms", p99);
}

static void
print_units(const struct bench *b)
{
	size_t u;

	printf("unit costs, microseconds of CPU:");
	for (u = 0; u < UNIT_COUNT; u++)
		printf(" %s %.1f", unit_names[u], (double)b->unit_ns[u] / 1e3 / b->unit_n);
	putchar('\n');
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void
read_certs(const struct bench *b, const char *name, struct lk_certs *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(64 * 1024);
	char path[PATH_MAX];

	must(lk_path_join(b->folder, name, path, sizeof path, e));
	must(lk_file_read(path, &text, e));
	must(lk_certs_parse_any(lk_buf_slice(&text), ret, e));
}

static void
read_key(const struct bench *b, const char *name, struct lk_key **ret)
{
	char uri[LK_KEY_URI_MAX];

	snprintf(uri, sizeof uri, "file:%.300s/%s", b->folder, name);
	must(lk_key_load(uri, ret, e));
}

static void
read_all(struct bench *b)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs root = { .n = 0 };
	char name[96];
	unsigned i;

	read_certs(b, "maker/pki/manufacturer-root.pem", &root);
	must(lk_anchors_new(&root, &b->manufacturer, e));
	read_certs(b, "site/pki/registrar.pem", &b->registrar);
	read_key(b, "noc-state/signer/registrar.key", &b->registrar_key);
	b->devices = calloc(b->n_devices, sizeof *b->devices);
	for (i = 0; i < b->n_devices; i++) {
		struct device *d = &b->devices[i];

		snprintf(name, sizeof name, "devices/%u/bootstrap/idevid.pem", b->first + i);
		read_certs(b, name, &d->idevid);
		snprintf(name, sizeof name, "devices/%u/bootstrap/idevid.key", b->first + i);
		read_key(b, name, &d->idevid_key);
		lk_cert_subject(d->idevid.v[0], LK_OID_SERIAL_NUMBER, d->serial);
	}
}

/* Devices come in ROUNDS parts; each part is onboarded first, and then does the other things. */
static void
run(struct bench *b, unsigned rounds)
{
	static const enum kind order[] = { BRSKI_ONBOARD, PEER, TLS_MUTUAL, EST_ENROLL,
		MASA_VOUCHER };
	unsigned part = b->n_devices / rounds, round;
	size_t i;

	for (i = 0; i < KIND_COUNT; i++)
		b->result[i].latency_ms = calloc(b->n_devices, sizeof(double));
	for (round = 0; round < rounds; round++) {
		struct device *d = b->devices + round * part;

		for (i = 0; i < LK_ARRAY_LEN(order); i++) {
			measure(b, order[i], d, part);
			measure_units(b, d);
		}
	}
}

int
main(int argc, char **argv)
{
	static struct bench b;
	json_t *list = json_array();
	unsigned kind;

	if (argc != 9)
		give_up("usage",
			"bench FIRST DEVICES ROUNDS FOLDER NOC-PID MASA-PID NGINX-PID OUT");
	b.first = (unsigned)whole_number(argv[1], 0);
	b.n_devices = (unsigned)whole_number(argv[2], 1);
	snprintf(b.folder, sizeof b.folder, "%s", argv[4]);
	read_all(&b);
	watch_all(&b, "noc", argv[5]);
	watch_all(&b, "masa", argv[6]);
	watch_all(&b, "nginx", argv[7]);
	run(&b, (unsigned)whole_number(argv[3], 1));
	count_decodings(&b);
	print_units(&b);
	printf("%-14s %6s %8s %9s %9s %7s %9s %7s %8s %8s   CPU ms by role\n", "operation", "n",
		"per s", "CPU ms", "floor ms", "x floor", "nginx ms", "x nginx", "p50 ms",
		"p99 ms");
	for (kind = 0; kind < KIND_COUNT; kind++)
		json_array_append_new(list, report(&b, (enum kind)kind));
	if (json_dump_file(list, argv[8], JSON_INDENT(2) | JSON_REAL_PRECISION(4)) != 0)
		give_up(argv[8], "cannot be written");
	json_decref(list);
	return 0;
}
