#!/usr/bin/env bash
# A real SLURM on this machine: one node that believes in 16 CPUs and eight MI300X.
#
#   tests/slurm/up.sh [--accounting]   install what is missing, configure, start; when it is up, nothing
#   tests/slurm/down.sh [--purge]      stop it; with --purge also remove state and configuration
#
# Debian's packages, no systemd, no cgroups; needs root. --accounting adds slurmdbd and MariaDB, and
# the account `kensho` (sacct and sacctmgr work; without it the queue is the only witness).
# Ends with status 77 and one line where a SLURM cannot be had here.
# KENSHO_SLURM_CPUS: CPUs of the node (16: two jobs of 16 threads never run at once).
set -euo pipefail
export PATH=/usr/sbin:/sbin:$PATH LC_ALL=C
cpus=${KENSHO_SLURM_CPUS:-16} gpus=8 account=kensho
base=/var/lib/kensho-slurm
node=$(hostname -s)
mark="# written by tests/slurm/up.sh"
accounting=
[ "${1:-}" != --accounting ] || accounting=1

unable() { echo "no SLURM here: $*" >&2; exit 77; }
fail() { echo "up.sh: $*; logs are in $base/log" >&2; exit 1; }
within() { # SECONDS WHAT COMMAND...: try until it succeeds
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "gave up waiting for $what"
		sleep 0.3
	done
}
alive() { # NAME: its pid file names a living process of that name
	local pid
	pid=$(cat "$base/run/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}
end() { # NAME
	alive "$1" || return 0
	kill "$(cat "$base/run/$1.pid")"
	for _ in $(seq 100); do alive "$1" || return 0; sleep 0.1; done
	kill -9 "$(cat "$base/run/$1.pid")" || true
}

# Packages
[ "$(id -u)" = 0 ] || unable "it needs root"
command -v apt-get >/dev/null || unable "its packages are Debian's, and there is no apt-get"
wanted=(slurm-wlm munge)
[ -z "$accounting" ] || wanted+=(slurmdbd mariadb-server)
missing=()
for package in "${wanted[@]}"; do
	[[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) = *"ok installed" ]] || missing+=("$package")
done
for file in slurm.conf gres.conf slurmdbd.conf; do
	[ ! -e /etc/slurm/$file ] || grep -qxF "$mark" /etc/slurm/$file ||
		unable "/etc/slurm/$file belongs to another SLURM and is left alone"
done
if [ ${#missing[@]} -gt 0 ]; then
	# Debian starts a package's daemons unless this script forbids it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
	fi
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -o DPkg::Lock::Timeout=300 update &&
		apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"; } \
		>"$log" 2>&1 || unable "apt-get cannot install ${missing[*]}: $(grep -m1 '^E:' "$log" || tail -1 "$log")"
	rm -f "$log"
fi

# Configuration
mkdir -p $base/{run,log,ctld,slurmd,gpu} /etc/slurm
getent hosts "$node" >/dev/null || echo "127.0.0.1 $node" >>/etc/hosts
# Devices like /dev/null: with a file for each, SLURM hands out numbers and sets ROCR_VISIBLE_DEVICES.
for ((i = 0; i < gpus; i++)); do
	[ -c $base/gpu/mi300x$i ] || mknod -m 666 $base/gpu/mi300x$i c 1 3
done
changed=
configure() { # FILE MODE: its text from standard input; says in `changed` whether it is another one
	local new
	new=$(mktemp)
	{ echo "$mark"; cat; } >"$new"
	cmp -s "$new" "/etc/slurm/$1" || { install -m "$2" "$new" "/etc/slurm/$1"; changed=1; }
	rm -f "$new"
}
configure gres.conf 644 <<-CONF
	AutoDetect=off
	NodeName=$node Name=gpu Type=mi300x File=$base/gpu/mi300x[0-$((gpus - 1))] Flags=amd_gpu_env
CONF
configure slurm.conf 644 <<-CONF
	ClusterName=kensho
	SlurmctldHost=$node(127.0.0.1)
	SlurmUser=root
	SlurmdUser=root
	SlurmctldPort=26817
	SlurmdPort=26818
	SlurmctldPidFile=$base/run/slurmctld.pid
	SlurmdPidFile=$base/run/slurmd.pid
	SlurmctldLogFile=$base/log/slurmctld.log
	SlurmdLogFile=$base/log/slurmd.log
	StateSaveLocation=$base/ctld
	SlurmdSpoolDir=$base/slurmd
	AuthType=auth/munge
	# A job put back after its node died waits this long; 120 by default.
	AuthInfo=cred_expire=30
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	MpiDefault=none
	SchedulerParameters=bf_interval=5,batch_sched_delay=0
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core_Memory
	GresTypes=gpu
	# The figures of NodeName count, whatever the machine has.
	SlurmdParameters=config_overrides
	ReturnToService=2
	# Silence after which the node is down; 300 by default.
	SlurmdTimeout=30
	KillWait=5
	# Finished jobs stay in the queue, where their state is read.
	MinJobAge=300
	$(if [ -n "$accounting" ]; then
		echo "AccountingStorageType=accounting_storage/slurmdbd"
		echo "AccountingStorageHost=127.0.0.1"
		echo "AccountingStoragePort=26819"
		echo "AccountingStorageTRES=gres/gpu,gres/gpu:mi300x"
		echo "AccountingStorageEnforce=associations"
		echo "JobAcctGatherType=jobacct_gather/linux"
	else
		echo "AccountingStorageType=accounting_storage/none"
		echo "JobAcctGatherType=jobacct_gather/none"
	fi)
	NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus CoresPerSocket=$cpus RealMemory=1500000 Gres=gpu:mi300x:$gpus
	PartitionName=cpu Nodes=$node Default=YES DefaultTime=10 DefMemPerCPU=1000
	PartitionName=mi300x Nodes=$node DefaultTime=10 DefMemPerCPU=1000
CONF
[ -z "$accounting" ] || configure slurmdbd.conf 600 <<-CONF
	AuthType=auth/munge
	DbdHost=localhost
	DbdPort=26819
	SlurmUser=root
	PidFile=$base/run/slurmdbd.pid
	LogFile=$base/log/slurmdbd.log
	StorageType=accounting_storage/mysql
	StorageHost=127.0.0.1
	StoragePort=26820
	StorageUser=slurm
	StoragePass=slurm
	StorageLoc=slurm
CONF
if [ -n "$changed" ]; then end slurmd; end slurmctld; end slurmdbd; fi

# Daemons
munged_answers() { munge -n </dev/null | unmunge; }
if ! munged_answers >/dev/null 2>&1; then
	[ -s /etc/munge/munge.key ] || mungekey --create
	chown munge:munge /etc/munge/munge.key
	install -d -o munge -g munge -m 755 /run/munge
	install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge
	setpriv --reuid=munge --regid=munge --clear-groups munged --force >>$base/log/munged.log 2>&1 ||
		fail "munged does not start"
	ln -sf /run/munge/munged.pid $base/run/munged.pid
	within 20 munged munged_answers
fi
if [ -n "$accounting" ]; then
	socket=$base/run/mariadbd.sock
	if ! alive mariadbd; then
		install -d -o mysql -g mysql -m 700 $base/mysql
		install -o mysql -g mysql -m 644 /dev/null $base/run/mariadbd.pid
		chmod 1777 $base/run
		[ -d $base/mysql/mysql ] || mariadb-install-db --no-defaults --user=mysql --datadir=$base/mysql \
			--auth-root-authentication-method=socket --skip-test-db >$base/log/mariadbd.log 2>&1 ||
			fail "mariadb-install-db failed"
		setsid mariadbd --no-defaults --user=mysql --datadir=$base/mysql --socket=$socket --port=26820 \
			--bind-address=127.0.0.1 --pid-file=$base/run/mariadbd.pid --innodb-lock-wait-timeout=900 \
			</dev/null >>$base/log/mariadbd.log 2>&1 &
		within 60 mariadbd mariadb-admin --no-defaults --socket=$socket ping
	fi
	mariadb --no-defaults --socket=$socket --execute="
		CREATE DATABASE IF NOT EXISTS slurm;
		CREATE USER IF NOT EXISTS slurm@127.0.0.1 IDENTIFIED BY 'slurm';
		GRANT ALL ON slurm.* TO slurm@127.0.0.1;"
	alive slurmdbd || slurmdbd
	within 60 slurmdbd sacctmgr --noheader list cluster
	for what in "cluster kensho" "account $account Cluster=kensho" "user root Account=$account"; do
		# shellcheck disable=SC2086
		sacctmgr --immediate add $what >/dev/null || true # refused where it exists already
	done
	sacctmgr --noheader list associations user=root format=account | grep -qw $account ||
		fail "no account $account for root"
fi
alive slurmctld || slurmctld
within 30 slurmctld scontrol ping
alive slurmd || slurmd
ready() {
	[[ $(sinfo --noheader --nodes="$node" --partition=cpu --format=%t) =~ ^(idle|mix|alloc)$ ]] ||
		{ scontrol update nodename="$node" state=resume; false; }
}
within 60 "node $node" ready
sinfo --noheader --partition=mi300x --format="SLURM is up: %n, %C CPUs (allocated/idle/other/total), %G"
