#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From a bare machine to devices on their network, and off it again. Run by `scenario`, which says
# what steps and controls are. Devices, on ports of their numbers:
#
#	1 MK-0001  of the inventory: the one that most happens to
#	2 ST-0001  of a manufacturer that nobody trusts
#	3 MK-0003  of the trusted manufacturer, on nobody's list
#	4 MK-0004  of the inventory, its keys in a TPM
#	5 MK-0005  of the trusted manufacturer, on nobody's list; later an attacker
#
# and at a hub behind the houses, where nobody enforces anything (eth1 of each):
#
#	6 MK-0006  sold to the network south
#	7 the host of the rogue registrar, the rogue RADIUS server, and of network north
#	8 the host of network south
#
# The router has an administrator's page on port 80, for whoever should not find it.
# shellcheck disable=SC2034,SC2154 # the names of the programs are wired.sh's, STEPS is read by scenario

#= Latchkey scenario whole-path: each step is observed by packet, certificate or ledger event =#
STEPS=(
	"S01 G-15,SEC-22    an un-onboarded device reaches the join point and nothing else"
	"S02 A1.2,SEC-04    a device of an untrusted manufacturer is refused, and nothing leaves the site"
	"S03 A1.2,ONB-3     an unknown device waits for an operator, who approves it"
	"S04 G-02,ONB-1     a device onboards itself, the registrar found by mDNS"
	"S05 A2.1,T10       commissioned, it reaches a server beyond the router"
	"S06 A1.6,SEC-12    so does a device whose keys never leave its TPM"
	"S07 SEC-04         who claims another's EAP identity is named by its certificate"
	"S08 SEC-03         an LDevID of a foreign CA is refused"
	"S09 SEC-02,SEC-16  a stolen MAC address on another port: no effect on its owner, an alarm"
	"S10 SEC-16         a foreign source address is dropped"
	"S11 SEC-06,A4.8    a revoked device is cut within 2 s, and refused when it returns"
	"S12 A1.3,SEC-14    a rogue registrar is refused by the device"
	"S13 SEC-14,ONB-6   a rogue RADIUS server is refused by the device"
	"S14 SEC-13,A1.7    of two networks on one link a device takes its owner's"
	"S15 SEC-21,ONB-11  no serial and no MUD URL on the wire; once commissioned, silence"
	"S16 A3.1,LC-6      decommissioned, it is out; erased and approved, it comes in anew"
)

SERIAL=([1]=MK-0001 [2]=ST-0001 [3]=MK-0003 [4]=MK-0004 [5]=MK-0005 [6]=MK-0006 [8]=MK-0008)
MUD_URL=maker.example/mud/lamp.json # as device_new has it
QUIET_SINCE=() # when each device was commissioned last
STRANGER=masa.stranger.example

scenario_tools()
{
	local p

	wired_tools || return
	for p in nmap tcpdump curl jq python3 bridge; do
		command -v $p >/dev/null || { echo "$p is not installed"; return 1; }
	done
}

scenario_up()
{
	local i

	wired_up "$1" lkscn 8
	maker_up
	quiet "$factory" ca init --name Stranger --dir "$W/stranger" --masa-url $STRANGER
	device_new 1 maker "${SERIAL[1]}"
	device_new 4 maker "${SERIAL[4]}" tpm2
	quiet "$factory" manifest --dir "$W/maker" --all --out "$W/manifest"
	device_new 2 stranger "${SERIAL[2]}"
	for i in 3 6 8; do
		device_new $i maker "${SERIAL[i]}"
	done
	quiet lab_exec mfr "$factory" push --dir "$W/maker"

	certificate foreign/ca "/CN=Foreign CA" ""

	lab_host "$LAB_MASA" $STRANGER
	site_init house
	cat >"$W/site/latchkeyd.conf.d/scenario.conf" <<-END
		[onboarding]
		retry_after = 1s
		[enforcement]
		reach = tcp:$LAB_APP:443, ping:$LAB_APP
	END
	app_up
	site_start
	hub_up
	spawn site admin "lab_exec site curl -so /dev/null http://[::1]/" \
		python3 -m http.server --bind :: --directory "$W/site/latchkeyd.conf.d" 80
	quiet operate manufacturer import --name maker --unknown-devices ask \
		"$W/manifest"
	sell house "$W/site/pki/root.pem" "${SERIAL[1]}" "${SERIAL[3]}" "${SERIAL[4]}"
	capture site life port1 ether src "$(lab_mac 1)" or ether dst "$(lab_mac 1)"
}

# eth1 of three namespaces on one wire, which nobody guards; two of them have an uplink, eth2.
hub_up()
{
	local i wan=$LAB_PREFIX-wan

	# group_fwd_mask: as a hub does, it forwards EAPOL
	ip -n "$wan" link add br-hub up type bridge group_fwd_mask 8 mcast_snooping 0
	for i in 6 7 8; do
		ip -n "$wan" link add "hub$i" type veth peer name eth1 netns "$LAB_PREFIX-dev$i"
		ip -n "$wan" link set "hub$i" master br-hub up
		in_device "$i" sh -c "echo 0 >/proc/sys/net/ipv6/conf/eth1/accept_dad"
		in_device "$i" ip link set eth1 up
		in_device "$i" ip addr add "fe80::$i/64" dev eth1
	done
	for i in 7 8; do
		ip -n "$wan" link add "up$i" type veth peer name eth2 netns "$LAB_PREFIX-dev$i"
		ip -n "$wan" link set "up$i" master br-wan up
		in_device "$i" ip link set eth2 up
		in_device "$i" ip addr add "203.0.113.2$i/24" dev eth2
	done
}

# --- observing ---------------------------------------------------------------------------------------

# capture NS NAME INTERFACE FILTER...: into $W/NAME.pcap, from when this returns
capture()
{
	listen_to "capture-$2"
	spawn "$1" "capture-$2" "said capture-$2 listening.on" \
		tcpdump -Z root -U --immediate-mode -i "$3" -w "$W/$2.pcap" "${@:4}"
}

capture_end()
{
	lab_kill "capture-$1"
}

# packets NAME FILTER...: what of the capture is so, a line each
packets()
{
	tcpdump -nn -tt -r "$W/$1.pcap" "${@:2}" 2>/dev/null
}

# event SERIAL JQ: the newest event of the device's timeline that is so, "TYPE #SEQ"
event()
{
	operate -j device timeline "$1" |
		jq -er "[.events[] | select($2)] | last | if . then \"\(.type) #\(.seq)\" else null end"
}

# The ledger's last number: what comes behind it is new.
ledger_head()
{
	operate -j status | jq .ledger.head
}

port_of()
{
	ip netns exec "$LAB_PREFIX-site" bridge fdb show br br-dev | awk -v mac="$1" '$1 == mac { print $3 }'
}

# --- devices -------------------------------------------------------------------------------------------

in_device()
{
	lab_exec "dev$1" "${@:2}"
}

ldevid()
{
	openssl x509 -in "$W/dev$1/onboarding/ldevid.pem" -noout "${@:2}"
}

# Its applications were visited since it was plugged in.
commissioned()
{
	said "agent$1" 'application *ok'
}

# plug_in I [OPTION...]: as if somebody put the cable in and the power on
plug_in()
{
	listen_to "agent$1"
	in_device "$1" ip link set eth0 up
	plug "$@"
}

unplug()
{
	lab_kill "agent$1"
	lab_kill "dhcp$1"
	in_device "$1" ip addr flush dev eth0 scope global
	in_device "$1" ip link set eth0 down
	lab_wait_for shut "$1"
}

# hostapd refuses for a minute whom it refused once, whatever happens to the cable.
forgotten()
{
	! hostapd_cli -p "$W/hostapd" -i "port$1" all_sta | grep -q "$(lab_mac "$1")"
}

forget()
{
	hostapd_cli -p "$W/hostapd" -i "port$1" deauthenticate "$(lab_mac "$1")" >/dev/null
	lab_wait_for forgotten "$1"
}

shut()
{
	! ip netns exec "$LAB_PREFIX-site" nft list map netdev latchkey admitted | grep -q "$(lab_mac "$1")"
}

# visit I [OPTION OF CURL...]: the server beyond the router, with the LDevID
visit()
{
	in_device "$1" curl -sf -m 2 -o "$W/welcome" --cert "$W/dev$1/onboarding/ldevid.pem" \
		--key "$W/dev$1/onboarding/ldevid.key" --cacert "$W/app.pem" "${@:2}" https://app.example/visit
}

# come_back I: out and in again, until it is commissioned as before
come_back()
{
	unplug "$1"
	plug_in "$1"
	lab_wait_for -t 40 commissioned "$1" || { broken "device $1 does not come back"; return; }
	QUIET_SINCE[$1]=$(date +%s.%N)
}

# last_said NAME TEXT: the newest such line, without the time
last_said()
{
	grep -- "$2" "$(lab_log "$1")" | tail -n 1 | sed 's/^[0-9T:Z-]* //'
}

id_of()
{
	operate -j device show "${SERIAL[$1]}" | jq -r .device.id
}

# How EAP ended in a capture: 3 is success, 4 is failure.
eap_end()
{
	case $(tcpdump -nn -r "$W/$1.pcap" -x 'ether[15] = 0 and (ether[18] = 3 or ether[18] = 4)' 2>/dev/null |
		awk '/0x0000/ { end = substr($4, 1, 2) } END { print end }') in
	03) echo success ;;
	04) echo failure ;;
	esac
}

# supplicate I CONFIG: wpa_supplicant without the agent, until EAP ended: $EAP_END
supplicate()
{
	listen_to "wpa$1"
	in_device "$1" ip link set eth0 up
	capture site eap "port$1" ether proto 0x888e
	grep -v '^ctrl_interface=' "$2" >"$W/wpa$1.conf" # the agent's may be in use
	lab_spawn "dev$1" "wpa$1" wpa_supplicant -D wired -i eth0 -c "$W/wpa$1.conf"
	lab_wait_for -t 20 said "wpa$1" 'CTRL-EVENT-EAP-\(SUCCESS\|FAILURE\)'
	lab_wait_for -t 2 eap_ended
	capture_end eap
	EAP_END=$(eap_end eap)
	[[ $EAP_END ]] || broken "EAP does not end"
}

eap_ended()
{
	[[ $(eap_end eap) ]]
}

supplicant_end()
{
	lab_kill "wpa$1"
	in_device "$1" ip link set eth0 down
	forget "$1"
}

# certificate PATH SUBJECT ISSUER [EXTENSION...]: $W/PATH.pem and .key; its own issuer without one
certificate()
{
	local path=$W/$1 issuer=() extension

	[[ $3 ]] && issuer=(-CA "$W/$3.pem" -CAkey "$W/$3.key")
	for extension in "${@:4}"; do
		issuer+=(-addext "$extension")
	done
	mkdir -p "${path%/*}"
	quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "$2" \
		-keyout "$path.key" -out "$path.pem" "${issuer[@]}"
}

# --- guards ---------------------------------------------------------------------------------------------

# The enforcer sleeps and its tables are gone while COMMAND runs.
without_enforcement()
{
	local enforcer outcome

	enforcer=$(pgrep -P "$(lab_pid latchkeyd)" -f 'role enforcer')
	kill -STOP "$enforcer"
	ip netns exec "$LAB_PREFIX-site" nft flush ruleset
	"$@"
	outcome=$?
	kill -CONT "$enforcer"
	lab_wait_for ip netns exec "$LAB_PREFIX-site" nft list chain netdev latchkey in_port1 >/dev/null
	return $outcome
}

# A RADIUS server that asks nobody and names whoever as they like it, with the foreign CA among its
# anchors, while COMMAND runs.
with_gullible_radius()
{
	local outcome

	rm -rf "$W/gullible"
	cp -r "$W/radius" "$W/gullible"
	sed -i "s|$W/radius|$W/gullible|g" "$W/gullible/radiusd.conf"
	sed -i '/^\tpost-auth {$/,/^\t}$/c\	post-auth {\n\t\tupdate reply {\n\t\t\t\&User-Name := "%{User-Name}"\n\t\t}\n\t}' \
		"$W/gullible/radiusd.conf"
	cat "$W/foreign/ca.pem" >>"$W/gullible/device-ca.pem"
	lab_kill radius
	RADIUS_DIR=$W/gullible site_start radius
	"$@"
	outcome=$?
	lab_kill radius
	site_start radius
	return $outcome
}

# --- the steps ----------------------------------------------------------------------------------------------

s01() { scan_from_outside; }
c01() { without_enforcement scan_from_outside; }

scan_from_outside()
{
	local passed six four lease="no lease"

	capture site bridge br-dev ether src "$(lab_mac 1)"
	six=$(in_device 1 nmap -6 -n -Pn -sS -T4 --min-rate 20000 --max-retries 1 -p- -oG - "$LAB_JOIN%eth0")
	in_device 1 udhcpc -f -q -n -t 2 -T 1 -i eth0 -s "$here/udhcpc.script" >/dev/null 2>&1 && lease="a lease"
	in_device 1 ip addr replace 192.0.2.77/24 dev eth0
	in_device 1 ip route replace default via "$LAB_ROUTER"
	four=$(in_device 1 nmap -n -Pn -sS -T4 --max-retries 1 -p 1-1024,8443 -oG - "$LAB_ROUTER")
	in_device 1 nmap -n -Pn -sU -T4 --max-retries 0 -p 53,67,123,5353 "$LAB_ROUTER" "$LAB_APP" >/dev/null
	in_device 1 ip addr flush dev eth0 scope global
	capture_end bridge
	passed=$(packets bridge "not (ip6 dst $LAB_JOIN and tcp port 8443) and not (ip6 and udp port 5353)
		and not (icmp6 and (ip6[40] = 135 or ip6[40] = 136))" | wc -l)
	six=$(grep -o '[0-9]*/open/' <<<"$six" | tr -d '\n')
	four=$(grep -o '[0-9]*/open/' <<<"$four" | tr -d '\n')
	[[ $six ]] || { broken "not even the join point was found"; return; }
	if [[ $six == 8443/open/ && -z $four && $passed == 0 && $lease == "no lease" ]]; then
		saw "65535 TCP ports of the router scanned over IPv6: $six; over IPv4, self-given address: none"
		saw "$(packets bridge | wc -l) packets passed the port, none but to the join point, mDNS, ND; DHCP: $lease"
	else
		otherwise "IPv6: $six; IPv4: $four; $passed packets that should not pass; DHCP: $lease"
	fi
}

s02() { stranger_knocks; }
c02()
{
	local outcome

	operate manufacturer add --name stranger --unknown-devices allow \
		"$W/stranger/masa/pki/manufacturer-root.pem"
	stranger_knocks
	outcome=$?
	operate manufacturer distrust stranger
	return $outcome
}

stranger_knocks()
{
	local left

	capture site wan wan -Q out "ip or (ip6 and not icmp6)"
	plug_in 2
	lab_wait_for -t 20 said agent2 'voucher  *\(failed\|later\)' || { broken "it was not answered"; return; }
	unplug 2
	capture_end wan
	left=$(packets wan | wc -l)
	if said agent2 manufacturer-unknown && ((left == 0)); then
		saw "the device was told: $(last_said agent2 'voucher  *failed')"
		saw "captured on the site's uplink meanwhile: 0 IP packets"
	else
		otherwise "$left packets left the site: $(packets wan | grep -o 'IP .*' | head -n 1)"
	fi
}

s03()
{
	waits_for_operator 3 || return
	operate device approve "${SERIAL[3]}"
	lab_wait_for -t 20 commissioned 3 || { broken "approved, it does not come in"; return; }
	saw "ledger: $(event "${SERIAL[3]}" '.type == "approval-needed"')," \
		"$(event "${SERIAL[3]}" '.type == "approved"')," \
		"$(event "${SERIAL[3]}" '.type == "connected"')"
}

# The policy is to allow whatever the manufacturer made.
c03()
{
	local outcome root=$W/maker/masa/pki/manufacturer-root.pem

	device_new 5 maker "${SERIAL[5]}"
	quiet lab_exec mfr "$factory" push --dir "$W/maker"
	operate manufacturer add --name maker --unknown-devices allow "$root"
	waits_for_operator 5
	outcome=$?
	unplug 5
	operate manufacturer add --name maker --unknown-devices ask "$root"
	return $outcome
}

waits_for_operator()
{
	local i=$1 serial=${SERIAL[$1]}

	plug_in "$i"
	lab_wait_for -t 20 said "agent$i" 'voucher  *\(later\|ok\|failed\)' ||
		{ broken "it was not answered"; return; }
	if said "agent$i" 'voucher  *later' && [[ ! -e $W/dev$i/onboarding ]] &&
		operate -j device pending | jq -e ".devices[] | select(.serial == \"$serial\")" >/dev/null; then
		saw "the device is told to wait (202); \`latchkey device pending\` lists $serial"
	else
		otherwise "nobody was asked: $(last_said "agent$i" 'voucher  ')"
	fi
}

s04() { onboards_by_mdns 1; }

# Its questions do not reach the registrar.
c04()
{
	local outcome deaf="ip netns exec $LAB_PREFIX-site nft"

	$deaf -f - <<-END
		table inet deaf {
			chain input {
				type filter hook input priority -1
				udp dport 5353 drop
			}
		}
	END
	onboards_by_mdns 4
	outcome=$?
	unplug 4
	$deaf delete table inet deaf
	return $outcome
}

onboards_by_mdns()
{
	local i=$1 mdns

	capture site mdns "port$i"
	plug_in "$i"
	lab_wait_for -t 6 said "agent$i" 'onboarded *ok'
	capture_end mdns
	mdns=$(packets mdns udp port 5353 | wc -l)
	if said "agent$i" 'onboarded *ok'; then
		saw "capture: $(packets mdns udp dst port 5353 | head -n 1 | grep -o 'IP6.*')"
		saw "         $(packets mdns udp src port 5353 and src "$LAB_JOIN" | head -n 1 | grep -o 'IP6.\{90\}')..."
		saw "certificate: $(ldevid "$i" -subject -nameopt RFC2253), ledger:" \
			"$(event "${SERIAL[i]}" '.type == "certificate-issued"')"
	else
		otherwise "$mdns mDNS packets in 6 s, no registrar, no certificate"
	fi
}

s05() { reaches_server 1; }

# Nobody authenticates it.
c05()
{
	local outcome

	unplug 1
	lab_kill radius
	plug_in 1
	reaches_server 1
	outcome=$?
	site_start radius
	come_back 1 || return
	return $outcome
}

reaches_server()
{
	local serial=${SERIAL[$1]}

	if lab_wait_for -t 8 commissioned "$1"; then
		QUIET_SINCE[$1]=$(date +%s.%N)
		saw "the server's log: $(grep "serialNumber=$serial" "$W/app.log" | tail -n 1)"
		saw "ledger: $(event "$serial" '.type == "connected"')," \
			"$(event "$serial" '.type == "port-opened"'); state" \
			"$(operate -j device show "$serial" | jq -r .device.state_name)"
	else
		otherwise "$serial did not reach it: $(last_said "agent$1" 'failed')"
	fi
}

s06()
{
	local kinds

	plug_in 4
	reaches_server 4 || return
	kinds=$(grep -rh 'BEGIN.*PRIVATE KEY' "$W/dev4" | sort | uniq -c | sed 's/^ *//')
	[[ $kinds == "2 -----BEGIN TSS2 PRIVATE KEY-----" ]] || { otherwise "keys in its files: $kinds"; return; }
	saw "its LDevID key: $(cat "$W/dev4/onboarding/key"), which only the TPM can load: $kinds"
}

# Its TPM is taken out.
c06()
{
	local outcome

	unplug 4
	lab_kill tpm4
	plug_in 4
	reaches_server 4
	outcome=$?
	unplug 4
	tpm_up 4
	come_back 4 || return
	return $outcome
}

s07() { claims_another_identity 3 1; }
c07() { with_gullible_radius claims_another_identity 3 1; }

# Device I says in EAP that it is device OTHER.
claims_another_identity()
{
	local i=$1 own claimed named

	own=$(id_of "$i")
	claimed=$(id_of "$2")
	unplug "$i"
	sed "s/^\t\(anonymous_\)\?identity=.*/\t\1identity=\"$claimed\"/" "$W/dev$i/run/wired.conf" >"$W/claim.conf"
	supplicate "$i" "$W/claim.conf" || return
	named=$(hostapd_cli -p "$W/hostapd" -i "port$i" all_sta |
		sed -n 's/^dot1xAuthSessionUserName=//p')
	supplicant_end "$i"
	if [[ $named == "$own" ]]; then
		saw "identity claimed: $claimed; hostapd calls the port's user $named"
		saw "ledger of ${SERIAL[i]}: $(event "${SERIAL[i]}" \
			".type == \"access-granted\" and .payload.outer_identity == \"$claimed\"")," \
			"certificate: $(ldevid "$i" -subject -nameopt RFC2253)"
	else
		otherwise "hostapd calls the port's user $named"
	fi
}

s08() { shows_foreign_ldevid; }
c08() { with_gullible_radius shows_foreign_ldevid; }

# The attacker's certificate says all that device 1's says, but for who says so.
shows_foreign_ldevid()
{
	certificate foreign/ldevid "/serialNumber=${SERIAL[1]}/CN=$(id_of 1)" foreign/ca
	sed "s|^\tclient_cert=.*|\tclient_cert=\"$W/foreign/ldevid.pem\"|
		s|^\tprivate_key=.*|\tprivate_key=\"$W/foreign/ldevid.key\"|" \
		"$W/dev1/run/wired.conf" >"$W/foreign.conf"
	supplicate 5 "$W/foreign.conf" || return
	supplicant_end 5
	if [[ $EAP_END == failure ]]; then
		saw "certificate shown: $(openssl x509 -in "$W/foreign/ldevid.pem" -noout -subject -issuer \
			-nameopt RFC2253 | tr '\n' ' ')"
		saw "capture on port5: EAP-Failure; RADIUS server: $(last_said radius 'Login incorrect' |
			grep -o '(.*' | cut -c 1-100)"
	else
		otherwise "EAP-Success"
	fi
}

s09() { mac_is_stolen; }
c09() { without_enforcement mac_is_stolen; }

mac_is_stolen()
{
	local head mac at alarm served=

	head=$(ledger_head)
	mac=$(lab_mac 1)
	in_device 5 ip link set eth0 up
	in_device 5 ip link add thief link eth0 address "$mac" type macvlan mode bridge
	in_device 5 ip link set thief up
	in_device 5 ping -c 1 -W 1 "$LAB_JOIN%thief" >/dev/null
	at=$(port_of "$mac")
	visit 1 && served="its owner is served"
	in_device 5 ip link del thief
	new_alarm foreign-mac "$head"
	if [[ $at == port1 && $alarm && $served ]]; then
		saw "frames of $mac on port5; the bridge keeps it on $at, $served"
		saw "ledger of ${SERIAL[1]}: $alarm, foreign-mac"
	else
		otherwise "the bridge has $mac on $at; ${served:-its owner is not served}; ${alarm:-no alarm}"
	fi
}

# new_alarm REASON HEAD: $alarm is the one of device 1 since the ledger's HEAD, if one comes
new_alarm()
{
	local match=".type == \"alarm\" and .reason == \"$1\" and .seq > $2"

	lab_wait_for -t 5 event "${SERIAL[1]}" "$match" 2>/dev/null
	alarm=$(event "${SERIAL[1]}" "$match") || alarm=
}

s10() { sends_from_foreign_address; }
c10() { without_enforcement sends_from_foreign_address; }

sends_from_foreign_address()
{
	local head foreign=192.0.2.199 alarm own=no

	head=$(ledger_head)
	capture app app eth0 src net "$LAB_NET/$LAB_PLEN"
	in_device 1 ip addr add $foreign/24 dev eth0
	visit 1 --interface $foreign
	visit 1 && own=yes
	in_device 1 ip addr del $foreign/24 dev eth0
	capture_end app
	new_alarm foreign-source "$head"
	[[ $own == yes ]] || { broken "not even its own address gets through"; return; }
	if [[ -z $(packets app src $foreign) && $alarm ]]; then
		saw "captured at the server: $(packets app | wc -l) packets from its own address, 0 from $foreign"
		saw "ledger of ${SERIAL[1]}: $alarm, foreign-source"
	else
		otherwise "captured at the server: $(packets app src $foreign | grep -o 'IP .*' | head -n 1)"
	fi
}

s11() { is_revoked 3; }
c11() { without_enforcement is_revoked 4; }

# In the middle of a flow of packets; then it tries again.
is_revoked()
{
	local i=$1 serial=${SERIAL[$1]} told last ms

	come_back "$i" || return
	capture app flow eth0 icmp and src net "$LAB_NET/$LAB_PLEN"
	lab_spawn "dev$i" flow ping -i 0.02 "$LAB_APP"
	lab_wait_for packets_are flow || { broken "nothing flows"; return; }
	told=$(date +%s.%N)
	operate device revoke "$serial"
	sleep 3 # what is observed is that nothing comes
	lab_kill flow
	capture_end flow
	last=$(packets flow | tail -n 1 | cut -d' ' -f 1)
	ms=$(awk "BEGIN { printf \"%d\", ($last - $told) * 1000 }")
	#= SEC-06: a revoked device is cut within 2 s =#
	((ms <= 2000)) || { otherwise "packets still flow ${ms} ms after the revocation"; return; }
	saw "captured at the server: the last packet came $ms ms after the revocation; ledger:" \
		"$(event "$serial" '.type == "revoked"'), $(event "$serial" '.type == "port-closed"')"
	refused_on_return "$i"
}

packets_are()
{
	[[ -n $(packets "$1") ]]
}

# The device comes with the credential that it has.
refused_on_return()
{
	local i=$1 serial=${SERIAL[$1]}

	unplug "$i"
	capture site eap "port$i" ether proto 0x888e
	plug_in "$i"
	lab_wait_for -t 40 said "agent$i" 'join  '
	capture_end eap
	unplug "$i"
	forget "$i"
	if said "agent$i" 'join  *ok'; then
		otherwise "$serial is let in again"
	else
		saw "on return: $(eap_end eap) captured on port$i; latchkeyd: $(last_said latchkeyd cert-revoked)"
	fi
}

s12()
{
	certificate rogue/registrar "/CN=Registrar" "" extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28
	certificate rogue/masa "/CN=Maker MASA" ""
	believes_registrar rogue/masa.pem rogue/masa.key
}
# The voucher is the manufacturer's own: the rogue has its key.
c12() { believes_registrar maker/masa/pki/voucher-signer.pem maker/masa/keys/voucher.key; }

# believes_registrar SIGNER KEY: of the vouchers
believes_registrar()
{
	local status

	listen_to rogue
	listen_to agent6
	spawn dev7 rogue "said rogue serving" python3 "$here/rogue_registrar.py" fe80::7%eth1 9443 \
		"$W/rogue/registrar.pem" "$W/rogue/registrar.key" "$W/$1" "$W/$2" \
		"$W/maker/masa/pki/manufacturer-root.pem"
	lab_spawn dev6 agent6 "$agent" --state-dir "$W/dev6" --interface eth1 --supplicant "" \
		--registrar "[fe80::7%eth1]:9443" run
	lab_wait_for -t 10 said rogue 'voucher_status {'
	lab_kill agent6
	lab_kill rogue
	status=$(last_said rogue 'voucher_status {')
	case $status in
	*'"status":false'*)
		saw "the device: $(last_said agent6 'voucher  *failed')"
		saw "what it told the rogue: $status; $(ls -d "$W/dev6/onboarding" 2>/dev/null || echo not onboarded)"
		;;
	*'"status":true'*) otherwise "what it told the rogue: $status" ;;
	*) broken "the rogue was told nothing" ;;
	esac
}

s13() { believes_radius "$agent" --interface eth1 --module "$module" --state-dir "$W/carried" run; }
# Its supplicant has no anchor and no name to hold the server against.
c13()
{
	sed '/^\tca_cert=/d; /^\tdomain_match=/d; /^ctrl_interface=/d' "$W/carried/run/wired.conf" >"$W/careless.conf"
	believes_radius wpa_supplicant -D wired -i eth1 -c "$W/careless.conf"
}

# Device 1's credentials at the hub, and a server that has the right name in a foreign CA's
# certificate, then one that has a device's certificate of our own CA. believes_radius COMMAND...
believes_radius()
{
	local chain refused=()

	[[ -d $W/carried ]] || cp -r "$W/dev1" "$W/carried"
	certificate rogue/radius "/CN=radius.house" foreign/ca subjectAltName=DNS:radius.house \
		extendedKeyUsage=serverAuth
	cat "$W/rogue/radius.pem" "$W/foreign/ca.pem" >"$W/rogue/radius-chain.pem"
	cp "$W/dev3/onboarding/ldevid.key" "$W/rogue/ldevid.key"
	cat "$W/dev3/onboarding/ldevid.pem" "$W/dev3/onboarding/ca.pem" >"$W/rogue/ldevid-chain.pem"
	echo '* TLS' >"$W/rogue/eap_user"
	for chain in radius ldevid; do
		printf '%s\n' interface=eth1 driver=wired ieee8021x=1 use_pae_group_addr=1 eap_server=1 \
			"eap_user_file=$W/rogue/eap_user" "ca_cert=$W/site/pki/cacerts.pem" \
			"server_cert=$W/rogue/$chain-chain.pem" "private_key=$W/rogue/$chain.key" \
			>"$W/rogue/hostapd.conf"
		listen_to rogue-radius
		listen_to carried
		spawn dev7 rogue-radius "said rogue-radius AP-ENABLED" hostapd "$W/rogue/hostapd.conf"
		lab_spawn dev6 carried "$@"
		lab_wait_for -t 20 said carried 'CTRL-EVENT-EAP-\(SUCCESS\|FAILURE\)'
		lab_kill carried
		lab_kill rogue-radius
		if said carried CTRL-EVENT-EAP-SUCCESS; then
			otherwise "believed: $(last_said carried 'PEER-CERT depth=0')"
			return
		fi
		said carried CTRL-EVENT-EAP-TLS-CERT-ERROR || { broken "it did not get so far"; return; }
		refused+=("$(last_said carried CTRL-EVENT-EAP-TLS-CERT-ERROR | grep -o 'depth.*')")
	done
	saw "foreign CA: ${refused[0]}"
	saw "a device's certificate: ${refused[1]}"
}

s14()
{
	neighbour_up north 7
	neighbour_init south 8
	sell south "$W/south/pki/root.pem" "${SERIAL[6]}"
	chooses_its_owner 6
}
# The manufacturer says that it is the other's.
c14()
{
	sell north "$W/north/pki/root.pem" "${SERIAL[8]}"
	chooses_its_owner 8
}

neighbour_init()
{
	quiet "$latchkey" init --name "$1" --dir "$W/$1" --state-dir "$W/$1-state" \
		--runtime-dir "$W/$1-run" --registrar-name "registrar.$1.example" \
		--listen "[fe80::$2%eth1]:8443"
	mkdir -p "$W/$1/latchkeyd.conf.d"
	printf '%s\n' '[front]' 'announce = eth1' '[masa]' "egress_allow = $LAB_MASA/32" \
		>"$W/$1/latchkeyd.conf.d/lab.conf"
}

neighbour_up()
{
	[[ -d $W/$1 ]] || neighbour_init "$@"
	spawn "dev$2" "$1" "said $1 supervisor.ready" "$latchkeyd" --config "$W/$1/latchkeyd.conf"
	quiet "$latchkey" manufacturer add --name maker --unknown-devices allow \
		--socket "$W/$1-run/api.sock" "$W/maker/masa/pki/manufacturer-root.pem"
}

# Device I meets north; south is switched on when north's try has come to its end.
chooses_its_owner()
{
	local i=$1 issuer

	listen_to chooser
	lab_spawn dev6 chooser "$agent" --state-dir "$W/dev$i" --interface eth1 --supplicant "" --once run
	lab_wait_for -t 20 said chooser 'voucher  *\(failed\|ok\)'
	lab_alive south || neighbour_up south 8
	lab_wait_for -t 30 said chooser 'onboarded *ok'
	lab_kill chooser
	issuer=$(ldevid "$i" -issuer -nameopt RFC2253)
	if [[ $issuer == *south* ]]; then
		saw "tried: $(last_said chooser 'voucher  *failed' | cut -c 1-110)"
		saw "       $(last_said chooser 'voucher  *ok'); certificate: $issuer"
	elif [[ $issuer ]]; then
		otherwise "certificate: $issuer"
	else
		broken "it is onboarded nowhere"
	fi
}

s15() { wire_tells_nothing life; }
# EAP-TLS at 1.2.
c15()
{
	local outcome

	unplug 1
	sed 's/tls_disable_tlsv1_3=0/tls_disable_tlsv1_3=1/' "$W/dev1/run/wired.conf" >"$W/older.conf"
	supplicate 1 "$W/older.conf" || return
	wire_tells_nothing eap
	outcome=$?
	supplicant_end 1
	come_back 1 || return
	return $outcome
}

# wire_tells_nothing CAPTURE: of device 1
wire_tells_nothing()
{
	local since=${QUIET_SINCE[1]} word spoken sent

	for word in "${SERIAL[1]}" "$MUD_URL"; do
		if grep -aq "$word" "$W/$1.pcap"; then
			otherwise "$word is in the capture, $(grep -ac "$word" "$W/$1.pcap") times"
			return
		fi
	done
	spoken=$(packets "$1" ether src "$(lab_mac 1)" and \( udp port 5353 or tcp port 8443 \) |
		awk -v since="$since" '$1 > since' | wc -l)
	sent=$(packets "$1" ether src "$(lab_mac 1)" | awk -v since="$since" '$1 > since' | wc -l)
	((sent > 0)) || { broken "it sends nothing at all"; return; }
	if ((spoken == 0)); then
		saw "captured on port1 from the first moment: $(packets "$1" | wc -l) packets, no ${SERIAL[1]}, no MUD URL"
		saw "since it was commissioned last: $sent packets of the device, 0 of BRSKI or mDNS"
	else
		otherwise "$spoken packets of BRSKI or mDNS since it was commissioned"
	fi
}

s16()
{
	local old

	old=$(ldevid 1 -serial)
	is_decommissioned 1 || return
	in_device 1 "$agent" --state-dir "$W/dev1" reset >/dev/null || { broken "it cannot be reset"; return; }
	plug_in 1
	lab_wait_for -t 20 said agent1 'voucher  *\(later\|ok\|failed\)'
	said agent1 'voucher  *failed.*lifecycle-bare' || { otherwise "it is not kept out"; return; }
	operate device approve "${SERIAL[1]}" >/dev/null
	come_back 1 || return
	[[ $(ldevid 1 -serial) != "$old" ]] || { otherwise "its certificate is the old one"; return; }
	saw "erased and approved: certificate $(ldevid 1 -serial), before it $old; ledger:" \
		"$(event "${SERIAL[1]}" '.type == "decommissioned"')," \
		"$(event "${SERIAL[1]}" '.type == "certificate-issued"')," \
		"$(event "${SERIAL[1]}" '.type == "connected"')"
}
c16() { with_gullible_radius is_decommissioned 1; }

is_decommissioned()
{
	visit "$1" || { broken "it is not even in"; return; }
	operate device decommission "${SERIAL[$1]}" >/dev/null
	lab_wait_for -t 2 shut "$1" || { otherwise "its port stays open"; return; }
	! visit "$1" || { otherwise "it reaches the server"; return; }
	refused_on_return "$1"
}
