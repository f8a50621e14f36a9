"""Folders of random weights in the shapes of real models, made where they are trained on.

Needs torch and nothing else, for a machine that reaches no network.
"""

import json
import math

import torch

SHARED = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SHAPES = {
    "llama-3.1-8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rope_theta": 500000.0,
    },
    "llama2-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        "rope_theta": 10000.0,
    },
    # What tries the benchmark itself.
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
        "rope_theta": 10000.0,
    },
}


def layer_maps(shape):
    """{name in a layer: (out, in)} of its linear maps"""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    keys = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    return {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }


def tensors(shape):
    """{name: size} of all weights, in the order of the forward pass"""
    hidden, table = shape["hidden_size"], (shape["vocab_size"], shape["hidden_size"])
    sizes = {"model.embed_tokens.weight": table}
    for i in range(shape["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        sizes[layer + "input_layernorm.weight"] = (hidden,)
        sizes[layer + "post_attention_layernorm.weight"] = (hidden,)
        sizes |= {f"{layer}{name}.weight": size for name, size in layer_maps(shape).items()}
    return sizes | {"model.norm.weight": (hidden,), "lm_head.weight": table}


def write(name, folder, device):
    """Writes the folder but for a tokenizer, unless its weights are there; gives the shape."""
    shape, file = SHAPES[name], folder / "model.safetensors"
    if file.exists():
        return shape
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SHARED | shape))
    header, end = {}, 0
    for key, size in tensors(shape).items():
        begin, end = end, end + 2 * math.prod(size)
        header[key] = {"dtype": "BF16", "shape": size, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator(device).manual_seed(0)
    making = folder / "making"
    with making.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for size in tensors(shape).values():
            drawn = torch.ones(size, device=device)
            if len(size) > 1:
                drawn.normal_(0, 0.02, generator=generator)
            out.write(drawn.bfloat16().view(torch.uint8).cpu().numpy().data)
    making.rename(file)
    return shape
