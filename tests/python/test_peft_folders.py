"""LoRA and Prefix-Tuning folders go to PEFT; a combined folder puts each of its parts on."""

import json

import families
import folders
import peft
import prefixmem
import pytest
import torch
from safetensors.torch import load_file, save_file

ids = families.rows()
LORA = {"r": 2, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False}


def write_lora(folder, **settings):
    """Random, as PEFT writes it."""
    torch.manual_seed(2)
    config = peft.LoraConfig(task_type="CAUSAL_LM", **LORA, **settings)
    peft.get_peft_model(families.make("qwen2"), config).save_pretrained(folder)
    return folder


def write_prefix_tuning(folder):
    torch.manual_seed(4)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    peft.get_peft_model(families.make("qwen2"), config).save_pretrained(folder)
    return folder


WRITERS = {"lora": write_lora, "prefix_tuning": write_prefix_tuning}


def write_combined(folder, parts):
    for part in parts:
        if part in WRITERS:
            WRITERS[part](folder / part)
        else:
            folders.write_random(folder / part, families.make("qwen2"), {"query": "pre_rope"})
    config = {"method": "combined", "parts": list(parts)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def loaded_by_peft(folder):
    return peft.PeftModel.from_pretrained(families.make("qwen2"), folder).eval()


@pytest.mark.parametrize("kind", WRITERS)
def test_one_of_pefts(kind, folder, tmp_path):
    WRITERS[kind](folder)
    model = families.make("qwen2")
    base = families.logits(model, ids)
    adapted = prefixmem.apply(model, folder)
    expected = families.logits(loaded_by_peft(folder), ids)
    assert isinstance(adapted, peft.PeftModel)
    assert torch.equal(families.logits(adapted, ids), expected)
    assert not torch.allclose(expected, base)
    with prefixmem.disable(adapted):
        assert torch.equal(families.logits(adapted, ids), base)
    prefixmem.save(adapted, tmp_path / "saved")
    assert torch.equal(families.logits(loaded_by_peft(tmp_path / "saved"), ids), expected)
    plain = prefixmem.remove(adapted)
    assert type(plain) is type(model)
    assert torch.equal(families.logits(plain, ids), base)


PARTS = [
    ("prefix_memory", "lora"),
    ("lora", "prefix_memory"),
    ("prefix_tuning", "prefix_memory"),
    ("prefix_tuning", "lora", "prefix_memory"),
]


@pytest.mark.parametrize("parts", PARTS, ids="+".join)
def test_combined(parts, folder, tmp_path):
    """As the memory put by hand under what PEFT loads; saved and read again; off again."""
    write_combined(folder, parts)
    by_hand = families.make("qwen2")
    for part in ("lora", "prefix_tuning"):
        if part in parts:
            by_hand = peft.PeftModel.from_pretrained(by_hand, folder / part).eval()
    without_memory = families.logits(by_hand, ids)
    prefixmem.apply(by_hand, folder / "prefix_memory")
    expected = families.logits(by_hand, ids)
    assert not torch.allclose(expected, without_memory)

    model = families.make("qwen2")
    base = families.logits(model, ids)
    adapted = prefixmem.apply(model, folder)
    assert torch.equal(families.logits(adapted, ids), expected)
    prefixmem.save(adapted, tmp_path / "saved")
    again = prefixmem.apply(families.make("qwen2"), tmp_path / "saved")
    assert torch.equal(families.logits(again, ids), expected)
    with prefixmem.disable(adapted):
        assert torch.equal(families.logits(adapted, ids), base)
    assert torch.equal(families.logits(prefixmem.remove(adapted), ids), base)


def test_the_memory_sees_the_query_with_loras_update(folder):
    """pre_rope reads q_proj's output, which LoRA's module replaces later."""
    write_combined(folder, ("prefix_memory", "lora"))
    model = families.make("qwen2", attention="eager")
    adapted = prefixmem.apply(model, folder)
    block = prefixmem.adapters.model.base_of(adapted).model.layers[0].self_attn
    queries, asked = [], []
    block.q_proj.register_forward_hook(lambda _module, _args, output: queries.append(output))
    block.prefix_memory.register_forward_pre_hook(lambda _module, args: asked.append(args[0]))
    families.logits(adapted, ids)
    (query,), (seen,) = queries, asked
    assert torch.equal(seen.transpose(1, 2).flatten(2), query)


def test_combined_training(folder):
    model = prefixmem.apply(
        families.make("qwen2"), write_combined(folder, ("prefix_memory", "lora")), trainable=True
    )
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert {name.split(".")[-1] for name in trained} == {"M", "weight"}
    assert all("lora_" in name or "prefix_memory" in name for name in trained)


BAD_PARTS = {
    "no list": ("lora", "a list of names"),
    "empty": ([], "a list of names"),
    "twice": (["lora", "lora"], "one twice"),
    "missing": (["prefix_tuning"], "prefix_tuning/adapter_config.json cannot be read"),
    "another": (["other"], "holds a lora adapter; allowed: other"),
}


@pytest.mark.parametrize(("parts", "words"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_bad_combined_folders(folder, parts, words):
    write_combined(folder, ("lora",))
    write_lora(folder / "other")
    (folder / "adapter_config.json").write_text(json.dumps({"method": "combined", "parts": parts}))
    with pytest.raises(ValueError, match=words):
        prefixmem.apply(families.make("qwen2"), folder)


def lose(tensors):
    return dict(list(tensors.items())[1:])


def cut(tensors):
    return {key: t[:1].contiguous() for key, t in tensors.items()}


def rename(tensors):
    return {key.replace("layers.0", "layers.7"): t for key, t in tensors.items()}


@pytest.mark.parametrize("change", (lose, cut, rename))
@pytest.mark.parametrize("memory_first", (False, True))
def test_a_lora_that_does_not_fit_leaves_no_trace(folder, change, memory_first):
    """PEFT itself only warns about a tensor that is not there."""
    parts = ("prefix_memory", "lora") if memory_first else ("lora",)
    write_combined(folder, parts)
    weights = folder / "lora" / "adapter_model.safetensors"
    save_file(change(load_file(weights)), weights)
    model = families.make("qwen2")
    base, names = families.logits(model, ids), set(model.state_dict())
    with pytest.raises(ValueError, match=r"lora (lacks tensor|has no place|does not fit)"):
        prefixmem.apply(model, folder)
    assert set(model.state_dict()) == names
    assert torch.equal(families.logits(model, ids), base)


def test_twice(folder):
    model = prefixmem.apply(families.make("qwen2"), write_lora(folder))
    with pytest.raises(ValueError, match="has a lora adapter already"):
        prefixmem.apply(model, folder)
