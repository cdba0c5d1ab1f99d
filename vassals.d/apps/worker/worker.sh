#!/bin/sh
# Takes one task after the other. SIGTERM means: finish the one in hand, then end.
stopping=no
trap 'stopping=yes; echo "asked to stop, finishing task $task first"' TERM

task=0
while [ "$stopping" = no ]; do
    task=$((task + 1))
    echo "task $task begins"
    # `wait` is interrupted by the signal, the task is not.
    sleep 3 &
    work=$!
    while kill -0 "$work" 2>/dev/null; do
        wait "$work"
    done
    echo "task $task is done"
done
echo "stopped after $task tasks"
