"""docs/quickstart-cluster.md as a new user would follow it, each host a folder of its own."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import REPO
from pages import blocks
from programs import Program, build_folder, eventually

PAGE = (REPO / "docs" / "quickstart-cluster.md").read_text(encoding="utf-8")
HOSTS = ("the coordinator's host", "worker 1", "worker 2", "your own machine")


class Shell(Program):
    """A block that goes on until it is stopped."""

    def __init__(self, text, folder, environment):
        super().__init__("bash", folder)
        self.text, self.environment = text, environment

    def command(self):
        ready = f" --ready-file {self.ready_file}\n"
        script = f"cd {self.log.parent}\nexec {self.text.rstrip()}{ready}"
        return ["env", *self.environment, "bash", "-ec", script]


class Hosts:
    """Folders that stand for hosts, and what runs there."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []
        self.address = "127.0.0.1:0"
        self.variables = {"PATH": f"{build_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        for host in HOSTS:
            self.of(host).mkdir()

    def of(self, host):
        return self.folder / host.replace(" ", "-").replace("'", "")

    def here(self, text):
        """For hosts that are all this one, at ports that were free."""
        text = text.replace("0.0.0.0:7070", "127.0.0.1:0 --http 127.0.0.1:0")
        text = text.replace("head.example:7070", self.address)
        return text.replace("192.0.2.7", "127.0.0.1")

    def run(self, host, text):
        """The commands, each of which must do."""
        return subprocess.run(
            ["bash", "-ec", self.here(text)],
            cwd=self.of(host),
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def serve(self, host, text):
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        self.running.append(Shell(self.here(text), self.of(host), variables))
        return self.running[-1].start()

    def stop(self):
        for program in reversed(self.running):
            program.stop()


@pytest.fixture
def hosts(tmp_path):
    hosts = Hosts(tmp_path)
    yield hosts
    hosts.stop()


def copies(hosts):
    """What the page says to copy by hand, where it is there already."""
    head = hosts.of(HOSTS[0])
    for host, names in {
        "worker 1": ("tls/head-ca.crt", "tls/worker-1.crt", "tls/worker-1.key"),
        "worker 2": ("tls/head-ca.crt", "tls/worker-2.crt", "tls/worker-2.key"),
        "your own machine": ("tls/head-ca.crt", "me.token"),
    }.items():
        for name in filter(lambda name: (head / name).exists(), names):
            shutil.copy(head / name, hosts.of(host))


def await_workers(hosts, listing):
    def both():
        return hosts.run("your own machine", listing).stdout.count("connected") == 2

    eventually(both, 30, "both workers are there")


def test_the_page_does_what_it_says(lab, hosts):
    mine = hosts.of("your own machine")
    shutil.copytree(lab.model, mine / "gemma3-270m")
    for rows in ("train.jsonl", "test.jsonl"):
        shutil.copy(lab.data, mine / rows)
    for worker in ("worker 1", "worker 2"):
        (hosts.of(worker) / "models").mkdir()

    steps = blocks(PAGE, HOSTS)
    assert {host for host, _, _ in steps} == set(HOSTS)
    for host, language, text in steps:
        copies(hosts)
        if language == "yaml":
            (mine / "job.yaml").write_text(text)
        elif text.startswith(("pmt-coordinator --", "pmt-worker ")):
            program = hosts.serve(host, text)
            hosts.address = program.ready.get("grpc", hosts.address)
        else:
            if host == "your own machine":
                await_workers(hosts, text.split("pmt models")[0])
            done = hosts.run(host, text)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    result = json.loads((mine / "first" / "result.json").read_text())
    assert result["status"] == "OK"
    assert (mine / "first" / "adapter" / "adapter_model.safetensors").is_file()
