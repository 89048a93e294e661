/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey-agent: the device's side. Options, commands, and the order of the steps.
 */
#include <getopt.h>
#include <ini.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"

#define DAY_MS        (24 * 3600 * INT64_C(1000))
#define JOIN_AGAIN_MS 10000 /* after a port that was refused, or a supplicant that ended */

/* Words of the command line and keys of the file's section [agent]; the command line wins. */
static const struct option_row {
	const char *name;
	size_t offset;
	const char *help;
} rows[] = {
#define ROW(name, field, help)                                       \
	{                                                            \
		name, offsetof(struct lk_agent_options, field), help \
	}
	ROW("state-dir", state_dir, "Where bootstrap/ and onboarding/ are."),
	ROW("interface", interface, "Where registrars are looked for and 802.1X is spoken."),
	ROW("registrar", registrar, "ADDRESS:PORT of the one registrar to use, without discovery."),
	ROW("supplicant", supplicant, "The wpa_supplicant program; empty: no 802.1X."),
	ROW("module", module, "Our OpenSSL module, which wpa_supplicant loads for a key in a TPM."),
	ROW("trusted-clock", trusted_clock, "yes or no: the clock is right, times are checked."),
	ROW("address-wait", address_wait, "How long to wait for an address, \"60s\"."),
#undef ROW
};

static const char **
slot(struct lk_agent_options *o, const struct option_row *row)
{
	return (const char **)(void *)((char *)o + row->offset);
}

static int
take_line(void *ctx, const char *section, const char *name, const char *value)
{
	struct lk_agent_options *o = ctx;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		if (strcmp(section, "agent") == 0 && strcmp(name, rows[i].name) == 0) {
			if (!*slot(o, &rows[i]))
				*slot(o, &rows[i]) = strdup(value); /* for the process's life */
			return 1;
		}
	fprintf(stderr, "latchkey-agent: there is no key '%s' in section [%s]\n", name, section);
	return 0;
}

static struct lk_result
read_config(const char *path, struct lk_agent_options *o, struct lk_err *e)
{
	int line = ini_parse(path, take_line, o);

	LK_REQUIRE(line >= 0, e, LK_R_FILE_MISSING, "cannot open %s", path);
	LK_REQUIRE(line == 0, e, LK_R_CONFIG_SYNTAX, "%s:%d cannot be read", path, line);
	return LK_OK;
}

static void
usage(FILE *out)
{
	size_t i;

	fputs("usage: latchkey-agent [--config FILE] [-j] [--once] [--OPTION VALUE]... "
	      "run|reset|status|renew\n",
		out);
	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		fprintf(out, "  --%-16s %s\n", rows[i].name, rows[i].help);
}

/* --- commands --------------------------------------------------------------------------------- */

static struct lk_result
open_key_socket(struct lk_agent *a, struct lk_err *e)
{
	char dir[PATH_MAX], path[PATH_MAX];

	LK_TRY(lk_path_join(a->credentials.dir, "run", dir, sizeof dir, e));
	LK_TRY(lk_dir_make(dir, 0700, e));
	LK_TRY(lk_path_join(dir, "key.sock", path, sizeof path, e));
	return lk_key_socket_new(path, a->onboarded.key, &a->key_socket, e);
}

/* Stays for signatures, renews the LDevID when it is time to, daily until it works. Success is that
 * it was told to end; without its supplicant it would lose the port unseen. */
static struct lk_result
stay(struct lk_agent *a, struct lk_supplicant *supplicant, struct lk_err *e)
{
	int64_t since_ms = lk_agent_ms(a), again_ms = 0;

	for (;;) {
		int64_t due_ms = lk_agent_renew_at(a, since_ms), day_ms = lk_agent_ms(a) + DAY_MS;
		int64_t at_ms = due_ms > again_ms ? due_ms : again_ms;

		/* A day at most: the clock may be set meanwhile. */
		if (!lk_agent_wait(a, NULL, 0, at_ms < day_ms ? at_ms : day_ms))
			return LK_OK;
		LK_REQUIRE(!lk_supplicant_ended(supplicant), e, LK_R_AGENT_SUPPLICANT, "%s ended",
			a->set.supplicant);
		if (lk_agent_ms(a) < at_ms)
			continue;
		again_ms = lk_agent_ms(a) + DAY_MS;
		if (!lk_agent_renew(a, e).ok) {
			lk_agent_tell(a, "renew", "", "failed", e);
			continue;
		}
		since_ms = lk_agent_ms(a);
		if (supplicant->pid >
			0) { /* with a key in a TPM it goes on by the reference it began with */
			lk_supplicant_stop(supplicant);
			LK_TRY(lk_agent_join(a, supplicant, e));
		}
	}
}

static struct lk_result
join_and_stay(struct lk_agent *a, struct lk_supplicant *supplicant, struct lk_err *e)
{
	for (;;) {
		bool joined = lk_agent_join(a, supplicant, e).ok;
		int64_t again_ms;

		if (joined && (a->set.once || stay(a, supplicant, e).ok))
			return LK_OK;
		lk_agent_tell(a, "join", "", "failed", e);
		lk_supplicant_stop(supplicant);
		if (a->set.once)
			return (struct lk_result){ false };
		again_ms = lk_agent_ms(a) + JOIN_AGAIN_MS;
		while (lk_agent_ms(a) < again_ms)
			if (!lk_agent_wait(a, NULL, 0, again_ms))
				return LK_OK;
	}
}

static struct lk_result
run(struct lk_agent *a, struct lk_err *e)
{
	LK_CLEANUP(lk_supplicant_stop) struct lk_supplicant supplicant = { .fd = -1 };

	if (lk_credentials_onboarded(&a->credentials))
		LK_TRY(lk_onboarded_load(&a->credentials, NULL, &a->onboarded, e));
	else
		LK_TRY(lk_agent_onboard(a, e));
	LK_TRY(open_key_socket(a, e));
	return join_and_stay(a, &supplicant, e);
}

static struct lk_result
reset(struct lk_agent *a, struct lk_err *e)
{
	/*= LC-2: reset destroys the network's credential and key, and keeps the built-in ones =*/
	LK_TRY(lk_credentials_reset(&a->credentials, e));
	lk_agent_tell(a, "reset", "", "ok", NULL);
	return LK_OK;
}

static struct lk_result
status(struct lk_agent *a, struct lk_err *e)
{
	char serial[LK_CERT_NAME_MAX], until[LK_TIME_TEXT_MAX] = "";
	bool onboarded = lk_credentials_onboarded(&a->credentials);
	const char *network = "", *device = "";
	json_auto_t *all = NULL;

	lk_cert_subject(a->credentials.idevid.v[0], LK_OID_SERIAL_NUMBER, serial);
	if (onboarded) {
		LK_TRY(lk_onboarded_load(&a->credentials, NULL, &a->onboarded, e));
		network = a->onboarded.onboarding->leaf.network;
		device = a->onboarded.onboarding->leaf.device;
		lk_time_print(lk_cert_not_after(a->onboarded.ldevid.v[0]), until);
	}
	all = json_pack("{s:i, s:s, s:b, s:s, s:s, s:s}", "schema", 1, "serial", serial,
		"onboarded", onboarded, "network", network, "device", device, "ldevid-until",
		until);
	LK_REQUIRE(all, e, LK_R_NOMEM, "no memory for a report");
	json_dumpf(all, stdout, a->set.json ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	return LK_OK;
}

static struct lk_result
renew(struct lk_agent *a, struct lk_err *e)
{
	if (a->set.registrar) {
		LK_TRY(lk_candidate_parse(a->set.registrar, &a->registrar, e));
		a->has_registrar = true;
	}
	LK_TRY(lk_onboarded_load(&a->credentials, NULL, &a->onboarded, e));
	return lk_agent_renew(a, e);
}

static const struct {
	const char *name;
	struct lk_result (*run)(struct lk_agent *a, struct lk_err *e);
	bool looks; /* and changes nothing: beside any other */
} commands[] = { { "run", run, false }, { "reset", reset, false }, { "status", status, true },
	{ "renew", renew, false } };

/* --- main ------------------------------------------------------------------------------------- */

static void
on_signal(int number)
{
	(void)number;
	lk_agent_stop();
}

/* A wait ends by it: what was waited for is looked at again, and so is the supplicant. */
static void
on_child(int number)
{
	(void)number;
}

static void
agent_done(struct lk_agent *a)
{
	lk_key_socket_free(a->key_socket);
	lk_onboarded_done(&a->onboarded);
	lk_credentials_done(&a->credentials);
}

static struct lk_result
command(const char *name, struct lk_agent_options *set, struct lk_err *e)
{
	LK_CLEANUP(agent_done)
	struct lk_agent a = { .clock = &lk_clock_system, .random = &lk_random_system };
	const struct sigaction stop = { .sa_handler = on_signal },
			       wake = { .sa_handler = on_child };
	sigset_t waited;
	LK_CLEANUP(lk_freep) char *dir = NULL;
	LK_CLEANUP(lk_closep) int lock = -1;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(commands) && strcmp(commands[i].name, name) != 0; i++)
		;
	LK_REQUIRE(i < LK_ARRAY_LEN(commands), e, LK_R_USAGE,
		"'%s' is none of run, reset, status, renew", name);
	LK_REQUIRE(set->state_dir, e, LK_R_USAGE, "--state-dir is missing");
	dir = realpath(set->state_dir, NULL); /* the supplicant gets paths below it */
	LK_REQUIRE(dir, e, LK_R_FILE_MISSING, "there is no folder %s", set->state_dir);
	set->supplicant = set->supplicant ? set->supplicant : "/sbin/wpa_supplicant";
	set->address_wait = set->address_wait ? set->address_wait : "60s";
	LK_TRY(lk_agent_check(set, e));
	a.set = *set;
	LK_TRY(lk_credentials_open(dir, a.random, &a.credentials, e));
	if (!commands[i].looks)
		LK_TRY(lk_credentials_lock(&a.credentials, &lock, e));
	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &waited, NULL); /* lk_agent_wait() takes them */
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGCHLD, &wake, NULL);
	return commands[i].run(&a, e);
}

int
main(int argc, char **argv)
{
	enum { OPT_ROWS = 256, OPT_CONFIG = 512, OPT_ONCE, OPT_VERSION };
	struct option words[LK_ARRAY_LEN(rows) + 5] = { { NULL } };
	struct lk_agent_options set = { .state_dir = NULL };
	struct lk_err e = { 0 };
	const char *config = NULL;
	size_t i;
	int c;

	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		words[i] =
			(struct option){ rows[i].name, required_argument, NULL, OPT_ROWS + (int)i };
	words[i++] = (struct option){ "config", required_argument, NULL, OPT_CONFIG };
	words[i++] = (struct option){ "once", no_argument, NULL, OPT_ONCE };
	words[i++] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
	words[i] = (struct option){ "help", no_argument, NULL, 'h' };
	while ((c = getopt_long(argc, argv, "jh", words, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (c == OPT_VERSION) {
			puts("latchkey-agent " LK_VERSION);
			return 0;
		}
		if (c == '?') {
			usage(stderr);
			return lk_reason_exit_code(LK_R_USAGE);
		}
		if (c == 'j')
			set.json = true;
		else if (c == OPT_ONCE)
			set.once = true;
		else if (c == OPT_CONFIG)
			config = optarg;
		else
			*slot(&set, &rows[c - OPT_ROWS]) = optarg;
	}
	lk_log_setup("agent", LK_LOG_INFO, LK_LOG_TEXT, &lk_clock_system);
	if (optind != argc - 1) {
		usage(stderr);
		return lk_reason_exit_code(LK_R_USAGE);
	}
	if ((!config || read_config(config, &set, &e).ok) && command(argv[optind], &set, &e).ok)
		return 0;
	lk_log_fatal(&e);
	return lk_reason_exit_code(e.reason);
}
