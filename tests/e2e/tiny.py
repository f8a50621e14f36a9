"""A tiny Llama of random weights, and rows for it.

Without torch or transformers, whose import costs a test more than most jobs of this model.
"""

import json

import numpy as np
from character_tokenizer import VOCAB, write_tokenizer
from safetensors.numpy import save_file

POSITIONS = 128
LABELS = {
    "where is my card": "card",
    "card lost": "lost",
    "top up failed": "top up",
    "exchange rate": "rate",
    "my pin is blocked": "pin",
}
LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM = 2, 32, 48, 4, 2, 8


def weights():
    """{name in the file: values}"""
    draw = np.random.default_rng(0)

    def matrix(rows, columns):
        return draw.normal(0, 0.2, (rows, columns)).astype(np.float32)

    tensors = {"model.embed_tokens.weight": matrix(len(VOCAB), HIDDEN)}
    for i in range(LAYERS):
        parts = {
            "self_attn.q_proj": matrix(HEADS * HEAD_DIM, HIDDEN),
            "self_attn.k_proj": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            "self_attn.v_proj": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            "self_attn.o_proj": matrix(HIDDEN, HEADS * HEAD_DIM),
            "mlp.gate_proj": matrix(INTERMEDIATE, HIDDEN),
            "mlp.up_proj": matrix(INTERMEDIATE, HIDDEN),
            "mlp.down_proj": matrix(HIDDEN, INTERMEDIATE),
            "input_layernorm": np.ones(HIDDEN, np.float32),
            "post_attention_layernorm": np.ones(HIDDEN, np.float32),
        }
        tensors |= {f"model.layers.{i}.{name}.weight": part for name, part in parts.items()}
    tensors["model.norm.weight"] = np.ones(HIDDEN, np.float32)
    return tensors


def write_model(folder, positions=POSITIONS):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(VOCAB),
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": positions,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "float32",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder)


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labelled_rows(count=23):
    texts = list(LABELS)
    for i in range(count):
        text = texts[i % len(texts)]
        yield {"text": text + "?" * (i % 4), "label": LABELS[text]}
