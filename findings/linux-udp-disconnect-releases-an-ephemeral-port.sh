#!/usr/bin/env bash
# Guess: disconnecting a UDP socket (connect(2) with AF_UNSPEC) only forgets the peer; the socket stays bound to its local port.
# Seen: the socket stays bound only if its port was chosen by number. One that was bound to port 0, for which the kernel chose a
#   port, has port 0 afterwards.
# Package: perl-base 5.36.0-7+deb12u3 (Debian 12), Linux 6.18. Date: 2026-11-29.
set -euo pipefail
VERSION=5.36.0-7+deb12u3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q -o APT::Sandbox::User=root download "perl-base=$VERSION" >/dev/null
dpkg-deb -x perl-base_*.deb root
cat >disconnect.pl <<'PERL'
use strict; use Socket;
my $any = inet_aton('127.0.0.1');
sub bound { my ($port) = @_; socket(my $s, PF_INET, SOCK_DGRAM, 17) or die $!; bind($s, sockaddr_in($port, $any)) or die $!; $s }
sub port_of { (sockaddr_in(getsockname($_[0])))[0] }
sub disconnected {
  my ($s) = @_;
  my $peer = bound(0);
  connect($s, sockaddr_in(port_of($peer), $any)) or die $!;
  connect($s, pack('S x14', AF_UNSPEC)) or die $!;
  port_of($s);
}
my $free = bound(0);
my $number = port_of($free);
close $free;
my $chosen = bound(0);
my $before = port_of($chosen);
printf "bound to port 0: %s\n", disconnected($chosen) == $before ? 'keeps its port' : port_of($chosen) == 0 ? 'has port 0' : 'has another port';
my $numbered = bound($number);
printf "bound by number: %s\n", disconnected($numbered) == $number ? 'keeps its port' : 'loses its port';
PERL
perl=$work/root/usr/bin/perl
"$perl" -I"$(echo "$work"/root/usr/lib/*/perl-base)" disconnect.pl | tee seen
[ "$(paste -sd, seen)" = 'bound to port 0: has port 0,bound by number: keeps its port' ]
