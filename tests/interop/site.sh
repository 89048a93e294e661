#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A manufacturer and a site of the real programs in the namespaces of lab.sh, for
# tests that let other people's programs speak with them. Source this file.
#
#	need TOOL...             skip the test unless root and all of them are here
#	site_up PREFIX N         the lab, a manufacturer, its MASA, a registrar
#	device_new I SERIAL      make device I: its state folder is $W/devI
#	sell SITE SERIAL         tell the MASA whose it is
#	onboard I                the agent, once, without 802.1X
#	check WHAT yes|no CMD... CMD succeeds, or it does not
#
# All files are below $W; $FRONT is the registrar as devices see it.

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/netns/lab.sh
. "$HERE/../netns/lab.sh"

PROGRAMS=$1	# the build's folder src
FAILED=0

skip()
{
	echo "skipped: $*"
	exit 77
}

need()
{
	local tool

	((EUID == 0)) || skip "needs root for network namespaces"
	for tool in ip "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	unshare --net true 2>/dev/null || skip "network namespaces cannot be made"
}

check()
{
	local what=$1 want=$2 outcome=no

	shift 2
	"$@" >"$W/out" 2>&1 && outcome=yes
	if [[ $outcome == "$want" ]]; then
		echo "ok: $what: $outcome"
	else
		echo "FAILED: $what: $outcome, want $want"
		sed 's/^/    /' "$W/out" | head -20
		FAILED=1
	fi
}

# The last lines of all logs, once something failed; then the test's own end.
finish()
{
	local log

	if ((FAILED)); then
		for log in "$LAB_DIR"/*.log; do
			echo "--- ${log##*/}"
			tail -n 15 "$log"
		done
	fi
	exit "$FAILED"
}

factory()
{
	local command=$1

	shift
	# `ca init` and `device new` are two words, the rest one.
	case $command in
	ca | device) set -- "$command" "$1" --dir "$W/maker" "${@:2}" ;;
	*) set -- "$command" --dir "$W/maker" "$@" ;;
	esac
	lab_exec mfr "$PROGRAMS/factory/latchkey-factory" "$@"
}

operate()
{
	local site=$1

	shift
	"$PROGRAMS/cli/latchkey" "$@" --socket "$W/$site-run/api.sock"
}

must()
{
	"$@" >"$W/out" 2>&1 && return
	echo "FAILED: $*"
	cat "$W/out"
	FAILED=1
	finish
}

# registrar_up SITE ADDRESS:PORT [LINES OF CONFIGURATION...]
registrar_up()
{
	local site=$1 listen=$2

	shift 2
	must "$PROGRAMS/cli/latchkey" init --name "$site" --dir "$W/$site" --state-dir "$W/$site-state" \
		--runtime-dir "$W/$site-run" --registrar-name "registrar.$site.example" --listen "$listen"
	mkdir -p "$W/$site/latchkeyd.conf.d"
	printf '%s\n' '[masa]' "egress_allow = $LAB_MASA/32" '[process]' 'cage_explain = yes' "$@" \
		>"$W/$site/latchkeyd.conf.d/test.conf"
	must lab_spawn site "$site" "$PROGRAMS/noc/latchkeyd" --config "$W/$site/latchkeyd.conf"
	must lab_wait_for -t 20 grep -q 'supervisor ready' "$(lab_log "$site")"
	must operate "$site" manufacturer add --name maker --unknown-devices allow \
		"$W/maker/masa/pki/manufacturer-root.pem"
}

# site_up PREFIX N [LINES OF CONFIGURATION...]
site_up()
{
	local prefix=$1 n=$2

	shift 2
	lab_trap
	lab_up "$prefix" "$n" || exit 1
	W=$LAB_DIR/w
	mkdir -m 0755 "$W"
	must factory ca init --name Maker --masa-url masa.maker.example:9443
	must lab_spawn mfr masa "$PROGRAMS/masa/latchkey-masa" --config "$W/maker/masa/masa.conf" \
		--state-dir "$W/masa-state" --runtime-dir "$W/masa-run"
	must lab_wait_for -t 20 grep -q 'supervisor ready' "$(lab_log masa)"
	FRONT="[$LAB_JOIN%eth0]:8443"
	# Not every client knows link-local addresses: the IPv4 one has a name.
	lab_host "$LAB_ROUTER" registrar.home.example
	registrar_up home "[$LAB_JOIN%br-dev]:8443, $LAB_ROUTER:8443" "$@"
}

device_new()
{
	must factory device new --serial "$2" --model lamp --out "$W/dev$1"
	must factory push
}

sell()
{
	must factory sell --owner "$1" --domain-ca "$W/$1/pki/root.pem" --serial "$2"
}

# onboard I [OPTIONS OF THE AGENT...]
onboard()
{
	local i=$1

	shift
	lab_exec "dev$i" timeout 60 "$PROGRAMS/agent/latchkey-agent" --state-dir "$W/dev$i" \
		--interface eth0 --supplicant "" --once "$@" run
}
