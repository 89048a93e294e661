#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A small internet and one site with N device ports, in network namespaces.
# Source this file; `make demo` does so with the prefix lkdemo, the scenario
# tests each with another one, so that they can run side by side. Needs root,
# iproute2 and util-linux. Nothing of it is seen outside of its namespaces:
# no interface in the machine's own namespace, no /etc/hosts or /etc/netns
# entry, no firewall table; all files are below $LAB_DIR. Namespaces are named
# by their role: P-mfr is `mfr` in the calls below.
#
#	   P-mfr                    P-app
#	   203.0.113.10             203.0.113.20
#	   masa.maker.example       app.example
#	        | eth0                   | eth0
#	      --+------------------------+--  br-wan in P-wan, 203.0.113.0/24
#	                    |
#	                    | wan, 203.0.113.2
#	                 P-site   the router: forwards, no address translation
#	                    | br-dev, 192.0.2.1/24 and fe80::1,
#	                    |         ports isolated, proxy_arp_pvlan
#	        +-----------+-----------+
#	      port1       port2  ...  portN
#	        | eth0      | eth0      | eth0     no IPv4 address: DHCP is theirs
#	     P-dev1      P-dev2  ...  P-devN
#
#	lab_up PREFIX N          build it (what a dead run left is removed first)
#	lab_down [PREFIX]        end every process in it, remove everything
#	lab_trap                 lab_down at exit, on INT, TERM and HUP too
#	lab_guard ARG...         as the script's first step, with its arguments: no interrupt is lost
#	lab_exec NS CMD...       run in a namespace, with the lab's names
#	lab_spawn NS NAME CMD... the same in the background, under a name
#	lab_alive NAME           is it still running?
#	lab_kill NAME            end it: TERM, after 3 s KILL
#	lab_pid, lab_log NAME    its process id, its log file
#	lab_wait_for [-t S] CMD  poll until CMD succeeds, 10 s unless told
#	lab_mac I                MAC address of device I, the same in every run
#	lab_host ADDRESS NAME... one more name, for commands started from now on

# State of the current lab. LAB_KEEP=1 leaves $LAB_DIR with its logs.
LAB_PREFIX=
LAB_N=0
LAB_DIR=
LAB_ROOT=${LAB_ROOT:-/run}
LAB_KEEP=${LAB_KEEP:-}

# Constants of the topology; the device network is set by lab_up. Unused here.
# shellcheck disable=SC2034
{
	LAB_MASA=203.0.113.10
	LAB_APP=203.0.113.20
	LAB_UPLINK=203.0.113.2
	LAB_JOIN=fe80::1
	LAB_ROUTER=192.0.2.1
	LAB_NET=192.0.2.0
	LAB_PLEN=24
}

lab_die()
{
	echo "lab: $*" >&2
	return 1
}

lab_set()
{
	[[ $1 =~ ^[a-z][a-z0-9]{0,9}$ ]] || { lab_die "bad prefix '$1'"; return 1; }
	LAB_PREFIX=$1
	LAB_DIR=$LAB_ROOT/latchkey-lab-$1
}

# All namespaces of a prefix, whatever state they are in.
lab_namespaces()
{
	local f

	for f in /run/netns/"$1"-*; do
		f=${f##*/}
		[[ $f =~ ^"$1"-(wan|mfr|app|site|dev[0-9]+)$ ]] && echo "$f"
	done
	return 0
}

# Start time of a process, as LAB_START: with its id it names the process for good.
lab_start_time()
{
	local stat

	LAB_START=
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# The name in parentheses may hold anything: count from behind it.
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	[[ $1 != Z ]] && LAB_START=${20}
}

# Is the process of this "id start-time" file still there? A reused id is not.
lab_file_alive()
{
	local pid start

	{ read -r pid start <"$1"; } 2>/dev/null || return 1
	lab_start_time "$pid" && [[ $LAB_START == "$start" ]]
}

lab_mac()
{
	local h

	h=$(echo "latchkey $LAB_PREFIX $1" | sha256sum)
	echo "02:${h:0:2}:${h:2:2}:${h:4:2}:${h:6:2}:${h:8:2}"
}

lab_host()
{
	local addr=$1

	shift
	echo "$addr $*" >>"$LAB_DIR/hosts"
}

# LAB_NOW: milliseconds that only move forward. Without starting a process, as all that
# lab_wait_for calls in its loop.
lab_now()
{
	local up

	read -r up _ </proc/uptime
	up=${up/./}
	LAB_NOW=$((10#$up * 10))
}

lab_wait_for()
{
	local limit=10 end

	if [[ $1 == -t ]]; then
		limit=$2
		shift 2
	fi
	lab_now
	end=$((LAB_NOW + limit * 1000))
	until "$@" >/dev/null 2>&1; do
		lab_now
		if ((LAB_NOW >= end)); then
			lab_die "not within $limit s: $*"
			return 1
		fi
		sleep 0.02
	done
}

# `ip netns exec` gives the command a mount namespace of its own: the lab's
# names are bound over /etc/hosts there, and go with the process.
# shellcheck disable=SC2016
LAB_ENTER='
	mount --bind "$1/hosts" /etc/hosts &&
	{ ! test -e /etc/resolv.conf || mount --bind "$1/resolv.conf" /etc/resolv.conf; } || exit 126
	shift
	exec "$@"'

lab_exec()
{
	local ns=$LAB_PREFIX-$1

	shift
	ip netns exec "$ns" sh -c "$LAB_ENTER" lab "$LAB_DIR" "$@"
}

# A session of its own: an interrupt at the terminal ends the script, and then
# the script ends its processes. The process writes its id itself, because
# setsid may or may not fork.
lab_spawn()
{
	local ns=$1 name=$2 pidfile=$LAB_DIR/$2.pid

	shift 2
	if lab_alive "$name"; then
		lab_die "$name is already running"
		return 1
	fi
	rm -f "$pidfile"
	# shellcheck disable=SC2016
	lab_exec "$ns" setsid sh -c '
		echo $$ "$(cut -d" " -f22 /proc/$$/stat)" >"$1.new" && mv "$1.new" "$1" || exit 126
		shift
		exec "$@"' lab "$pidfile" "$@" </dev/null >>"$LAB_DIR/$name.log" 2>&1 &
	disown $!
	lab_wait_for -t 5 test -s "$pidfile"
}

lab_alive()
{
	lab_file_alive "$LAB_DIR/$1.pid"
}

lab_pid()
{
	local pid

	read -r pid _ <"$LAB_DIR/$1.pid" && echo "$pid"
}

lab_log()
{
	echo "$LAB_DIR/$1.log"
}

lab_kill()
{
	local pid

	if lab_alive "$1"; then
		pid=$(lab_pid "$1")
		kill "$pid" 2>/dev/null
		if ! lab_wait_for -t 3 lab_gone "$1" 2>/dev/null; then
			kill -KILL "$pid" 2>/dev/null
			lab_wait_for -t 3 lab_gone "$1"
		fi
	fi
	rm -f "$LAB_DIR/$1.pid"
}

lab_gone()
{
	! lab_alive "$1"
}

# Every process in the namespaces is ours, recorded or not: who has forked
# away from its record is found here.
lab_pids()
{
	local ns

	for ns in $(lab_namespaces "$1"); do
		ip netns pids "$ns" 2>/dev/null
	done
}

lab_no_pids()
{
	[[ -z $(lab_pids "$1") ]]
}

lab_end_processes()
{
	local pids

	pids=$(lab_pids "$1")
	[[ -z $pids ]] && return
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null
	lab_wait_for -t 3 lab_no_pids "$1" 2>/dev/null && return
	pids=$(lab_pids "$1")
	# shellcheck disable=SC2086
	kill -KILL $pids 2>/dev/null
	lab_wait_for -t 3 lab_no_pids "$1"
}

# Goes by names and not by memory: also for a lab that is half built, or that
# another shell has built, and a second time.
lab_down()
{
	local ns

	if [[ -n ${1:-} ]]; then
		lab_set "$1" || return
	fi
	[[ -z $LAB_PREFIX ]] && return 0
	lab_end_processes "$LAB_PREFIX"
	# Its interfaces go with a namespace, and so do their other ends.
	for ns in $(lab_namespaces "$LAB_PREFIX"); do
		echo "netns del $ns"
	done | ip -force -batch - >/dev/null 2>&1
	if [[ -n $(lab_namespaces "$LAB_PREFIX") ]]; then
		lab_die "cannot remove: $(lab_namespaces "$LAB_PREFIX" | tr '\n' ' ')"
		return 1
	fi
	if [[ -n $LAB_KEEP ]]; then
		rm -f "$LAB_DIR"/*.pid "$LAB_DIR/owner"
	else
		rm -rf "$LAB_DIR"
	fi
}

# An end by a signal goes through exit, so that lab_down runs once; further
# signals do not stop it.
lab_trap()
{
	trap 'trap "" INT TERM HUP; lab_down' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# bash 5.2 now and then loses a SIGINT that comes while it waits for a command substitution, or
# aborts, and the script goes on with whatever that command should have said. So the script runs
# a second time, in the background, where a SIGINT is ignored by all that it starts; here is only a
# wait, which loses none, passes every signal on as TERM, and clears up after a script that could not.
lab_guard()
{
	local child='' ended='' status owner owned

	[[ -z ${LAB_GUARDED:-} ]] || return 0
	trap 'ended=1; [[ -z $child ]] || kill -TERM "$child" 2>/dev/null' INT TERM HUP
	LAB_GUARDED=1 "$0" "$@" &
	child=$!
	[[ -z $ended ]] || kill -TERM "$child" 2>/dev/null
	until wait "$child"; status=$?; ((status <= 128)) || ! kill -0 "$child" 2>/dev/null; do :; done
	trap '' INT TERM HUP
	# Its own lab_down has removed this file, unless it died without.
	for owner in "$LAB_ROOT"/latchkey-lab-*/owner; do
		read -r owned _ <"$owner" && [[ $owned == "$child" ]] || continue
		owner=${owner%/owner}
		lab_down "${owner##*/latchkey-lab-}"
	done 2>/dev/null
	[[ -z $ended ]] || exit 130
	exit "$status"
}

lab_up()
{
	lab_set "$1" || return
	if ! [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || (($2 > 1000)); then
		lab_die "1 to 1000 devices, not '$2'"
		return 1
	fi
	LAB_N=$2
	if lab_file_alive "$LAB_DIR/owner"; then
		lab_die "$1 is in use by process $(cut -d' ' -f1 "$LAB_DIR/owner")"
		# Not ours: the lab_down of lab_trap must not take it away.
		LAB_PREFIX=
		return 1
	fi
	LAB_KEEP='' lab_down "$1" || return
	mkdir -m 0755 "$LAB_DIR" || return
	lab_start_time $$
	echo "$$ $LAB_START" >"$LAB_DIR/owner"
	# shellcheck disable=SC2034
	if ((LAB_N > 200)); then
		LAB_ROUTER=198.18.0.1
		LAB_NET=198.18.0.0
		LAB_PLEN=20
	else
		LAB_ROUTER=192.0.2.1
		LAB_NET=192.0.2.0
		LAB_PLEN=24
	fi
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' \
		"$LAB_MASA masa.maker.example" "$LAB_APP app.example" >"$LAB_DIR/hosts"
	# Whoever asks the DNS here gets its answer, a refusal, at once.
	printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:1 attempts:1' >"$LAB_DIR/resolv.conf"

	lab_links | ip -batch - || return
	lab_wan && lab_site && lab_devices
}

# Namespaces, and the pairs, made where they belong and never in the machine's.
lab_links()
{
	local p=$LAB_PREFIX i

	for i in wan mfr app site; do
		echo "netns add $p-$i"
	done
	for ((i = 1; i <= LAB_N; i++)); do
		echo "netns add $p-dev$i"
	done
	echo "link add mfr netns $p-wan type veth peer name eth0 netns $p-mfr"
	echo "link add app netns $p-wan type veth peer name eth0 netns $p-app"
	echo "link add site netns $p-wan type veth peer name wan netns $p-site"
	for ((i = 1; i <= LAB_N; i++)); do
		echo "link add port$i netns $p-site type veth peer name eth0" \
			"address $(lab_mac "$i") netns $p-dev$i"
	done
}

lab_wan()
{
	local p=$LAB_PREFIX host addr

	ip -n "$p-wan" -batch - <<-END || return
		link set lo up
		link add br-wan type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		link set mfr master br-wan up
		link set app master br-wan up
		link set site master br-wan up
		link set br-wan up
	END
	for host in mfr app; do
		[[ $host == mfr ]] && addr=$LAB_MASA || addr=$LAB_APP
		ip -n "$p-$host" -batch - <<-END || return
			link set lo up
			link set eth0 up
			addr add $addr/24 dev eth0
			route add $LAB_NET/$LAB_PLEN via $LAB_UPLINK
		END
	done
}

# The bridge has fe80::1 and no other link-local address; its ports have none.
# Snooping would keep neighbour discovery from a port until a querier is seen.
lab_site()
{
	local i

	{
		echo "link set lo up"
		echo "link set wan up"
		echo "addr add $LAB_UPLINK/24 dev wan"
		echo "link add br-dev type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
		echo "link set br-dev addrgenmode none"
		for ((i = 1; i <= LAB_N; i++)); do
			echo "link set port$i addrgenmode none"
			echo "link set port$i master br-dev"
			echo "link set port$i type bridge_slave isolated on"
			echo "link set port$i up"
		done
		echo "link set br-dev up"
		echo "addr add $LAB_ROUTER/$LAB_PLEN dev br-dev"
		echo "addr add $LAB_JOIN/64 dev br-dev nodad"
	} | ip -n "$LAB_PREFIX-site" -batch - || return
	# Devices do not see each other: the router answers for them, and does
	# not tell them that there were a shorter way.
	nsenter --net="/run/netns/$LAB_PREFIX-site" sysctl -qw \
		net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.br-dev.proxy_arp_pvlan=1 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.br-dev.send_redirects=0
}

# No duplicate address detection: it keeps a link-local address unusable for a
# second, and a scenario is not about that.
lab_devices()
{
	local i

	for ((i = 1; i <= LAB_N; i++)); do
		# shellcheck disable=SC2016
		nsenter --net="/run/netns/$LAB_PREFIX-dev$i" sh -c '
			echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad &&
			printf "%s\n" "link set lo up" "link set eth0 up" | ip -batch -' || return
	done
}
