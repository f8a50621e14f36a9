"""deploy/slurm: a script and a provisioner's file that fit each other and the programs."""

import re
import shlex

import yaml
from commands import REPO, check_flags

FOLDER = REPO / "deploy" / "slurm"
SCRIPT = FOLDER / "pmt-worker.sbatch"


def directives():
    text = SCRIPT.read_text(encoding="utf-8")
    return dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", text, re.M))


def test_flags_are_those_of_the_worker():
    text = SCRIPT.read_text(encoding="utf-8")
    (listed,) = re.findall(r"^flags=\((.*?)^\)", text, re.M | re.S)
    (line,) = re.findall(r'^pmt-worker "\$\{flags\[@\]\}" (.*) &$', text, re.M)
    check_flags("pmt-worker", shlex.split(listed) + shlex.split(line))


def test_an_end_leaves_time_to_drain():
    signal = directives()["signal"]
    assert signal.startswith("B:TERM@"), "ranks are the worker's to stop"
    assert int(signal.split("@")[1]) >= 2 * 10  # docs/deploy.md


def test_the_file_says_what_the_script_brings():
    settings = yaml.safe_load((FOLDER / "provisioner.yaml").read_text(encoding="utf-8"))
    assert (FOLDER / settings["script"]).samefile(SCRIPT)
    assert settings["slots"] == int(directives()["cpus-per-task"])
