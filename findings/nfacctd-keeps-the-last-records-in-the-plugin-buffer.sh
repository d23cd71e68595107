#!/usr/bin/env bash
# Guess: with print_refresh_time (or sql_refresh_time) of 1 s, nfacctd has written each record about a second after it arrived; a
#   larger plugin_buffer_size only makes the transfers to the plugin fewer.
# Seen: nothing but a full buffer, or the end of nfacctd, hands records to the plugin: of 300 records 199 are written, and the last
#   101 are not in the fifteen seconds after that. At SIGINT they are. Without plugin_buffer_size all 300 are written.
# Package: pmacct 1.7.7-1+b1 (Debian 12). Date: 2026-11-29.
set -euo pipefail
VERSION=1.7.7-1+b1
work=$(mktemp -d)
cleanup() {
  if [ -n "${collector:-}" ]; then kill "$collector" 2>/dev/null || true; wait "$collector" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

# Unpacks this version of pmacct into the temporary folder, with the libraries that this machine lacks.
missing=$(apt-get -s install --no-install-recommends "pmacct=$VERSION" | awk '$1 == "Inst" { print $2 }' | grep -v '^pmacct$' || true)
# shellcheck disable=SC2086
apt-get -q -o APT::Sandbox::User=root download "pmacct=$VERSION" $missing >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
LD_LIBRARY_PATH=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH PATH="$work/root/usr/sbin:$PATH"

# Sends 300 records of NetFlow version 5, each of a flow of its own, 30 in a message.
cat >send.pl <<'PERL'
use strict; use IO::Socket::INET;
my $socket = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $ARGV[0]) or die $!;
for my $message (0 .. 9) {
  my $bytes = pack 'n n N N N N C C n', 5, 30, 100000, time, 0, $message * 30, 0, 0, 0;
  for my $record (1 .. 30) {
    $bytes .= pack 'N N N n n N N N N n n C C C C n n C C n', 0x0a000001, 0x0a000002, 0, 1, 2, 1, 100, 1000, 2000,
      $message * 30 + $record, 80, 0, 0, 17, 0, 0, 0, 0, 0, 0;
  }
  $socket->send($bytes);
}
PERL
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Proto => "udp", LocalAddr => "127.0.0.1")->sockport'; }
written() { if [ -f "$1" ]; then grep -c '^10\.0\.0\.1,' "$1" || true; else echo 0; fi; }

# Sets `before` to the records that are written when none has been for fifteen seconds, and `after` to those at the end of nfacctd.
run() {
  local name=$1 port deadline last
  port=$(free_port)
  {
    printf 'nfacctd_ip: 127.0.0.1\nnfacctd_port: %s\nplugins: print\n' "$port"
    printf 'aggregate: src_host,dst_host,src_port,dst_port,proto\nprint_output: csv\nprint_output_file_append: true\n'
    printf 'print_output_file: %s/%s.csv\nprint_refresh_time: 1\n%s' "$work" "$name" "$2"
  } >"$name.conf"
  nfacctd -f "$name.conf" >"$name.log" 2>&1 &
  collector=$!
  deadline=$((SECONDS + 20))
  while ! grep -qi "$(printf ':%04X ' "$port")" /proc/net/udp; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "nfacctd does not listen"; exit 1; }
  done
  # What arrives in its first second waits for later messages, whatever the buffer.
  sleep 3
  perl send.pl "$port"
  deadline=$((SECONDS + 60))
  while [ "$(written "$name.csv")" = 0 ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done
  last=-1
  before=$(written "$name.csv")
  while [ "$last" != "$before" ]; do
    last=$before
    sleep 15
    before=$(written "$name.csv")
  done
  kill -INT "$collector"
  wait "$collector" || true
  collector=
  after=$(written "$name.csv")
  echo "$name: $before of 300 records written, and $after at the end"
}

run plain ''
plain="$before $after"
run buffered $'plugin_pipe_size: 67108864\nplugin_buffer_size: 65536\n'
if [ "$plain" != "300 300" ] || [ "$before" -ge 300 ] || [ "$before" -lt 1 ] || [ "$after" != 300 ]; then
  echo "This has changed."
  exit 1
fi
echo "As in the head of this file."
