#!/usr/bin/env bash
# The node of up.sh dies as by a power cut: slurmd, each job's step daemons, and all that they run.
# With a job id only what that job runs dies, and its step daemons tell the controller.
set -uo pipefail
below() { # PID: its descendants
	local child
	for child in $(ps -o pid= --ppid "$1"); do
		echo "$child"
		below "$child"
	done
}
steps=$(ps -eo pid=,args= | awk -v job="${1:-}" '$2 == "slurmstepd:" && (job == "" || index($3, "[" job ".") == 1) {print $1}')
doomed=$(for step in $steps; do
	[ -n "${1:-}" ] || echo "$step"
	below "$step"
done)
[ -n "${1:-}" ] || doomed="$(cat /var/lib/kensho-slurm/run/slurmd.pid) $doomed"
# Stopped first, so that nobody cleans up after another.
# shellcheck disable=SC2086
kill -STOP $doomed 2>/dev/null
# shellcheck disable=SC2086
kill -9 $doomed 2>/dev/null
exit 0
