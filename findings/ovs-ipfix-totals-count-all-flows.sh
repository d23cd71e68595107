#!/usr/bin/env bash
# Guess: tcpSynTotalCount (218) and packetTotalCount (86) in a flow record of ovs-vswitchd's IPFIX exporter count packets of that
#   flow, as their definitions at IANA say.
# Seen: they count the packets of all flows since the exporter began. Five flows of one SYN each, with caching off, have the
#   totals 1, 2, 3, 4 and 5; packetDeltaCount is 1 in each.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12), userspace datapath. Date: 2026-11-29.
set -euo pipefail
VERSION=3.1.0-2+deb12u1
work=$(mktemp -d)
cleanup() {
  if [ -n "${collector:-}" ]; then kill "$collector" 2>/dev/null || true; fi
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

# Prints its port, then source port, packetDeltaCount, packetTotalCount and tcpSynTotalCount of each TCP record.
cat >collect.pl <<'PERL'
use strict; use IO::Socket::INET; $| = 1;
my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $!;
print $socket->sockport, "\n";
my (%templates, $message, $seen);
while ($seen < 5) {
  $socket->recv($message, 65535);
  for (my $at = 16; $at < length $message;) {
    my ($id, $length) = unpack "x$at nn", $message;
    my $set = substr $message, $at + 4, $length - 4;
    $at += $length;
    while ($id == 2 && length $set >= 4) {
      my ($template, $count, @fields) = unpack 'nn', substr $set, 0, 4, '';
      for (1 .. $count) {
        my ($element, $size) = unpack 'nn', substr $set, 0, 4, '';
        my $is_enterprise = $element & 0x8000;
        substr $set, 0, 4, '' if $is_enterprise;
        push @fields, [$is_enterprise ? 0 : $element, $size];
      }
      $templates{$template} = \@fields;
    }
    next if $id < 256 || !$templates{$id};
    while (length $set) {
      my %record;
      for my $field (@{$templates{$id}}) {
        my ($element, $size) = @$field;
        $size = ord substr $set, 0, 1, '' if $size == 65535;
        $record{$element} = hex unpack 'H*', substr $set, 0, $size, '';
      }
      next unless defined $record{218};
      print join(' ', @record{7, 2, 86, 218}), "\n";
      $seen++;
    }
  }
}
PERL
perl collect.pl >seen &
collector=$!
end=$((SECONDS + 10))
wait_for() { while ! eval "$1"; do [ "$SECONDS" -lt "$end" ] || { echo "waited for: $1"; exit 1; }; done; }
wait_for '[ -s seen ]'
vsctl add-br br0 -- set Bridge br0 datapath_type=dummy ipfix=@i \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1 \
  -- --id=@i create IPFIX "targets=\"127.0.0.1:$(head -1 seen)\"" sampling=1 >/dev/null
ovs-ofctl add-flow br0 actions=drop
for port in 03e9 03ea 03eb 03ec 03ed; do
  ovs-appctl netdev-dummy/receive p1 \
    "02000000000202000000000108004500002800004000400600000a0000010a000002${port}00500000000100000000500200000000000000000000000000"
done
# It ends after five records.
wait "$collector"
sed 1d seen | while read -r port delta packets syns; do
  echo "source port $port: packetDeltaCount $delta, packetTotalCount $packets, tcpSynTotalCount $syns"
done
[ "$(sed 1d seen | awk '{ print $2, $3, $4 }' | paste -sd,)" = "1 1 1,1 2 2,1 3 3,1 4 4,1 5 5" ]
