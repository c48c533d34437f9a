#!/usr/bin/env bash
# Stops what up.sh started, by process id; --purge also removes its state and configuration.
set -uo pipefail
export PATH=/usr/sbin:/sbin:$PATH LC_ALL=C
base=/var/lib/kensho-slurm
mark="# written by tests/slurm/up.sh"
grep -qxF "$mark" /etc/slurm/slurm.conf 2>/dev/null || { echo "nothing of up.sh is here"; exit 0; }
timeout 10 scancel --user="$(id -un)"
for name in slurmd slurmctld slurmdbd mariadbd munged; do
	pid=$(cat $base/run/$name.pid 2>/dev/null) || continue
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = $name ] || continue
	kill "$pid"
	timeout 20 tail --pid="$pid" -f /dev/null || kill -9 "$pid"
done
if [ "${1:-}" = --purge ]; then
	for file in slurm.conf gres.conf slurmdbd.conf; do
		if grep -qxF "$mark" /etc/slurm/$file 2>/dev/null; then rm /etc/slurm/$file; fi
	done
	rm -rf $base
fi
exit 0
