#!/bin/bash
# Holds one lab: makes its network namespaces, then waits for the end of its standard input, which is a pipe from the
# process that started the lab. However that process ends, the kernel closes the pipe; then everything goes.
#   supervisor.sh FOLDER HOST...   runs in a mount namespace of its own, so that no mount is seen outside.
set -eu
trap '' INT TERM HUP # Ctrl-C on a test run reaches us by the pipe, after the tests have ended
folder=$1
shift

# The servers die with the pid namespace. What tests started in a branch lives outside of it, and is known by its network.
leftovers() {
  local process host
  for process in /proc/[0-9]*; do
    for host in "$folder"/ns/*; do
      if [ "$process/ns/net" -ef "$host" ] 2>/dev/null; then echo "${process#/proc/}"; fi
    done
  done
}
clear_away() {
  local round left host
  for round in {1..50}; do
    left=$(leftovers)
    [ -n "$left" ] || break
    kill -KILL $left 2>/dev/null || true
    sleep 0.02
  done
  for host in "$folder"/ns/*; do umount "$host" 2>/dev/null || true; done
  rm -rf --one-file-system "$folder"
}
trap clear_away EXIT

mount --bind "$folder/etc/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mount --bind "$folder/etc/nsswitch.conf" /etc/nsswitch.conf
for host; do
  : > "$folder/ns/$host"
  unshare --net="$folder/ns/$host" true
done
for host; do # the router is first: it makes the cables that the others then find
  nsenter --net="$folder/ns/$host" -- ip -batch "$folder/net/$host.batch"
done
nsenter --net="$folder/ns/router" -- sysctl -qw net.ipv4.ip_forward=1

# The first process of the servers' pid namespace. It reads the same pipe: even when this script is killed, the namespace
# goes with the pipe, and the kernel kills every process in it at once. bash, because it reaps orphans while it reads.
unshare --pid --fork --kill-child --mount-proc -- bash -c 'echo ready; exec >/dev/null 2>&1; while read -r _; do :; done'
