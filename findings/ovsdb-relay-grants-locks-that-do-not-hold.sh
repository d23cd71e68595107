#!/usr/bin/env bash
# Guess: a relay of an OVSDB database (ovsdb-server relay:...) either supports locks (RFC 7047, section 4.1.8) or refuses the
#   `lock` request.
# Seen: it grants the lock, and a transaction with only `assert` of it succeeds, but one that also changes a row fails with
#   "not owner": the relay's lock is not a lock of the real server, which executes the change.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12). Date: 2026-11-28.
set -euo pipefail
VERSION=3.1.0-2+deb12u1
work=$(mktemp -d)
cleanup() {
  for file in "$work"/*.pid; do
    if [ -f "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
  done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

# Unpacks this version of Open vSwitch into the temporary folder, with the libraries that this machine lacks.
missing=$(apt-get -s install --no-install-recommends "openvswitch-switch=$VERSION" | awk '$1 == "Inst" { print $2 }' | grep -v '^openvswitch-' || true)
apt-get -q -o APT::Sandbox::User=root download "openvswitch-switch=$VERSION" "openvswitch-common=$VERSION" $missing >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export PATH="$work/root/usr/bin:$work/root/usr/sbin:$work/root/usr/lib/openvswitch-switch:$PATH" LD_LIBRARY_PATH="$libraries"
export OVS_RUNDIR=$work OVS_LOGDIR=$work OVS_DBDIR=$work OVS_SYSCONFDIR=$work OVS_PKGDATADIR=$work/root/usr/share/openvswitch
ovsdb-tool create conf.db "$OVS_PKGDATADIR/vswitch.ovsschema"
start() { "$@" --detach --no-chdir --log-file -vconsole:off -vsyslog:off 2>/dev/null; }
start ovsdb-server conf.db --remote="punix:$work/db.sock" --pidfile="$work/ovsdb-server.pid"
start_switch() {
  start ovs-vswitchd "unix:$work/db.sock" --pidfile="$work/ovs-vswitchd.pid" \
    --enable-dummy=override --disable-system --disable-system-route
}
start_switch
vsctl() { ovs-vsctl --db="unix:$work/db.sock" --timeout=10 "$@"; }

start ovsdb-server "relay:Open_vSwitch:unix:$work/db.sock" --remote="punix:$work/relay.sock" --pidfile="$work/relay.pid" \
  --unixctl="$work/relay.ctl" --log-file="$work/relay.log"
vsctl --no-wait init
cat >requests.json <<'END'
{"method":"lock","params":["demo"],"id":1}
{"method":"transact","params":["Open_vSwitch",{"op":"assert","lock":"demo"}],"id":2}
{"method":"transact","params":["Open_vSwitch",{"op":"assert","lock":"demo"},{"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[["external_ids","insert",["map",[["demo","1"]]]]]}],"id":3}
END
python3 - <<'END' | tee seen
import json, os, socket, time
end = time.monotonic() + 10
while True:
    try:
        peer = socket.socket(socket.AF_UNIX); peer.connect('relay.sock'); break
    except OSError:
        assert time.monotonic() < end, 'the relay does not listen'
peer.settimeout(10)
def ask(text, number):
    """The reply to a request; the relay may still be connecting to the server."""
    decoder, data = json.JSONDecoder(), ''
    while time.monotonic() < end:
        peer.sendall(text.encode())
        while True:
            data = data.lstrip()
            try:
                message, at = decoder.raw_decode(data); data = data[at:]
            except ValueError:
                data += peer.recv(65536).decode(); continue
            if message.get('id') == number: break
        if 'unknown database' in json.dumps(message) or 'database not available' in json.dumps(message): continue
        return message
lines = open('requests.json').read().splitlines()
print('lock:', json.dumps(ask(lines[0], 1)['result']))
print('assert alone:', json.dumps(ask(lines[1], 2)['result']))
print('assert and a change:', json.dumps(ask(lines[2], 3)['result']))
END
grep -q '^lock: {"locked": true}' seen && grep -q '^assert alone: \[{}\]' seen && grep -q 'change: .*not owner' seen
