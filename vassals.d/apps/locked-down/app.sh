#!/bin/sh
# Says what it is given, then waits to be told to stop.
trap 'echo "asked to stop"; exit 0' TERM

echo "arguments: [$1] [$2], GREETING=$GREETING, COLOUR=$COLOUR"
echo "host $(hostname), umask $(umask), open files $(ulimit -n)"
if (: >/etc/anything) 2>/dev/null; then echo "the system is writable"; else echo "the system is read-only"; fi
echo "locked down and $2"

while :; do
    sleep 1 &
    wait $!
done
