#!/bin/bash
# Process 1 of the guest (guest.ts): runs the jobs that the host sends on the serial port "jobs". A line is a job's name and its
# time limit in seconds; the job is /work/NAME.sh, its output goes to NAME.out and NAME.err, and its end is reported by the line
# "NAME EXIT-CODE". Jobs run concurrently. Changes are lost with the guest, whose disk is a snapshot.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/openvswitch /run/netns /dist
ln -s /proc/self/fd /dev/fd
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=262144 dist /dist
ip link set lo up
# 10.0.2.2 is the host's loopback in qemu's user network.
modprobe virtio_net
until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
modprobe virtio_console
# There is one port; its name has the number of the device.
# The file may be there before the port can be opened.
until compgen -G '/dev/vport*' >/dev/null && { exec 3<>/dev/vport*; } 2>/dev/null; do sleep 0.1; done
echo "up $(cut -d ' ' -f 1 /proc/uptime)" >&3
while read -r name seconds <&3; do
  (
    timeout -k 2 "$seconds" bash "/work/$name.sh" >"/work/$name.out" 2>"/work/$name.err" </dev/null 3>&-
    echo "$name $?" >&3
  ) &
done
