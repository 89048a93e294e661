# SPDX-License-Identifier: Apache-2.0
# Completion of latchkey(1) for bash.

# Ids and serial numbers of the devices that are known. Devices choose their serial numbers, and
# compgen expands what it is given: only plain ones get there.
_latchkey_devices()
{
	latchkey device list --limit 1000 2>/dev/null | awk 'NR > 1 { print $1; print $3 }' |
		grep -xE '[A-Za-z0-9._~-]+'
}

_latchkey()
{
	local cur=${COMP_WORDS[COMP_CWORD]} words=
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--profile) words='consumer enterprise' ;;
	--unknown-devices) words='allow ask deny' ;;
	--admission) words='inventory ask approved denied' ;;
	--state) words='installation onboarding commissioned decommissioning' ;;
	--key-store) words='file: tpm2: pkcs11:' ;;
	*) case $COMP_CWORD:${COMP_WORDS[1]} in
		1:*) words='init device manufacturer est ledger radius status ca crypto trust inspect
			--json --help --version' ;;
		2:device) words='list pending show timeline approve deny revoke decommission' ;;
		2:manufacturer) words='list add import distrust remove' ;;
		2:est) words=code ;;
		2:ledger) words='show verify' ;;
		2:radius) words=renew ;;
		3:est) words='new list revoke' ;;
		2:ca | 2:crypto | 2:trust) words=show ;;
		*:init) words='--name --dir --state-dir --runtime-dir --profile --key-store
			--registrar-name --listen --publish --with-radius --radius-dir --bridge
			--device-network --port' ;;
		*:inspect) words='--anchor --at --idevid --nonce --registrar' ;;
		*:manufacturer) words='--name --masa-url --unknown-devices --allow-tls12
			--ignore-idevid-expiry --socket' ;;
		*:est) words='--label --name --dns --socket' ;;
		*:radius) words='--radius-dir --socket' ;;
		*:ledger) words='--refused --limit --cursor --socket' ;;
		*:device) case ${COMP_WORDS[2]} in
			list) words='--state --admission --limit --cursor --socket' ;;
			pending) words=--socket ;;
			*) words="$(_latchkey_devices) --socket" ;;
			esac ;;
		*) words=--socket ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _latchkey latchkey
