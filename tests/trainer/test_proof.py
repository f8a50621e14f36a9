"""The golden probe that a job leaves, pmt-adapter verify and pmt-adapter export."""

import json
import subprocess
import sys

import pytest
import torch
import transformers
from conftest import BUILD, REPO, write_model
from safetensors.torch import load_file, save_file

METHODS = {
    "prefix_memory": {"type": "prefix_memory"},
    "prefix_tuning": {"type": "prefix_tuning", "num_virtual_tokens": 4},
    "lora": {"type": "lora", "r": 4},
    "dora": {"type": "lora", "r": 4, "use_dora": True, "use_rslora": True},
    "full": {"type": "full"},
    "combined": ["prefix_memory", {"type": "lora", "r": 4}],
}
MERGED = ["lora", "dora", "full"]


def tool(*arguments):
    command = [BUILD / "bin" / "pmt-adapter", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def probe_of(folder):
    return json.loads((folder / "golden_probe.json").read_text())


def logits(model, sequence):
    with torch.no_grad():
        return model(torch.tensor([sequence["ids"]])).logits[0, -1, sequence["top_ids"]]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_job_leaves_is_applied(method, workspace):
    folder = workspace.train(f"proof-{method}", method=METHODS[method]) / "adapter"
    probe = probe_of(folder)
    base = transformers.AutoModelForCausalLM.from_pretrained(workspace.model)
    for sequence in probe["sequences"]:
        expected = torch.tensor(sequence["base"])
        torch.testing.assert_close(logits(base, sequence), expected, rtol=1e-4, atol=1e-4)
        assert sequence["base"] != sequence["adapted"]
    said = tool("verify", folder)
    assert (said.returncode, said.stdout.split(":")[0]) == (0, "APPLIED"), said.stdout + said.stderr


def test_weights_without_effect_are_told(workspace):
    """The probe of one adapter beside the weights of another that does nothing."""
    folder = workspace.train("proof-idle") / "adapter"
    file = folder / "adapter_model.safetensors"
    save_file({name: torch.zeros_like(v) for name, v in load_file(file).items()}, file)
    said = tool("verify", folder)
    assert said.returncode not in (0, 1)
    assert "were changed after their golden probe was made" in said.stderr
    digest = said.stderr.split("their sha256 is ")[1].split(",")[0]
    probe = probe_of(folder) | {"adapter_digest": digest}
    (folder / "golden_probe.json").write_text(json.dumps(probe))
    said = tool("verify", folder)
    assert (said.returncode, said.stdout.split(":")[0]) == (1, "NOT_APPLIED")


def test_another_base_is_inconclusive(workspace):
    other_model = workspace.folder / "other"
    write_model(other_model, seed=9)
    folder = workspace.train("proof-other") / "adapter"
    said = tool("verify", folder, "--model", other_model)
    assert (said.returncode, said.stdout.split(":")[0]) == (1, "INCONCLUSIVE")
    assert "another base model" in said.stdout


@pytest.mark.parametrize("method", MERGED)
def test_export_is_a_model_that_holds_the_adapter(method, workspace):
    folder = workspace.train(f"export-{method}", method=METHODS[method]) / "adapter"
    out = workspace.folder / f"merged-{method}"
    assert tool("export", folder, "--out", out).returncode == 0
    merged = transformers.AutoModelForCausalLM.from_pretrained(out)
    for sequence in probe_of(folder)["sequences"]:
        expected = torch.tensor(sequence["adapted"])
        torch.testing.assert_close(logits(merged, sequence), expected, rtol=1e-4, atol=1e-4)
    assert transformers.AutoTokenizer.from_pretrained(out).eos_token == "</s>"
    said = tool("verify", out)
    assert (said.returncode, said.stdout.split(":")[0]) == (0, "APPLIED"), said.stdout + said.stderr
    again = tool("export", folder, "--out", out)
    assert again.returncode != 0
    assert "exists already" in again.stderr


@pytest.mark.parametrize("method", ["prefix_memory", "prefix_tuning", "combined"])
def test_what_no_weights_can_hold_is_refused(method, workspace):
    folder = workspace.train(f"refused-{method}", method=METHODS[method]) / "adapter"
    out = workspace.folder / f"refused-{method}-merged"
    said = tool("export", folder, "--out", out)
    assert said.returncode not in (0, 1)
    assert "cannot be merged into a model's weights" in said.stderr
    assert "prefixmem.apply" in said.stderr
    assert not out.exists()
    assert not list(workspace.folder.glob("refused-*unfinished*"))


def test_an_export_that_throws_leaves_nothing(workspace):
    folder = workspace.train("throws", method=METHODS["full"]) / "adapter"
    (folder / "adapter_config.json").symlink_to("adapter_config.json")
    said = tool("export", folder, "--out", workspace.folder / "merged")
    assert said.returncode not in (0, 1)
    assert "adapter_config.json" in said.stderr
    assert not list(workspace.folder.glob("merged*"))


def test_a_base_in_gguf_is_refused_for_a_folder(workspace):
    folder = workspace.train("gguf-base", method=METHODS["lora"]) / "adapter"
    base = workspace.folder / "gguf" / "base.gguf"
    base.parent.mkdir()
    base.write_bytes(b"GGUF")
    out = workspace.folder / "merged"
    for model in (base, base.parent):
        said = tool("export", folder, "--out", out, "--model", model)
        assert said.returncode not in (0, 1)
        assert f"the base is the GGUF file {base}, from which no" in said.stderr
        assert "allowed: --model with such a folder of the same model" in said.stderr
        assert not out.exists()


@pytest.fixture
def package():
    sys.path.insert(0, str(REPO / "clients" / "python"))
    import prefixmem

    return prefixmem


def in_transformers(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("method", METHODS)
def test_the_python_package_agrees(method, workspace, package):
    folder = workspace.train(f"python-{method}", method=METHODS[method]) / "adapter"
    base = in_transformers(workspace.model)
    assert package.verify(base, folder).verdict == "NOT_APPLIED"
    adapted = in_transformers(folder) if method == "full" else package.apply(base, folder)
    assert package.verify(adapted, folder).verdict == "APPLIED"


@pytest.mark.parametrize("method", MERGED)
def test_the_python_package_agrees_on_what_is_merged(method, workspace, package):
    folder = workspace.train(f"python-{method}", method=METHODS[method]) / "adapter"
    out = workspace.folder / "merged"
    assert tool("export", folder, "--out", out).returncode == 0
    assert package.verify(in_transformers(out), out).verdict == "APPLIED"
    assert package.verify(in_transformers(workspace.model), out).verdict == "NOT_APPLIED"
    [file] = out.glob("*.safetensors")
    save_file({name: torch.zeros_like(v) for name, v in load_file(file).items()}, file)
    with pytest.raises(ValueError, match="were changed after their golden probe was made"):
        package.verify(in_transformers(workspace.model), out)
