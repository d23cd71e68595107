#!/usr/bin/env bash
# Guess: ovs-vswitchd starts threads for the upcalls of the kernel datapath whenever it is started, also soon after the boot.
# Seen: version 3.1.0 counts processors at most every 10 s, by a clock that begins with the boot, and takes their number to be 0
#   before the first count. Started in the first 10 s of a machine with one or two processors, it has no thread for upcalls, and each
#   packet that misses the datapath's flows is lost; the log has one line, which looks ordinary. A change of the configuration after
#   the 10 s starts threads, and packets are still lost. After a restart none are. With four processors there are two threads at once.
#   (Later versions have one at least.) This script has one processor.
# Package: openvswitch-switch 3.1.0-2+deb12u1, linux-image-6.1.0-50-amd64 6.1.176-1 (Debian 12), in qemu. Date: 2026-11-30.
set -euo pipefail
VERSION=3.1.0-2+deb12u1
KERNEL=6.1.0-50-amd64
KERNEL_VERSION=6.1.176-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Unpacks the packages into the temporary folder, with what this machine lacks of those that they need.
wanted="openvswitch-switch=$VERSION qemu-system-x86 busybox-static kmod cpio"
missing=$(apt-get -s install --no-install-recommends $wanted | awk '$1 == "Inst" { print $2 }' | grep -v '^openvswitch-' || true)
apt-get -q -o APT::Sandbox::User=root download "openvswitch-switch=$VERSION" "openvswitch-common=$VERSION" busybox-static \
  "linux-image-$KERNEL=$KERNEL_VERSION" $(grep -vx busybox-static <<<"$missing" || true) >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export PATH="$work/root/usr/bin:$work/root/usr/sbin:$work/root/sbin:$work/root/bin:$work/root/usr/lib/openvswitch-switch:$PATH:/usr/sbin:/sbin"
export LD_LIBRARY_PATH="$libraries"

# The guest is an initial RAM disk: a shell, Open vSwitch with its libraries and schema, and the modules that the datapath needs.
mkdir -p guest/{bin,dev,proc,sys,tmp,modules,etc/openvswitch,var/run/openvswitch,var/log/openvswitch}
cp "$(command -v busybox)" guest/bin/
for program in ovs-vswitchd ovsdb-server ovsdb-tool ovs-vsctl ovs-dpctl; do
  file=$(readlink -f "$(command -v $program)")
  cp "$file" "guest/bin/$program"
  for library in $(ldd "$file" | grep -o '/[^ ]*'); do
    mkdir -p "guest$(dirname "$library")"
    cp -L "$library" "guest$(dirname "$library")/"
  done
done
mkdir -p guest/lib64 guest/usr/share/openvswitch
cp -L /lib64/ld-linux-x86-64.so.2 guest/lib64/
cp root/usr/share/openvswitch/vswitch.ovsschema guest/usr/share/openvswitch/
depmod -b root "$KERNEL"
modules=$(modprobe -S "$KERNEL" -d root --show-depends openvswitch | awk '$1 == "insmod" { print $2 }')
cp $modules guest/modules/
cat >guest/init <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=$libraries:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(for module in $modules; do printf '%s ' "${module##*/}"; done); do insmod /modules/\$module; done
ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --remote=punix:/var/run/openvswitch/db.sock --detach --pidfile -vconsole:off -vsyslog:off
ovs-vsctl --no-wait init -- add-br br0
lost() { ovs-dpctl show | sed -n 's/.*lost:\([0-9]*\).*/\1/p'; }
report() {
  threads=\$(sed -n 's/.*Overriding n-handler-threads to \([0-9]*\),.*/\1/p' /var/log/openvswitch/ovs-vswitchd.log | tail -n 1)
  seconds=\$(cut -d . -f 1 /proc/uptime)
  before=\$(lost)
  ping -c 3 -w 3 10.0.0.2 >/dev/null
  echo "\$1, \$seconds s after the boot: \$threads threads for upcalls, \$((\$(lost) - before)) packets lost in 3 s"
}
start() { ovs-vswitchd --detach --pidfile --log-file -vconsole:off -vsyslog:off; ifconfig br0 10.0.0.1 netmask 255.255.255.0 up; }
start
report started
until [ "\$(cut -d . -f 1 /proc/uptime)" -ge 11 ]; do sleep 0.1; done
ovs-vsctl set Bridge br0 other-config:note=changed
report changed
process=\$(cat /var/run/openvswitch/ovs-vswitchd.pid)
kill \$process
while [ -e /proc/\$process ]; do sleep 0.1; done
start
report restarted
poweroff -f
END
chmod 755 guest/init
(cd guest && find . | cpio -o -H newc --quiet) | gzip -1 >initrd
data=$(for folder in root/usr/share/qemu root/usr/share/seabios /usr/share/qemu /usr/share/seabios; do [ -d "$folder" ] && printf ' -L %s' "$folder"; done || true)
# qemu and its modules may be here in part.
mkdir accelerators
find "$work/root/usr/lib" /usr/lib/*/qemu -name 'accel-*.so' -exec ln -sf {} accelerators/ \; 2>/dev/null || true
export QEMU_MODULE_DIR=$work/accelerators
timeout 300 qemu-system-x86_64 $data -accel tcg -cpu max -smp 1 -m 1024 -nographic -no-reboot -nodefaults -serial stdio \
  -kernel "root/boot/vmlinuz-$KERNEL" -initrd initrd -append 'console=ttyS0 quiet panic=-1 cryptomgr.notests no_timer_check' >console 2>&1 || { cat console; exit 1; }
tr -d '\r' <console >lines
grep -a -E '^(started|changed|restarted), ' lines || { tail -n 20 lines; exit 1; }
[ "$(sed -n 's/^started, \([0-9]*\) s.*/\1/p' lines)" -lt 9 ] || { echo 'The guest is too slow to start ovs-vswitchd in its first 10 s.'; exit 1; }
grep -q '^started, .*: 0 threads for upcalls, [1-9][0-9]* packets lost' lines
grep -q '^changed, .*: 1 threads for upcalls, [1-9][0-9]* packets lost' lines
grep -q '^restarted, .*: 1 threads for upcalls, 0 packets lost' lines
