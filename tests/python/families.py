"""A tiny random model of each family, and token ids for it."""

import torch
import transformers

SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
SLIDING = ["sliding_attention", "full_attention", "sliding_attention"]
ROPES = {
    "full_attention": {"rope_type": "linear", "rope_theta": 50000.0, "factor": 2.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
}
FAMILIES = {
    "llama": {"attention_bias": True},
    "qwen2": {"use_sliding_window": True, "sliding_window": 4, "layer_types": SLIDING},
    "qwen3": {"head_dim": 16},
    "mistral": {"sliding_window": 4, "head_dim": 16},
    "gemma3_text": {
        "head_dim": 16,
        "query_pre_attn_scalar": 24,
        "sliding_window": 4,
        "layer_types": SLIDING,
        "rope_parameters": ROPES,
    },
}


def make(family, attention="sdpa", **settings):
    """Every parameter random, the norms' too, large enough for attention to be sharp."""
    config = transformers.AutoConfig.for_model(family, **{**SIZES, **FAMILIES[family], **settings})
    config._attn_implementation = attention
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * 0.2 if parameter.dim() > 1 else parameter + 0.2 * noise)
    return model.eval()


def rows(batch=2, length=11, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, SIZES["vocab_size"], (batch, length), generator=generator)


@torch.no_grad()
def logits(model, ids, **inputs):
    return model(input_ids=ids, **inputs).logits
