"""A real Slurm on one machine: munge, slurmctld, and two slurmd with one pretended GPU each.

Everything listens on loopback and lives in one folder; nothing system-wide is read or written.
It needs Debian's slurm-wlm and munge.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CLIENTS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
NODES = ("lab1", "lab2")
START_TIMEOUT = 60.0


class SlurmLab:
    """A running two-node cluster, used with ``with``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "slurm.conf"
        self._daemons: list[subprocess.Popen[bytes]] = []
        for name in ("bin", "log", "state", "dev", *(f"spool/{node}" for node in NODES)):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "SlurmLab":
        self._write_configuration()
        self._write_clients()
        try:
            self._start_daemons()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.run("scancel", "--user", str(os.getuid()))
        self.wait_until(lambda: not self.run("squeue", "--noheader"), "jobs did not end")
        self._stop()

    @property
    def clients(self) -> Path:
        """The folder of sbatch, squeue and so on that talk to this cluster; it goes on PATH."""
        return self.folder / "bin"

    def run(self, *command: str) -> str:
        """What a Slurm command prints."""
        program, *arguments = command
        return subprocess.run(
            [self.clients / program, *arguments], check=True, capture_output=True, text=True
        ).stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs since the start, with the fields of ``scontrol show job --details``."""
        lines = self.run("scontrol", "--details", "--oneliner", "show", "job").splitlines()
        return [
            dict(field.partition("=")[::2] for field in line.split() if "=" in field)
            for line in lines
            if line.startswith("JobId=")
        ]

    def _write_configuration(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self.config.write_text(_slurm_conf(self.folder))
        (self.folder / "gres.conf").write_text(_gres_conf(self.folder))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def _write_clients(self) -> None:
        """Wrappers that name the configuration: jobs are not given SLURM_CONF by Snakemake."""
        for name in CLIENTS:
            client = self.clients / name
            real = shutil.which(name)
            if real is None:
                raise FileNotFoundError(f"{name}: apt-get install slurm-wlm munge")
            client.write_text(f'#!/bin/sh\nSLURM_CONF="{self.config}" exec {real} "$@"\n')
            client.chmod(0o755)

    def _start_daemons(self) -> None:
        munge = self.folder / "munge"
        self._start(
            *("munged", "--foreground", "--force"),
            *("--key-file", f"{munge}.key", "--socket", f"{munge}.sock"),
            *("--pid-file", f"{munge}.pid", "--seed-file", f"{munge}.seed"),
            *("--log-file", str(self.folder / "log" / "munged.log")),
        )
        self.wait_until((self.folder / "munge.sock").exists, "munged did not start")
        self._start("slurmctld", "-D", "-c", "-f", str(self.config))
        for node in NODES:
            self._start("slurmd", "-D", "-N", node, "-f", str(self.config))
        self.wait_until(self._all_idle, "the nodes did not become idle")

    def _start(self, name: str, *arguments: str) -> None:
        daemon = shutil.which(name, path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
        if daemon is None:
            raise FileNotFoundError(f"{name}: apt-get install slurm-wlm munge")
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self._daemons.append(
                subprocess.Popen(
                    [daemon, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            )

    def _all_idle(self) -> bool:
        try:
            return self.run("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * len(NODES)
        except subprocess.CalledProcessError:
            return False

    def wait_until(self, condition: Callable[[], bool], complaint: str) -> None:
        """Wait for a condition; a ``TimeoutError`` shows the daemons' logs."""
        end = time.monotonic() + START_TIMEOUT
        while not condition():
            if time.monotonic() > end:
                logs = "\n".join(
                    path.read_text()[-2000:] for path in sorted((self.folder / "log").iterdir())
                )
                raise TimeoutError(f"{complaint}\n{logs}")
            time.sleep(0.1)

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _slurm_conf(folder: Path) -> str:
    host = socket.gethostname().partition(".")[0]
    user = _user_name()
    nodes = "".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={_free_port()}"
        f" CPUs={os.cpu_count()} RealMemory=8000 Gres=gpu:1 State=UNKNOWN\n"
        for node in NODES
    )
    return f"""\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={_free_port()}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool/%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MpiDefault=none
JobRequeue=1
ReturnToService=2
KillWait=2
MinJobAge=3600
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=2
AccountingStorageType=accounting_storage/none
{nodes}PartitionName=lab Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def _gres_conf(folder: Path) -> str:
    """One GPU a node; its device is an empty file."""
    lines = []
    for node in NODES:
        device = folder / "dev" / f"{node}_gpu0"
        device.touch()
        lines.append(f"NodeName={node} Name=gpu File={device} Flags=nvidia_gpu_env\n")
    return "".join(lines)


def _user_name() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
