#!/bin/sh
# Upgrades version 0.1.0 of the Debian package, /root/ovs-ipfix-0.1.0.deb, to /root/ovs-ipfix.deb, and back: in the root of
# deb-in-root.sh, after it. 0.1.0 is stopped or killed, with everything that it writes in place: an adopted row of the bridge and
# of a collector set, the hook, two meters, rewritten flows and a rewritten group. The new version has to continue, also where
# it rewrites nothing, and to leave flows, groups and rows as the user wrote them.
. /root/deb-root.sh

old=/root/ovs-ipfix-0.1.0.deb
new=/root/ovs-ipfix.deb
of() { command=$1; shift; ovs-ofctl -O OpenFlow15 "$command" br0 "$@"; }
# Without the hook, which is the only flow that matches register 11.
flows() { of dump-flows --no-stats --no-names | grep actions= | grep -v reg11 | sort; }
groups() { of dump-groups | grep group_id || true; }
meters() { of dump-meters | grep '^ *meter=' || true; }
rows() { ovs-vsctl --columns=targets,external_ids list IPFIX "$@"; }
companions() { { flows; groups; } | grep -c 'sample([^)]*),controller(' || true; }
has_companions() { [ "$(companions)" -eq "$1" ]; }
is_hooked_once() { [ "$(of dump-flows --no-stats | grep -c 'reg11=0/0x80000000')" -eq 1 ]; }
is_as_written() { [ "$(flows)" = "$written_flows" ] && [ "$(groups)" = "$written_groups" ] && [ -z "$(meters)" ]; }
add_set() {
  ovs-vsctl -- --id=@b get Bridge br0 -- --id=@i create IPFIX 'targets="127.0.0.1:4740"' \
    -- create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@i >/dev/null
}

start_switch
sample='sample(probability=65535,collector_set_id=1,obs_domain_id=7,obs_point_id=9)'
of add-group "group_id=5,type=all,bucket=bucket_id:0,actions=$sample,output:1"
of add-flow "priority=5,udp,tp_dst=7,actions=$sample,NORMAL"
of add-flow "priority=5,udp,tp_dst=8,actions=clone($sample),NORMAL"
written_flows=$(flows)
written_groups=$(groups)

# What 0.1.0 leaves, how it ends, and with which sampler the new version starts.
upgrade() { # upgrade SIGNAL SAMPLER
  ovs-vsctl --all destroy Flow_Sample_Collector_Set
  add_set
  written_rows=$(rows)
  written_row=$(rows "$(ovs-vsctl get Bridge br0 ipfix)")
  install_package "$old"
  start
  wait_for 'flows and group are rewritten' has_companions 3
  [ "$(meters | wc -l)" -eq 2 ] || fail "0.1.0 has these meters: $(meters)"
  adopted=$(rows)
  [ "$(echo "$adopted" | grep -c 'ovs-ipfix-state=adopted')" -eq 2 ] || fail "0.1.0 has not adopted both rows: $adopted"
  if [ "$1" = TERM ]; then
    stop
    is_as_written || fail "0.1.0 has left something: $(flows) $(groups) $(meters)"
    [ "$(rows)" = "$written_rows" ] || fail "0.1.0 has left its keys: $(rows)"
  else
    kill_daemon
    [ "$(companions)" -eq 3 ] && [ "$(rows)" = "$adopted" ] || fail 'SIGKILL has left nothing to go on with.'
  fi
  install_package "$new"
  ovs-vsctl set Bridge br0 "external_ids:ovs-ipfix-sampler=$2"
  if [ "$2" = datapath ]; then
    # Nothing is rewritten any more: the actions that 0.1.0 has left have to be removed nevertheless.
    ovs-vsctl --all destroy Flow_Sample_Collector_Set
    written_rows=$written_row
    start
    wait_for 'the companion actions of 0.1.0 are removed' has_companions 0
    [ "$(flows)" = "$written_flows" ] && [ "$(groups)" = "$written_groups" ] || fail "Other flows: $(flows) $(groups)"
  else
    start
    wait_for 'flows and group are rewritten' has_companions 3
    [ "$(rows)" = "$adopted" ] || fail "The rows are held in another way than by 0.1.0: $(rows)"
  fi
  wait_for 'the bridge has one hook' is_hooked_once
  stop
  wait_for 'the bridge is as the user wrote it' is_as_written
  [ "$(rows)" = "$written_rows" ] || fail "The rows are not as the user wrote them: $(rows)"
  say "0.1.0 ended by SIG$1, upgraded, sampler $2: it continues, and leaves everything as written"
}
for signal in TERM KILL; do
  for sampler in packet-in datapath; do upgrade "$signal" "$sampler"; done
done

# Back to 0.1.0 under a running daemon with rows of its own, which 0.1.0 would take for the user's.
written_rows=$(rows)
start
own() { ovs-vsctl --bare --columns=external_ids find IPFIX | grep -c ovs-ipfix-owner || true; }
[ "$(own)" -eq 1 ] || fail 'The daemon has no row of its own.'
install_package "$old"
grep -q 'ovs-ipfix release' /tmp/dpkg.log || { cat /tmp/dpkg.log; fail 'The downgrade does not tell of "ovs-ipfix release".'; }
[ "$(own)" -eq 0 ] || fail 'The downgrade has left an own row.'
[ "$(rows)" = "$written_rows" ] || fail "The downgrade has left the rows adopted: $(rows)"
is_as_written || fail "The downgrade has left something in the bridge: $(flows) $(groups) $(meters)"
stop
start
stop
[ "$(rows)" = "$written_rows" ] || fail "0.1.0 has changed rows: $(rows)"
say 'returned to 0.1.0 under a running daemon: everything was released, and 0.1.0 started and stopped'
dpkg -P ovs-ipfix >/dev/null 2>&1 || fail 'The purge has failed.'
