"""deploy/containers: what the Containerfile names is there, and fits packages and manifests."""

import json
import re
import shlex

import pytest
import yaml
from commands import BIN, REPO, check_flags

FILE = REPO / "deploy" / "containers" / "Containerfile"
PACKAGES = (REPO / "cmake" / "Packages.cmake").read_text(encoding="utf-8")
KNOWN = {"FROM", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "EXPOSE", "ENV", "ARG"}
KNOWN |= {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
PROGRAMS = ("pmt", "pmt-coordinator", "pmt-worker")


def instructions():
    """(word, text) of each, its lines joined."""
    lines = [line for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    for text in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if text:
            yield tuple(text.split(" ", 1))


def stages():
    """{name: (its base, [(instruction, text)…])}"""
    found = {}
    for word, text in instructions():
        assert word in KNOWN, word
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", text).groups()
            assert name not in found
            found[name] = (base, [])
            own = found[name][1]
        else:
            own.append((word, text))
    return found


STAGES = stages()


def last(program, word):
    return [text for other, text in STAGES[program][1] if other == word][-1]


def pod_container(program):
    """Of the manifests, which start the same image."""
    role = {"pmt-coordinator": "coordinator", "pmt-worker": "workers"}[program]
    text = (REPO / f"deploy/kubernetes/base/{role}.yaml").read_text(encoding="utf-8")
    (stateful_set,) = (d for d in yaml.safe_load_all(text) if d["kind"] == "StatefulSet")
    return stateful_set["spec"]["template"]["spec"]


def test_stages_and_sources_are_there():
    earlier = set()
    for name, (base, own) in STAGES.items():
        assert base in earlier or base.startswith("debian:12"), base
        for word, text in own:
            for used in re.findall(r"\bfrom=([\w-]+)", text):
                assert used in earlier, used
            if word == "COPY":
                assert [s for s in text.split()[:-1] if not (REPO / s).exists()] == []
            if word == "RUN" and "apt-get install" in text:
                assert "apt-get update" in text and "rm -rf /var/lib/apt/lists/*" in text
        earlier.add(name)
    assert set(PROGRAMS) <= set(STAGES)


def test_the_build_is_told_its_version():
    _, own = STAGES["build"]
    (builds,) = (i for i, (_, text) in enumerate(own) if "make build" in text)
    assert ("ARG", "PREFIXMEM_VERSION") in own[:builds]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_image_holds_its_package_and_runs_as_nobody_special(program):
    base, own = STAGES[program]
    assert base == "debian:12-slim", "what was built with stays behind"
    (run,) = (text for word, text in own if word == "RUN")
    assert f"/packages/{program}_*.deb" in run
    for package in re.findall(r"/packages/([\w-]+)_", run):
        component = {"pmt": "client"}.get(package, package.removeprefix("pmt-"))
        assert re.search(rf"\b{component}\b", PACKAGES), package
    assert last(program, "USER") == "10001:10001"
    assert json.loads(last(program, "ENTRYPOINT")) == [program]


@pytest.mark.parametrize("program", ["pmt-coordinator", "pmt-worker"])
def test_a_service_has_its_flags_ports_and_health(program):
    pod = pod_container(program)
    (container,) = pod["containers"]
    assert container["image"] == program and container["command"] == [program]
    assert pod["securityContext"]["runAsUser"] == 10001
    exposed = [int(port) for port in last(program, "EXPOSE").split()]
    assert exposed == [port["containerPort"] for port in container["ports"]]
    flags = json.loads(last(program, "CMD"))
    check_flags(program, flags)
    folder = last(program, "VOLUME")
    assert any(flag.endswith(f"={folder}") for flag in flags)
    assert f"install -d -o prefixmem -g prefixmem -m 700 {folder}" in last(program, "RUN")
    command = json.loads(last(program, "HEALTHCHECK").split("CMD ")[1])
    if command[0] == "pmt":
        check_flags("pmt", command)
        assert (BIN / "pmt").exists() and "/packages/pmt_*.deb" in last(program, "RUN")
    else:
        assert command[:2] == ["bash", "-c"] and str(exposed[0]) in shlex.split(command[2])[1]


def test_the_guide_gives_images_flags_of_their_programs():
    guide = (REPO / "docs" / "deploy.md").read_text(encoding="utf-8").replace("\\\n", "")
    runs = re.findall(r"^    docker run .* (pmt-(?:coordinator|worker)) (.*)$", guide, re.M)
    assert {program for program, _ in runs} == {"pmt-coordinator", "pmt-worker"}
    for program, words in runs:
        check_flags(program, words.split())
