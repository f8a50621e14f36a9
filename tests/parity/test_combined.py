"""Two adapter methods in one job, each pair of them, against both in one transformers model.

Each part begins at a folder of random values, as after some training.
"""

import itertools
import json

import comparing
import programs
import pytest
import reference
import test_lora
import test_prefix_memory
import test_prefix_tuning

MEMORY = {"feature_map": "gelu"}
METHODS = {
    "prefix_memory": MEMORY,
    "prefix_tuning": {"num_virtual_tokens": test_prefix_tuning.TOKENS},
    "lora": {"r": test_lora.R, "alpha": test_lora.ALPHA, **test_lora.settings_of("lora")},
}
PAIRS = list(itertools.combinations(METHODS, 2))
RATE = 3e-3


def write_part(method, model, folder):
    if method == "prefix_memory":
        test_prefix_memory.write_adapter(folder, model, MEMORY)
    elif method == "prefix_tuning":
        test_prefix_tuning.write_with_peft(model, folder)
    else:
        test_lora.write_with_peft(model, "lora", folder)


def write_start(pair, model, folder):
    folder.mkdir()
    for method in pair:
        write_part(method, model, folder / method)
    config = {"method": "combined", "parts": list(pair)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def our_name(name):
    """Of a parameter that may be wrapped by PEFT once or twice."""
    if "prompt_encoder." in name:
        return "prefix_tuning/prompt_embeddings"
    inner = name[name.index("model.layers.") :]
    return f"lora/base_model.model.{inner}" if ".lora_" in name else f"prefix_memory/{inner}"


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
@pytest.mark.parametrize("name", ["qwen2", "gemma3_text"])
def test_two_at_once(name, pair, model_named, tmp_path):
    model, subject = model_named(name), " + ".join(pair)
    start = write_start(pair, model, tmp_path / "start")
    theirs = reference.with_combined(model.folder, start).double()
    comparing.hold_folder(model, subject, start, theirs, our_name)

    method = [{"type": m, "init": str(start / m), **METHODS[m]} for m in pair]
    settings = {"max_steps": comparing.STEPS, "learning_rate": RATE}
    ours = programs.train(model.folder, model.texts, method, tmp_path / "run", **settings)
    theirs = reference.with_combined(model.folder, start).double()
    comparing.hold_steps(model, subject, ours, theirs, RATE)

    written = tmp_path / "run" / "adapter"
    assert {path.name for path in written.iterdir() if path.is_dir()} == set(pair)
    rows = model.token_rows([1, 7, 60])
    answer = programs.ask(model.folder, rows, adapter=written, logits=0)
    reloaded = reference.with_combined(model.folder, written).double()
    comparing.hold_logits(model, subject, answer, reloaded, rows)
