"""PrefixMemory in Python, in every setting: an attention function and hooks of transformers."""

import json

import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

MAPS = {
    "elu": functional.elu,
    "elu_plus_one": lambda x: functional.elu(x) + 1,
    "gelu": functional.gelu,
}


class Memory(torch.nn.Module):
    """M^T phi(x) of one layer: x [batch, heads, tokens, width], or without heads."""

    def __init__(self, feature_map, values):
        super().__init__()
        self.feature_map = feature_map
        for name, value in values.items():
            self.register_parameter(name, torch.nn.Parameter(value))
        self.query = None  # the one before rotary, where that is asked for

    def features(self, x):
        if self.feature_map != "mlp":
            return MAPS[self.feature_map](x)
        return functional.relu(x @ self.W.transpose(-1, -2) + self.b.unsqueeze(-2))

    def forward(self, x):
        return (self.features(x.to(self.M.dtype)) @ self.M).to(x.dtype)


def attend(module, query, key, value, mask, **options):
    output, weights = ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, mask, **options)
    memory = getattr(module, "prefix_memory", None)
    if memory is None:
        return output, weights
    seen = query if memory.query is None else memory.query
    return output + memory(seen).transpose(1, 2), weights


AttentionInterface.register("prefix_memory", attend)
AttentionMaskInterface.register("prefix_memory", sdpa_mask)


def keep_unrotated(attention):
    """Hands the query of before rotary, [batch, heads, tokens, head_dim], to the memory."""

    def keep(module, inputs, output):
        heads = output.view(*output.shape[:2], -1, attention.head_dim).transpose(1, 2)
        attention.prefix_memory.query = output if output.dim() == 4 else heads

    getattr(attention, "q_norm", attention.q_proj).register_forward_hook(keep)


def add_to_output(layer):
    """Adds the term of the attention block's input to its output."""

    def add(module, inputs, keywords, output):
        return output[0] + layer.prefix_memory(keywords["hidden_states"]), *output[1:]

    layer.self_attn.register_forward_hook(add, with_kwargs=True)


def apply(model, folder):
    """Puts the adapter of a folder on a model whose attention is "prefix_memory"."""
    config = json.loads((folder / "adapter_config.json").read_text())
    values = load_file(folder / "adapter_model.safetensors")
    for i in config["layers"]:
        layer = model.model.layers[i]
        hidden = config["scope"] == "hidden"
        name = f"model.layers.{i}.{'' if hidden else 'self_attn.'}prefix_memory."
        own = {key.removeprefix(name): values.pop(key) for key in list(values) if name in key}
        memory = Memory(config["feature_map"], own)
        (layer if hidden else layer.self_attn).prefix_memory = memory
        if hidden:
            add_to_output(layer)
        elif config["query"] == "pre_rope":
            keep_unrotated(layer.self_attn)
    assert not values
    return model
