"""A Slurm of its own: munge, controller and one node, in a folder, on loopback."""

import os
import pathlib
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile

from programs import die_with_parent, eventually

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MessageTimeout=5
KillWait=15
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0
ReturnToService=2
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=main Nodes=node Default=YES
"""


def free_ports(count):
    """Of now: Slurm cannot be asked to choose."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Slurm:
    """Runs from `with` to its end, when every job is cancelled and gone."""

    def __init__(self, cpus):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-"))
        self.variables = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons = {}
        controller_port, node_port = free_ports(2)
        (self.folder / "state").mkdir()
        (self.folder / "spool").mkdir()
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                host=socket.gethostname().split(".")[0],
                user=pwd.getpwuid(os.getuid()).pw_name,
                controller_port=controller_port,
                node_port=node_port,
                cpus=cpus,
            )
        )
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)

    def __enter__(self):
        folder = self.folder
        folder.chmod(0o755)  # munge wants its socket to be within everybody's reach
        self.start(
            "munged",
            "--foreground",
            "--force",
            *(f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")),
            f"--socket={folder}/munge.socket",
        )
        eventually((folder / "munge.socket").exists, 20, "munge listens")
        self.start_controller()
        self.start("slurmd", "-D", "-N", "node")
        eventually(self.node_is_idle, 60, "the node is there")
        return self

    def __exit__(self, *_):
        if self.daemons["slurmctld"].poll() is not None:
            self.start_controller()
        self.ask("scancel", f"--user={os.getuid()}")
        eventually(lambda: not self.queue(), 60, "every job is gone")
        for name in ("slurmd", "slurmctld", "munged"):
            self.stop(name)
        shutil.rmtree(self.folder)

    def start(self, program, *arguments):
        with (self.folder / f"{program}.out").open("ab") as output:
            self.daemons[program] = subprocess.Popen(
                [shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"), *arguments],
                env={**os.environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )

    def start_controller(self):
        self.start("slurmctld", "-D")

    def stop(self, program):
        self.daemons[program].terminate()
        self.daemons[program].wait(30)

    def ask(self, *command):
        """Runs one of Slurm's commands."""
        return subprocess.run(
            command,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def node_is_idle(self):
        return self.ask("sinfo", "--noheader", "--format=%t").stdout.startswith("idle")

    def queue(self):
        """{job: state}"""
        done = self.ask("squeue", "--noheader", "--format=%i|%T")
        assert done.returncode == 0, done.stderr
        return dict(line.split("|") for line in done.stdout.splitlines())

    def most_at_once(self):
        """Of all jobs, from their submission to their end; Slurm knows of the last five minutes."""
        done = self.ask("scontrol", "--oneliner", "show", "jobs")
        assert done.returncode == 0, done.stderr
        spans = re.findall(r" SubmitTime=(\S+) .* EndTime=(\S+)", done.stdout)
        return max(sum(first <= at < last for first, last in spans) for at, _ in spans)

    def cancel(self, job):
        done = self.ask("scancel", job)
        assert done.returncode == 0, done.stderr

    def logs(self):
        files = sorted(self.folder.glob("*.out"))
        return "\n".join(f"--- {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in files)
