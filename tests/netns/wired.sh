#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A manufacturer and a wired site of the real programs in the namespaces of lab.sh: factory and
# MASA; latchkeyd, FreeRADIUS, hostapd and dnsmasq on a bridge with isolated device ports; a server
# beyond the router that logs who came. Source this file: `make demo` does, and the scenarios.
#
#	wired_tools                    true when all programs are here, else it says what is missing
#	wired_up BUILD PREFIX N        the lab with N device ports; sets $W and the programs
#	maker_up                       the manufacturer "maker" and its MASA
#	device_new I CA SERIAL [KEY]   make device I, born of CA: its state folder is $W/devI
#	site_init NAME                 the site's keys and configuration, nothing started
#	site_start [DAEMON...]         all of its daemons, or these; each is ready when this returns
#	app_up                         the server beyond the router; its log is $W/app.log
#	sell OWNER FILE SERIAL...      the MASA learns whose they are: of the domain with root FILE
#	plug I [OPTION...]             DHCP client and agent of device I, from now on
#	operate COMMAND...             the operator's latchkey
#	quiet COMMAND...               say what it said if it fails, and end
#
# FreeRADIUS reads $RADIUS_DIR. All files are below $W; nothing of the machine's own is touched.

# shellcheck source=tests/netns/lab.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lab.sh"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

quiet()
{
	local out

	out=$("$@" 2>&1) || { echo "$out" >&2; die "failed: $*"; }
}

wired_tools()
{
	local p

	for p in ip hostapd freeradius wpa_supplicant dnsmasq nginx swtpm nft udhcpc openssl; do
		command -v "$p" >/dev/null || { echo "$p is not installed"; return 1; }
	done
	ls /usr/lib/*/ossl-modules/tpm2.so >/dev/null 2>&1 ||
		{ echo "tpm2-openssl is not installed"; return 1; }
	[[ -e /usr/lib/freeradius/rlm_rest.so ]] || { echo "freeradius-rest is not installed"; return 1; }
}

wired_up()
{
	local bin

	bin=$(cd "$1" && pwd)/src
	factory=$bin/factory/latchkey-factory
	masa=$bin/masa/latchkey-masa
	latchkeyd=$bin/noc/latchkeyd
	latchkey=$bin/cli/latchkey
	agent=$bin/agent/latchkey-agent
	module=$bin/agent/latchkey.so
	lab_trap
	lab_up "$2" "$3" || exit 1
	W=$LAB_DIR/w
	mkdir -m 0700 "$W"
}

# spawn NS NAME READY COMMAND...: in the background, until the words of READY succeed
spawn()
{
	local ns=$1 name=$2 ready

	read -ra ready <<<"$3"
	shift 3
	lab_spawn "$ns" "$name" "$@" && lab_wait_for -t 20 "${ready[@]}" && return
	cat "$(lab_log "$name")" >&2
	die "$name does not start"
}

# In the log of this start: said NAME TEXT
said()
{
	tail -c "+$((${LOG_AT[$1]:-0} + 1))" "$(lab_log "$1")" | grep -q -- "$2"
}

# What NAME says from now on is what `said` looks at.
declare -A LOG_AT
listen_to()
{
	LOG_AT[$1]=$(stat -c %s "$(lab_log "$1")" 2>/dev/null)
}

# --- the manufacturer ----------------------------------------------------------------------------

maker_up()
{
	quiet "$factory" ca init --name Maker --dir "$W/maker" --masa-url masa.maker.example:9443
	spawn mfr masa "said masa supervisor.ready" "$masa" --config "$W/maker/masa/masa.conf" \
		--state-dir "$W/masa-state" --runtime-dir "$W/masa-run"
}

tpm_up()
{
	mkdir -p "$W/tpm$1"
	spawn "dev$1" "tpm$1" "test -S $W/tpm$1/sock.ctrl" swtpm socket --tpm2 \
		--tpmstate "dir=$W/tpm$1" --server "type=unixio,path=$W/tpm$1/sock" \
		--ctrl "type=unixio,path=$W/tpm$1/sock.ctrl" --flags not-need-init,startup-clear
}

# Where the keys of device I live, as the factory and the agent are told.
tcti()
{
	[[ -d $W/tpm$1 ]] && echo "swtpm:path=$W/tpm$1/sock"
	return 0
}

device_new()
{
	local i=$1 ca=$2 serial=$3 key=${4:-file}

	[[ $key == tpm2 ]] && tpm_up "$i"
	mkdir -p "$W/dev$i"
	TPM2OPENSSL_TCTI=$(tcti "$i") quiet "$factory" device new --dir "$W/$ca" --serial "$serial" \
		--model lamp --mud-url "https://maker.example/mud/lamp.json" --key "$key:" --out "$W/dev$i"
}

sell()
{
	local owner=$1 root=$2

	printf '%s\n' serial "${@:3}" >"$W/sold.csv"
	quiet lab_exec mfr "$factory" sell --dir "$W/maker" --owner "$owner" --domain-ca "$root" \
		--csv "$W/sold.csv"
}

# --- the site --------------------------------------------------------------------------------------

site_init()
{
	local ports=() i

	for ((i = 1; i <= LAB_N; i++)); do
		ports+=(--port "port$i")
	done
	quiet "$latchkey" init --name "$1" --dir "$W/site" --state-dir "$W/noc-state" \
		--runtime-dir "$W/noc-run" --registrar-name "registrar.$1.example" \
		--listen "[$LAB_JOIN%br-dev]:8443,$LAB_ROUTER:8443" --with-radius --radius-dir "$W/radius" \
		--bridge br-dev --device-network "$LAB_NET/$LAB_PLEN" "${ports[@]}"
	lab_host "$LAB_ROUTER" "registrar.$1.example"
	RADIUS_DIR=$W/radius
	mkdir -p "$W/hostapd" "$W/radius/run" "$W/site/latchkeyd.conf.d"
	sed -i "s|^ctrl_interface=.*|ctrl_interface=$W/hostapd|" "$W"/site/hostapd/*.conf
	sed -i "s|^dhcp-leasefile=.*|dhcp-leasefile=$W/leases|; s|^user=.*|user=root|" \
		"$W/site/dnsmasq.conf"
	cat >"$W/site/latchkeyd.conf.d/lab.conf" <<-END
		[network]
		applications = https=https://app.example/hello|$W/app.pem
		[front]
		announce = br-dev
		[masa]
		egress_allow = $LAB_MASA/32
		[enforcement]
		hostapd_dir = $W/hostapd
		lease_file = $W/leases
		reach = tcp:$LAB_APP:443
	END
}

site_start()
{
	local daemon ports last

	(($#)) || set -- latchkeyd radius dnsmasq hostapd
	for daemon; do
		listen_to "$daemon"
		case $daemon in
		latchkeyd)
			spawn site latchkeyd "said latchkeyd supervisor.ready" \
				"$latchkeyd" --config "$W/site/latchkeyd.conf"
			;;
		radius) spawn site radius true freeradius -f -d "$RADIUS_DIR" ;;
		dnsmasq) spawn site dnsmasq true dnsmasq -k -C "$W/site/dnsmasq.conf" ;;
		hostapd)
			# It takes one port after the other; who starts before waits half a minute.
			ports=("$W"/site/hostapd/*.conf)
			last=$(basename "${ports[-1]}" .conf)
			spawn site hostapd "test -S $W/hostapd/$last" hostapd -t "${ports[@]}"
			;;
		esac
	done
}

operate()
{
	lab_exec site "$latchkey" "$@" --socket "$W/noc-run/api.sock"
}

# The server beyond the router: it logs who came, by the certificate that they proved.
app_up()
{
	quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj /CN=app.example -addext subjectAltName=DNS:app.example \
		-keyout "$W/app.key" -out "$W/app.pem"
	cat >"$W/nginx.conf" <<-END
		pid $W/nginx.pid;
		error_log $W/nginx.err;
		events { }
		http {
			log_format who '\$remote_addr \$ssl_client_verify \$ssl_client_s_dn "\$request"';
			access_log $W/app.log who;
			client_body_temp_path $W/nginx.tmp; proxy_temp_path $W/nginx.tmp;
			fastcgi_temp_path $W/nginx.tmp; uwsgi_temp_path $W/nginx.tmp;
			scgi_temp_path $W/nginx.tmp;
			server {
				listen 443 ssl;
				ssl_protocols TLSv1.3;
				ssl_certificate $W/app.pem;
				ssl_certificate_key $W/app.key;
				ssl_client_certificate $W/site/pki/cacerts.pem;
				ssl_verify_client on;
				ssl_verify_depth 2;
				location / { return 200 "welcome\n"; }
			}
		}
	END
	spawn app nginx true nginx -c "$W/nginx.conf" -g 'daemon off; user root;'
}

# --- a device ---------------------------------------------------------------------------------------

plug()
{
	local i=$1

	shift
	# shellcheck disable=SC2016
	lab_spawn "dev$i" "dhcp$i" sh -c '
		while :; do udhcpc -f -q -n -t 2 -T 1 -A 1 -i eth0 -s "$0" && exec sleep 100000; done
		' "$(dirname "${BASH_SOURCE[0]}")/udhcpc.script" &&
		lab_spawn "dev$i" "agent$i" env "TPM2OPENSSL_TCTI=$(tcti "$i")" "$agent" \
		--state-dir "$W/dev$i" --interface eth0 --module "$module" "$@" run ||
		die "device $i does not start"
}
