"""What README.md and docs/ name is there: files, functions, keys, flags, make targets."""

import pathlib
import re
import subprocess

import pytest
import yaml

REPO = pathlib.Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
SOURCES = (".cc", ".h", ".py", ".rs", ".sh", ".proto", ".cmake", ".md")
# Folders of a build, a run or a user; what lies in them is not of the repository.
MADE = ("build/", ".deps/", "out/", "/", "~", "<", "http:", "https:")
# Folders that a run makes, named without what they lie in.
MADE_FOLDERS = {"adapter/", "checkpoints/", "workshop/adapter/"}


def tracked():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    return [f for f in listed.splitlines() if (REPO / f).is_file()]


FILES = tracked()
FOLDERS = {str(parent) for f in FILES for parent in pathlib.PurePosixPath(f).parents} - {"."}
TOP = {f.split("/")[0] for f in FILES if "/" in f}
CODE = {f: (REPO / f).read_text(encoding="utf-8") for f in FILES if f.endswith((".cc", ".h"))}
WORDS = set(re.findall(r"\w+", "\n".join(CODE.values())))


def code_spans(page):
    text = re.sub(r"^(```.*?^```|    .*?)$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


def is_path(span):
    """Whether a span is meant as a path of the repository."""
    if re.search(r"[\s*=(){}]", span) or span.startswith(MADE) or span in MADE_FOLDERS:
        return False
    return span.endswith((*SOURCES, "/")) or ("/" in span and span.split("/")[0] in TOP)


def is_there(path):
    """From the root, or from a folder that the text around it has named."""
    path = path.rstrip("/")
    return any(known == path or known.endswith(f"/{path}") for known in (*FILES, *FOLDERS))


def section(page, begin, end):
    text = page.read_text(encoding="utf-8")
    return text[text.index(begin) :].split(end, 1)[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths(page):
    missing = [span for span in code_spans(page) if is_path(span) and not is_there(span)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [t for t in targets if not (page.parent / t).exists()]


def test_functions_and_classes_of_the_architecture():
    spans = code_spans(REPO / "docs/architecture.md")
    names = [s for s in spans if re.fullmatch(r"[A-Za-z_]\w*(::\w+)*", s)]
    assert len(names) > 50
    assert not [n for n in names if not set(n.split("::")) <= WORDS]


def test_a_stale_name_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("`common/gone.cc`, `gone/`, `common/status.h`, `core/`, `out/adapter/`\n")
    missing = [span for span in code_spans(page) if is_path(span) and not is_there(span)]
    assert missing == ["common/gone.cc", "gone/"]


def test_every_top_folder_says_what_it_holds():
    assert not [f for f in TOP if not f.startswith(".") and not (REPO / f / "README.md").is_file()]


def test_the_readme_knows_the_make_targets():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    named = set(re.findall(r"\bmake ([a-z-]+)", (REPO / "README.md").read_text(encoding="utf-8")))
    assert targets - {"configure"} <= named <= targets


def test_the_readme_gives_flags_that_the_programs_have():
    commands = re.findall(r"build/bin/(pmt-\w+)(.*)", (REPO / "README.md").read_text("utf-8"))
    source = {
        "pmt-coordinator": CODE["coordinator/options.cc"],
        "pmt-worker": CODE["worker/agent/options.cc"],
        "pmt-trainer": CODE["worker/trainer/main.cc"],
    }
    assert {program for program, _ in commands} >= set(source)
    for program, line in commands:
        for flag in re.findall(r"\s(--[a-z-]+)", line):
            assert f'"{flag}"' in source[program], f"{program} {flag}"


def keys_of(tree, prefix=""):
    for key, value in tree.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from keys_of(value, f"{prefix}{key}.")


def test_the_readme_gives_a_spec_of_known_keys():
    block = section(REPO / "README.md", "```yaml\n", "\n```")
    spec = yaml.safe_load(block.removeprefix("```yaml\n"))
    page = (REPO / "docs/job-spec.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `([\w.]+)`", page, re.M))
    assert {"name", "model", "method", "data", "train"} <= set(spec)
    assert set(keys_of(spec)) <= known
