"""scripts/version.sh, and that the programs say what it said when they were built."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PREFIXMEM_BUILD", REPO / "build"))
PROGRAMS = ["pmt", "pmt-coordinator", "pmt-worker", "pmt-trainer", "pmt-adapter"]
COMMIT = {
    "GIT_AUTHOR_DATE": "2026-11-30T23:45:06-02:00",
    "GIT_COMMITTER_DATE": "2026-11-30T23:45:06-02:00",
    "GIT_AUTHOR_NAME": "a test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "a test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@pytest.fixture
def tree(tmp_path):
    """A folder of sources that no repository holds."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPO / "scripts" / "version.sh", tmp_path / "scripts")
    (tmp_path / "CMakeLists.txt").write_text("project(prefixmem VERSION 1.2.3 LANGUAGES CXX C)\n")
    return tmp_path


def git(tree, *words):
    done = subprocess.run(
        ["git", "-C", tree, *words],
        env=os.environ | COMMIT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(tree):
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--message", "a commit")
    return git(tree, "rev-parse", "HEAD")[:7]


def ask(tree, **variables):
    env = {name: value for name, value in os.environ.items() if name != "PREFIXMEM_VERSION"}
    return subprocess.run(
        [tree / "scripts" / "version.sh"], env=env | variables, capture_output=True, text=True
    )


def version(tree, **variables):
    done = ask(tree, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def test_the_release_alone_outside_a_checkout(tree):
    assert version(tree) == "1.2.3"


def test_a_commit_by_its_time_and_name(tree):
    name = commit(tree)
    assert version(tree) == f"1.2.3+20261201014506.g{name}"
    (tree / "notes").write_text("no file of the checkout")
    assert version(tree) == f"1.2.3+20261201014506.g{name}"
    (tree / "CMakeLists.txt").write_text("project(prefixmem VERSION 1.2.4 LANGUAGES CXX C)\n")
    assert version(tree) == f"1.2.4+20261201014506.g{name}.modified"


def test_a_shallow_clone_and_a_worktree_say_the_same(tree, tmp_path_factory):
    commit(tree)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    git(tree, "clone", "--quiet", "--depth=1", f"file://{tree}", elsewhere / "shallow")
    git(tree, "worktree", "add", "--quiet", "--detach", elsewhere / "worktree")
    assert {version(elsewhere / name) for name in ("shallow", "worktree")} == {version(tree)}


def test_a_checkout_that_git_cannot_read(tree):
    (tree / ".git").write_text("gitdir: nowhere\n")
    done = ask(tree)
    assert (done.returncode, done.stdout) == (0, "1.2.3\n")
    assert "git does not say what commit this is" in done.stderr


def test_what_the_environment_says(tree):
    assert version(tree, PREFIXMEM_VERSION="2.0.0~rc1+x") == "2.0.0~rc1+x"
    done = ask(tree, PREFIXMEM_VERSION='1"; system("')
    assert (done.returncode, done.stdout) == (2, "")
    assert 'PREFIXMEM_VERSION is "1"; system(""; allowed: a digit' in done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_says_what_it_was_built_from(name):
    text = (BUILD / "version.cmake").read_text()
    (built_from,) = re.findall(r"set\(PREFIXMEM_VERSION (\S+)\)", text)
    done = subprocess.run([BUILD / "bin" / name, "--version"], capture_output=True, text=True)
    assert done.stdout == f"{name} {built_from}\n", done.stderr
    if (REPO / ".git").exists():
        assert re.fullmatch(r"[0-9.]+\+\d{14}\.g[0-9a-f]{7,}(\.modified)?", built_from), built_from
