#!/bin/sh
# Installs, upgrades and removes the Debian package in a new Debian root with /root/ovs-ipfix.deb, its next version as
# /root/ovs-ipfix-next.deb, nodejs >= 20 and openvswitch-switch, and with /proc mounted: run
# `chroot ROOT sh /root/deb-in-root.sh` as root. systemd does not run in a chroot, so the command lines of the unit are run as
# systemd would run them.
set -eu
export OVS_RUNDIR=/run/openvswitch
say() { echo "deb-in-root: $*"; }
fail() { say "$*" >&2; exit 1; }
wait_for() { # wait_for WHAT COMMAND...
  what=$1; shift; left=100
  until "$@" >/tmp/said 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "Waited 10 s for this: $what. Seen last: $(cat /tmp/said)"
    sleep 0.1
  done
}
unit=/usr/lib/systemd/system/ovs-ipfix.service
command_of() { sed -n "s/^$1=-\{0,1\}//p" "$unit" | sed 's/ \$OVS_IPFIX_OPTIONS//'; }
daemon='' database='' switch=''
end() {
  for pid in $daemon $switch $database; do kill "$pid" 2>/dev/null || true; done
  wait
}
trap end EXIT

dpkg -i /root/ovs-ipfix.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail 'The installation has failed.'; }
[ ! -e /etc/systemd/system/multi-user.target.wants/ovs-ipfix.service ] || fail 'The installation has enabled the service.'
[ ! -e "$OVS_RUNDIR"/ovs-ipfix.*.ctl ] || fail 'The installation has started the daemon.'
say "installed: $(ovs-ipfix --version)"
# The unit starts after those of Open vSwitch, whose restarts do not wait for its end, as with PartOf=.
for other in ovsdb-server ovs-vswitchd openvswitch-switch; do
  grep -q "^After=.*\\b$other\\.service" "$unit" || fail "The unit is not ordered after $other.service."
  [ -e "/lib/systemd/system/$other.service" ] || fail "Open vSwitch has no unit $other.service."
done
! grep -E '^(PartOf|BindsTo|Requires|Requisite)=' "$unit" || fail 'The unit depends on a unit of Open vSwitch.'
systemd-analyze verify "$unit" >/tmp/verify 2>&1 || { cat /tmp/verify; fail 'systemd-analyze has refused the unit.'; }
! grep ovs-ipfix /tmp/verify || fail 'systemd-analyze has warned of the unit.'
say 'systemd-analyze has verified the unit'

mkdir -p "$OVS_RUNDIR" /tmp/ovs
ovsdb-tool create /tmp/ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /tmp/ovs/conf.db --remote=punix:"$OVS_RUNDIR/db.sock" --log-file=/tmp/ovs/db.log >/dev/null 2>&1 & database=$!
wait_for 'ovsdb-server answers' ovs-vsctl --no-wait init
ovs-vswitchd unix:"$OVS_RUNDIR/db.sock" --enable-dummy=override --disable-system --log-file=/tmp/ovs/v.log >/dev/null 2>&1 & switch=$!
ovs-vsctl --timeout=10 -- add-br br0 -- set Bridge br0 datapath_type=dummy ipfix=@i \
  -- --id=@i create IPFIX 'targets="127.0.0.1:4739"' >/dev/null

start() {
  $(command_of ExecStart) 2>/tmp/daemon.log & daemon=$!
  wait_for 'the daemon is ready and found by its name' ovs-appctl -t ovs-ipfix ready
}
hooks() { ovs-ofctl -O OpenFlow13 dump-flows br0 --no-stats | grep -c controller || true; }
start
[ "$(hooks)" -gt 0 ] || fail 'The bridge has no hook while the daemon runs.'
say "ready by the unit's ExecStart"
dpkg -i /root/ovs-ipfix.deb >/tmp/dpkg.log 2>&1 || fail 'The same version cannot be installed over itself.'
# An upgrade under a running daemon, with changed settings and an open page.
echo '# changed by the operator' >>/etc/default/ovs-ipfix
dpkg -i /root/ovs-ipfix-next.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail 'The upgrade has failed.'; }
[ -e /usr/share/doc/ovs-ipfix/NEXT ] || fail 'The upgrade has not brought the new file.'
grep -q 'changed by the operator' /etc/default/ovs-ipfix || fail "The upgrade has overwritten the operator's settings."
[ "$(ovs-appctl -t ovs-ipfix ready)" = ready ] || fail 'The daemon has not survived the upgrade.'
say "installed over itself, and upgraded to $(dpkg-query -W -f '${Version}' ovs-ipfix) under a running daemon; settings kept"
kill -KILL "$daemon"; wait "$daemon" || true; daemon=''
[ "$(hooks)" -gt 0 ] || fail 'The bridge has no hook after SIGKILL, so ExecStopPost would have nothing to do.'
$(command_of ExecStopPost) || fail 'ExecStopPost has failed.'
[ "$(hooks)" -eq 0 ] || fail 'ExecStopPost has left a hook.'
say "the hook of a killed daemon is removed by the unit's ExecStopPost"
start
kill "$daemon"; wait "$daemon" || fail "The daemon has not ended with 0: $(cat /tmp/daemon.log)"; daemon=''
[ "$(hooks)" -eq 0 ] || fail 'A stopped daemon has left a hook.'
say 'the new version started, stopped with 0'

dpkg -r ovs-ipfix >/dev/null 2>&1 && [ -e /etc/default/ovs-ipfix ] || fail 'The removal has failed, or took the settings along.'
dpkg -P ovs-ipfix >/dev/null 2>&1 || fail 'The purge has failed.'
for left in /etc/default/ovs-ipfix /usr/bin/ovs-ipfix /usr/share/ovs-ipfix /usr/share/doc/ovs-ipfix "$unit"; do
  [ ! -e "$left" ] || fail "The purge has left $left."
done
say 'removed and purged; nothing is left'
