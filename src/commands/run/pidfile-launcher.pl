#!/usr/bin/perl
# ovs-ipfix-pidfile PIDFILE PROGRAM [ARGUMENT...]: writes its pid to PIDFILE, locks the file and executes PROGRAM.
# OVS's tools find a daemon by name only through a locked pid file (read_pidfile() in lib/daemon-unix.c). Node cannot take the
# lock (fcntl(2), F_SETLK), but a lock taken before exec belongs to the process and remains. PROGRAM must never open the file: closing it would end the lock.
use strict;
use warnings;
use Fcntl;

# Ends as the program itself would: the exit code of die is that of the last system call.
sub fail {
    print STDERR @_;
    exit 1;
}

my ($pidfile, @program) = @ARGV;
fail("usage: ovs-ipfix-pidfile PIDFILE PROGRAM [ARGUMENT...]\n") unless @program;
sysopen(my $file, $pidfile, O_RDWR | O_CREAT, 0644)
    or fail("ovs-ipfix: The pid file $pidfile cannot be opened: $!. See that its folder is there, or name another with --pidfile.\n");

# struct flock of 64-bit Linux: type, whence, (padding), start, length, pid.
my $lock = pack('s s x![q] q q i x![q]', F_WRLCK, 0, 0, 0, 0);
unless (fcntl($file, F_SETLK, $lock)) {
    my $reason = $!;
    my $holder = pack('s s x![q] q q i x![q]', F_WRLCK, 0, 0, 0, 0);
    my $pid = fcntl($file, F_GETLK, $holder) ? (unpack('s s x![q] q q i', $holder))[4] : 0;
    fail($pid
        ? "ovs-ipfix: The process $pid has the pid file $pidfile: a daemon runs already. Stop it, or name another with --pidfile.\n"
        : "ovs-ipfix: The pid file $pidfile cannot be locked: $reason.\n");
}
truncate($file, 0) && syswrite($file, "$$\n")
    or fail("ovs-ipfix: The pid file $pidfile cannot be written: $!.\n");
fcntl($file, F_SETFD, 0) or fail("ovs-ipfix: The pid file $pidfile cannot be kept open: $!.\n");

$ENV{OVS_IPFIX_PIDFILE} = $pidfile;
$ENV{OVS_IPFIX_PIDFILE_OWNER} = $$;
exec { $program[0] } @program
    or fail("ovs-ipfix: $program[0] cannot be run: $!.\n");
