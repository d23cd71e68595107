# Sourced by the scripts that run in a Debian root with openvswitch-switch: messages, waits, an Open vSwitch with bridge br0 whose
# row exports to 127.0.0.1:4739, and the daemon, started by the command line of its unit as systemd would run it.
set -eu
export OVS_RUNDIR=/run/openvswitch
say() { echo "$(basename "$0" .sh): $*"; }
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

start_switch() {
  mkdir -p "$OVS_RUNDIR" /tmp/ovs
  rm -f /tmp/ovs/conf.db
  ovsdb-tool create /tmp/ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server /tmp/ovs/conf.db --remote=punix:"$OVS_RUNDIR/db.sock" --log-file=/tmp/ovs/db.log >/dev/null 2>&1 & database=$!
  wait_for 'ovsdb-server answers' ovs-vsctl --no-wait init
  ovs-vswitchd unix:"$OVS_RUNDIR/db.sock" --enable-dummy=override --disable-system --log-file=/tmp/ovs/v.log >/dev/null 2>&1 & switch=$!
  ovs-vsctl --timeout=10 -- add-br br0 -- set Bridge br0 datapath_type=dummy ipfix=@i \
    -- --id=@i create IPFIX 'targets="127.0.0.1:4739"' >/dev/null
}
start() {
  $(command_of ExecStart) 2>/tmp/daemon.log & daemon=$!
  wait_for 'the daemon is ready and found by its name' ovs-appctl -t ovs-ipfix ready
}
stop() {
  kill "$daemon"
  wait "$daemon" || fail "The daemon has not ended with 0: $(cat /tmp/daemon.log)"
  daemon=''
}
kill_daemon() {
  kill -KILL "$daemon"
  wait "$daemon" 2>/dev/null || true
  daemon=''
}
install_package() { dpkg -i "$1" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "The installation of $1 has failed."; }; }
hooks() { ovs-ofctl -O OpenFlow13 dump-flows br0 --no-stats | grep -c controller || true; }
