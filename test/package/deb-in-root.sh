#!/bin/sh
# Installs, upgrades and removes the Debian package in a new Debian root with /root/ovs-ipfix.deb, its next version as
# /root/ovs-ipfix-next.deb, /root/deb-root.sh, nodejs >= 20 and openvswitch-switch, and with /proc mounted: run
# `chroot ROOT sh /root/deb-in-root.sh` as root. systemd does not run in a chroot, so the command lines of the unit are run as
# systemd would run them.
. /root/deb-root.sh

install_package /root/ovs-ipfix.deb
[ ! -e /etc/systemd/system/multi-user.target.wants/ovs-ipfix.service ] || fail 'The installation has enabled the service.'
[ ! -e "$OVS_RUNDIR"/ovs-ipfix.*.ctl ] || fail 'The installation has started the daemon.'
say "installed: $(ovs-ipfix --version)"
for file in alerts.yml dashboard.json; do
  [ -s "/usr/share/ovs-ipfix/metrics/$file" ] || fail "The package has no $file, which docs/metrics.md names."
done
# The unit starts after those of Open vSwitch, whose restarts do not wait for its end, as with PartOf=.
for other in ovsdb-server ovs-vswitchd openvswitch-switch; do
  grep -q "^After=.*\\b$other\\.service" "$unit" || fail "The unit is not ordered after $other.service."
  [ -e "/lib/systemd/system/$other.service" ] || fail "Open vSwitch has no unit $other.service."
done
! grep -E '^(PartOf|BindsTo|Requires|Requisite)=' "$unit" || fail 'The unit depends on a unit of Open vSwitch.'
systemd-analyze verify "$unit" >/tmp/verify 2>&1 || { cat /tmp/verify; fail 'systemd-analyze has refused the unit.'; }
! grep ovs-ipfix /tmp/verify || fail 'systemd-analyze has warned of the unit.'
say 'systemd-analyze has verified the unit'

start_switch
start
[ "$(hooks)" -gt 0 ] || fail 'The bridge has no hook while the daemon runs.'
say "ready by the unit's ExecStart"
# The same version, over itself.
install_package /root/ovs-ipfix.deb
# An upgrade under a running daemon, with changed settings and an open page.
echo '# changed by the operator' >>/etc/default/ovs-ipfix
install_package /root/ovs-ipfix-next.deb
[ -e /usr/share/doc/ovs-ipfix/NEXT ] || fail 'The upgrade has not brought the new file.'
grep -q 'changed by the operator' /etc/default/ovs-ipfix || fail "The upgrade has overwritten the operator's settings."
[ "$(ovs-appctl -t ovs-ipfix ready)" = ready ] || fail 'The daemon has not survived the upgrade.'
say "installed over itself, and upgraded to $(dpkg-query -W -f '${Version}' ovs-ipfix) under a running daemon; settings kept"
kill_daemon
[ "$(hooks)" -gt 0 ] || fail 'The bridge has no hook after SIGKILL, so ExecStopPost would have nothing to do.'
$(command_of ExecStopPost) || fail 'ExecStopPost has failed.'
[ "$(hooks)" -eq 0 ] || fail 'ExecStopPost has left a hook.'
say "the hook of a killed daemon is removed by the unit's ExecStopPost"
start
stop
[ "$(hooks)" -eq 0 ] || fail 'A stopped daemon has left a hook.'
say 'the new version started, stopped with 0'

dpkg -r ovs-ipfix >/dev/null 2>&1 && [ -e /etc/default/ovs-ipfix ] || fail 'The removal has failed, or took the settings along.'
dpkg -P ovs-ipfix >/dev/null 2>&1 || fail 'The purge has failed.'
for left in /etc/default/ovs-ipfix /usr/bin/ovs-ipfix /usr/share/ovs-ipfix /usr/share/doc/ovs-ipfix "$unit"; do
  [ ! -e "$left" ] || fail "The purge has left $left."
done
say 'removed and purged; nothing is left'
