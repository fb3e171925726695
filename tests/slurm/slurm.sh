#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests, as root and with Debian's packages:
#   apt-get install --no-install-recommends slurm-wlm slurmdbd munge mariadb-server
#   slurm.sh start FOLDER   start it; everything it writes is in FOLDER, and clients need SLURM_CONF=FOLDER/slurm.conf
#   slurm.sh stop FOLDER    stop it
set -euo pipefail

command=$1
folder=$(realpath -m "$2")
first_port=${SLURM_TEST_PORT:-16817}  # of four
node=$(hostname -s)
export SLURM_CONF=$folder/slurm.conf

wait_for() {  # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >"$folder/wait.log" 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "not ready: $*" >&2
            cat "$folder/wait.log" >&2
            return 1
        fi
        sleep 0.2
    done
}

configure() {
    mkdir -p "$folder"/{munge,db,state,spool,log}
    chmod 755 "$folder" "$folder/munge"
    chmod 700 "$folder/db"
    cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$first_port
SlurmdPort=$((first_port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
KillWait=10
MinJobAge=30
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((first_port + 2))
AccountingStoragePass=$folder/munge/socket
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    cat >"$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
DbdHost=localhost
DbdPort=$((first_port + 2))
SlurmUser=root
PidFile=$folder/slurmdbd.pid
LogFile=$folder/log/slurmdbd
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((first_port + 3))
StorageUser=slurm
StoragePass=test
StorageLoc=accounting
CONF
    chmod 600 "$folder/slurmdbd.conf"
    head -c 1024 /dev/urandom >"$folder/munge/key"
    chmod 600 "$folder/munge/key"
}

start() {
    configure
    munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
        --log-file="$folder/log/munged" --seed-file="$folder/munge/seed" --num-threads=2

    mariadb-install-db --no-defaults --user=root --datadir="$folder/db" --auth-root-authentication-method=socket \
        --skip-test-db >"$folder/log/install-db" 2>&1
    mariadbd --no-defaults --user=root --datadir="$folder/db" --socket="$folder/db/socket" --pid-file="$folder/mariadb.pid" \
        --bind-address=127.0.0.1 --port=$((first_port + 3)) --innodb-buffer-pool-size=64M >"$folder/log/mariadb" 2>&1 &
    wait_for 60 mariadb-admin --no-defaults --socket="$folder/db/socket" ping
    mariadb --no-defaults --socket="$folder/db/socket" <<SQL
CREATE DATABASE accounting;
CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'test';
CREATE USER slurm@localhost IDENTIFIED BY 'test';
GRANT ALL ON accounting.* TO slurm@127.0.0.1;
GRANT ALL ON accounting.* TO slurm@localhost;
SQL
    slurmdbd
    wait_for 60 sacctmgr -n show cluster
    sacctmgr -i add cluster test >"$folder/log/sacctmgr" 2>&1 || true  # slurmctld adds it otherwise
    slurmctld
    slurmd
    wait_for 60 sh -c "sinfo -h -o %T | grep -x idle"
    wait_for 60 srun --time=1 true
}

stop() {
    # Jobs first, which would outlive the daemons.
    if scancel --user="$(id -un)" 2>/dev/null; then
        wait_for 30 sh -c 'test -z "$(squeue -h)"' || true
    fi
    # In the other order, each by the number of its own process.
    for file in slurmd.pid slurmctld.pid slurmdbd.pid mariadb.pid munge/pid; do
        [ -s "$folder/$file" ] || continue
        pid=$(cat "$folder/$file")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
}

case $command in
start) start ;;
stop) stop ;;
*)
    echo "usage: $0 start|stop FOLDER" >&2
    exit 2
    ;;
esac
