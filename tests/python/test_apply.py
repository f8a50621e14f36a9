"""prefixmem.apply on every family: against the method written out, with generate, off again."""

import copy

import families
import folders
import prefixmem
import pytest
import reference
import torch
from safetensors.torch import load_file
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

SETTINGS = {
    "elu": {},
    "elu_plus_one": {"feature_map": "elu_plus_one"},
    "gelu": {"feature_map": "gelu", "layers": [0, 2]},
    "mlp": {"feature_map": "mlp", "feature_dim": 12},
    "pre_rope": {"query": "pre_rope", "feature_dim": 0},
    "pre_rope-mlp": {"query": "pre_rope", "feature_map": "mlp", "layers": [1]},
    "hidden": {"scope": "hidden"},
    "hidden-mlp": {"scope": "hidden", "feature_map": "mlp", "feature_dim": 20, "layers": [1, 2]},
}
ids = families.rows()


def close(ours, theirs):
    return (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.fixture(params=families.FAMILIES)
def family(request):
    return request.param


@pytest.fixture(params=("eager", "sdpa"))
def model(family, request):
    return families.make(family, request.param)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_is_the_formula(model, folder, settings):
    tensors = folders.values(model, settings)
    expected = families.logits(reference.with_memory(model, tensors, settings), ids)
    base = families.logits(model, ids)
    assert not close(base, expected), "the adapter would not be missed"
    assert prefixmem.apply(model, folders.write(folder, tensors, settings)) is model
    assert close(families.logits(model, ids), expected)
    with prefixmem.disable(model):
        assert torch.equal(families.logits(model, ids), base)
    assert close(families.logits(model, ids), expected)
    assert prefixmem.remove(model) is model
    assert torch.equal(families.logits(model, ids), base)
    assert not [name for name, _ in model.named_parameters() if "prefix_memory" in name]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_zero_changes_no_bit(model, folder, settings):
    base = families.logits(model, ids)
    tensors = folders.values(model, settings)
    for key in tensors:
        if key.endswith(".M"):
            tensors[key].zero_()
    prefixmem.apply(model, folders.write(folder, tensors, settings))
    assert torch.equal(families.logits(model, ids), base)


@pytest.mark.parametrize("name", ("elu", "pre_rope", "hidden"))
def test_generate_with_its_cache(model, folder, name):
    """Greedy ids, one token at a time, are those of whole forward passes."""
    prefixmem.apply(model, folders.write_random(folder, model, SETTINGS[name]))
    made = model.generate(
        ids, max_new_tokens=8, do_sample=False, return_dict_in_generate=True, output_logits=True
    )
    whole = families.logits(model, made.sequences)[:, ids.shape[1] - 1 : -1]
    assert close(torch.stack(made.logits, 1), whole)
    assert torch.equal(made.sequences[:, ids.shape[1] :], whole.argmax(-1))
    with prefixmem.disable(model):
        assert not torch.equal(
            model.generate(ids, max_new_tokens=8, do_sample=False), made.sequences
        )


@pytest.mark.parametrize("name", ("elu", "pre_rope", "hidden"))
@pytest.mark.parametrize("side", ("left", "right"))
def test_padding_changes_nothing(model, folder, name, side):
    prefixmem.apply(model, folders.write_random(folder, model, SETTINGS[name]))
    alone = families.logits(model, ids[:1])
    padding = torch.zeros(2, 4, dtype=torch.long)
    parts = (padding, ids) if side == "left" else (ids, padding)
    mask = torch.cat(
        [torch.zeros_like(p) if p is padding else torch.ones_like(p) for p in parts], 1
    )
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    padded = families.logits(
        model, torch.cat(parts, 1), attention_mask=mask, position_ids=positions
    )
    kept = padded[:1, mask[0].bool()]
    assert close(kept, alone)


def test_the_implementation_may_change_afterwards(family, folder):
    model = families.make(family, "eager")
    prefixmem.apply(model, folders.write_random(folder, model))
    expected = families.logits(model, ids)
    model.set_attn_implementation("sdpa")
    assert close(families.logits(model, ids), expected)
    prefixmem.remove(model)
    assert model.config._attn_implementation == "sdpa"


def test_an_implementation_that_looks_itself_up(folder):
    """As transformers' flash attention reads the config for its version."""
    seen = []

    def attend(module, *args, **options):
        seen.append((module.config._attn_implementation, module.layer_idx, module.training))
        return ALL_ATTENTION_FUNCTIONS["sdpa"](module, *args, **options)

    AttentionInterface.register("curious", attend)
    AttentionMaskInterface.register("curious", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    plain, curious = families.make("llama"), families.make("llama", "curious")
    for model in (plain, curious):
        prefixmem.apply(model, folders.write_random(folder, model))
    assert torch.equal(families.logits(curious, ids), families.logits(plain, ids))
    assert seen == [("curious", i, False) for i in range(3)]


def test_eager_still_returns_attention_weights(folder):
    model = families.make("qwen2", "eager")
    expected = model(ids, output_attentions=True).attentions[0]
    prefixmem.apply(model, folders.write_random(folder, model))
    assert torch.equal(model(ids, output_attentions=True).attentions[0], expected)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_save_writes_what_apply_has_read(family, folder, tmp_path, settings):
    model = families.make(family)
    tensors = folders.values(model, settings)
    prefixmem.apply(model, folders.write(folder, tensors, settings))
    expected = families.logits(model, ids)
    prefixmem.save(model, tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "adapter_model.safetensors")
    assert saved.keys() == tensors.keys()
    assert all(torch.equal(saved[key], tensors[key]) for key in saved)
    again = prefixmem.apply(families.make(family), tmp_path / "saved")
    assert torch.equal(families.logits(again, ids), expected)


@pytest.mark.parametrize("name", ("elu", "pre_rope", "hidden-mlp"))
def test_training_moves_the_adapter_alone(family, folder, name):
    model = families.make(family)
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    tensors = folders.values(model, SETTINGS[name])
    prefixmem.apply(model, folders.write(folder, tensors, SETTINGS[name]), trainable=True)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert trained.keys() == tensors.keys()
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2)
    losses = []
    for _ in range(4):
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all((p != tensors[n]).any() for n, p in trained.items())
    prefixmem.remove(model)
    assert {n for n, p in model.named_parameters() if p.requires_grad} == wanted


def test_gradients_are_the_formulas(folder):
    settings = SETTINGS["mlp"]
    model = families.make("gemma3_text")
    tensors = {k: t.requires_grad_() for k, t in folders.values(model, settings).items()}
    reference.with_memory(model, tensors, settings)(ids, labels=ids).loss.backward()
    detached = {k: t.detach() for k, t in tensors.items()}
    prefixmem.apply(model, folders.write(folder, detached, settings), trainable=True)
    model(ids, labels=ids).loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            expected = tensors[name].grad
            assert (parameter.grad - expected).norm() <= 1e-5 * expected.norm(), name


def test_gradient_checkpointing(folder):
    model = families.make("qwen2")
    prefixmem.apply(
        model, folders.write_random(folder, model, SETTINGS["pre_rope"]), trainable=True
    )

    def gradients():
        model.zero_grad()
        model(ids, labels=ids).loss.backward()
        return [p.grad for p in model.parameters() if p.requires_grad]

    expected = gradients()
    model.train()
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert all(map(torch.equal, gradients(), expected))


def test_parameters_are_the_models_own(folder):
    """state_dict, .to() and copies take them along; a copy is independent."""
    model = families.make("mistral")
    keys = folders.values(model, {}).keys()
    prefixmem.apply(model, folders.write_random(folder, model))
    assert keys <= model.state_dict().keys()
    expected = families.logits(model, ids)
    twin = copy.deepcopy(model)
    prefixmem.remove(model)
    assert torch.equal(families.logits(twin, ids), expected)
    twin.to(torch.float64)
    assert {twin.state_dict()[key].dtype for key in keys} == {torch.float64}
    assert close(families.logits(twin, ids), expected.double())


@pytest.mark.parametrize("name", ("mlp", "pre_rope", "hidden"))
def test_narrow_models(family, folder, name):
    """A bf16 model multiplies in bf16; M stays in fp32."""
    model = families.make(family)
    tensors = folders.values(model, SETTINGS[name])
    expected = families.logits(reference.with_memory(model, tensors, SETTINGS[name]), ids)
    model.to(torch.bfloat16)
    prefixmem.apply(model, folders.write(folder, tensors, SETTINGS[name]))
    assert {model.state_dict()[key].dtype for key in tensors} == {torch.float32}
    ours = families.logits(model, ids)
    assert ours.dtype == torch.bfloat16
    assert (ours - expected).norm() <= 0.1 * expected.norm()


def test_models_that_share_a_config(folder):
    """One with an adapter, one without; the config names one attention function for both."""
    adapted = families.make("llama")
    plain = type(adapted)(adapted.config).eval()
    base = families.logits(plain, ids)
    prefixmem.apply(adapted, folders.write_random(folder, adapted))
    with_adapter = families.logits(adapted, ids)
    assert torch.equal(families.logits(plain, ids), base)
    prefixmem.apply(plain, folder)
    prefixmem.remove(plain)
    assert torch.equal(families.logits(adapted, ids), with_adapter)
