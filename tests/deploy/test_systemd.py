"""deploy/systemd: units that systemd takes, with flags that the programs have."""

import re
import shlex
import subprocess

import pytest
from commands import BIN, REPO, check_flags

FOLDER = REPO / "deploy" / "systemd"
DEBIAN = REPO / "deploy" / "debian"
# Of systemd's scale from 0 to 10. The worker starts jobs as another account, on devices.
EXPOSURE = {"coordinator": 1.5, "worker": 5.0}
EACH = pytest.mark.parametrize("service", sorted(EXPOSURE))


def unit_of(service):
    return FOLDER / f"pmt-{service}.service"


def settings_of(service):
    """{setting: its last value}"""
    return dict(re.findall(r"^(\w+)=(.*)$", unit_of(service).read_text("utf-8"), re.M))


def analyze(*words):
    command = ["systemd-analyze", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@EACH
def test_systemd_knows_every_setting(service, tmp_path):
    unit = tmp_path / unit_of(service).name
    unit.write_text(unit_of(service).read_text("utf-8").replace("/usr/bin", str(BIN)))
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("LimitNOFILE", "LimitNOFILES"))
    assert "LimitNOFILES" in analyze("verify", "--man=no", unit).stderr


@EACH
def test_little_is_exposed(service):
    threshold = f"--threshold={round(EXPOSURE[service] * 10)}"
    done = analyze("security", "--offline=true", threshold, unit_of(service))
    assert done.returncode == 0, done.stdout.splitlines()[-1]
    assert analyze("security", "--offline=true", "--threshold=1", unit_of(service)).returncode


@EACH
def test_flags_are_those_of_the_program(service):
    program, *words = shlex.split(settings_of(service)["ExecStart"])
    assert program == f"/usr/bin/pmt-{service}"
    example = (FOLDER / f"{service}.env").read_text(encoding="utf-8")
    (offered,) = re.findall(r"^# FLAGS=(.*)$", example, re.M)
    check_flags(f"pmt-{service}", [*words, *shlex.split(offered)])
    assert re.search(r"^FLAGS=$", example, re.M), "as installed, nobody else is served"


@EACH
def test_the_package_has_what_the_unit_names(service):
    settings = settings_of(service)
    flags = f"/etc/prefixmem/{service}.env"
    assert settings["EnvironmentFile"] == f"-{flags}"
    assert (DEBIAN / service / "conffiles").read_text(encoding="utf-8") == flags + "\n"
    asked = re.search(r"--job-user=(\S+)", settings["ExecStart"])
    account = asked[1] if asked else settings["User"]
    assert "useradd --system" in (script := (DEBIAN / service / "postinst").read_text("utf-8"))
    assert f" {account}\n" in script and f"getent passwd {account} " in script
    assert f"pmt-{service}.service" in (DEBIAN / service / "prerm").read_text("utf-8")


@EACH
def test_a_stop_leaves_time_to_drain(service):
    settings = settings_of(service)
    assert settings["KillMode"] == "mixed", "ranks are the worker's to stop"
    assert int(settings["TimeoutStopSec"]) >= 2 * 8  # docs/deploy.md
