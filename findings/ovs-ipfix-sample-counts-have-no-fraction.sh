#!/usr/bin/env bash
# Guess: packetDeltaCount of a record of a `sample` action with probability P of 65,535 estimates the sampled traffic, so it is
#   65535/P, rounded, or with the fraction carried from record to record.
# Seen: it is 65535/P without its fraction, in each record. With P of 40,000 (1.64 packets a sample) each record counts 1, and with
#   26,214 (2.50) each counts 2: sums are 39% and 20% too small, and almost half too small at the worst P, 32,768.
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

# Prints its port, then packetDeltaCount of each TCP record; ends after three seconds without one.
cat >collect.pl <<'PERL'
use strict; use IO::Socket::INET; $| = 1;
my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $!;
print $socket->sockport, "\n";
my (%templates, $message);
$SIG{ALRM} = sub { exit };
while (1) {
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
      print "$record{7} $record{2}\n";
      alarm 3;
    }
  }
}
PERL
perl collect.pl >seen &
collector=$!
end=$((SECONDS + 10))
wait_for() { while ! eval "$1"; do [ "$SECONDS" -lt "$end" ] || { echo "waited for: $1"; exit 1; }; done; }
wait_for '[ -s seen ]'
vsctl add-br br0 -- set Bridge br0 datapath_type=dummy \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1 \
  -- --id=@b get Bridge br0 -- --id=@i create IPFIX "targets=\"127.0.0.1:$(head -1 seen)\"" \
  -- create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@i >/dev/null
ovs-ofctl add-flow br0 "tcp,tp_src=1001 actions=sample(probability=40000,collector_set_id=1)"
ovs-ofctl add-flow br0 "tcp,tp_src=1002 actions=sample(probability=26214,collector_set_id=1)"
for port in 03e9 03ea; do
  frame="02000000000202000000000108004500002800004000400600000a0000010a000002${port}00500000000100000000500200000000000000000000000000"
  for round in 1 2 3 4; do
    # shellcheck disable=SC2046
    ovs-appctl netdev-dummy/receive p1 $(printf "$frame %.0s" {1..50}) 2>/dev/null
  done
done
wait "$collector"
sed 1d seen | sort | uniq -c | while read -r records port count; do
  echo "source port $port: 200 packets, $records records, packetDeltaCount $count in each: $((records * count)) packets"
done
[ "$(sed 1d seen | sort -u | paste -sd,)" = "1001 1,1002 2" ]
