"""Tiny random models of each family, with the tokenizers of tokenizer_folders."""

import json

import tokenizer_folders
import torch
import transformers

SIZES = {
    "vocab_size": 640,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
TWO_ROPES = {
    "full_attention": {"rope_type": "linear", "rope_theta": 100000.0, "factor": 4.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
}
GEMMA3 = {
    "num_hidden_layers": 4,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "query_pre_attn_scalar": 24,
    "sliding_window": 16,
    "layer_types": ["sliding_attention"] * 2 + ["full_attention", "sliding_attention"],
    "rope_parameters": TWO_ROPES,
}
# {name: (model_type, settings beside SIZES)}
FAMILIES = {
    "llama": ("llama", {"num_key_value_heads": 4, "tie_word_embeddings": False}),
    "llama-grouped": (
        "llama",
        {
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
            "rope_parameters": LLAMA3,
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "qwen2": ("qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen2-sliding": (
        "qwen2",
        {
            "num_key_value_heads": 1,
            "use_sliding_window": True,
            "sliding_window": 24,
            "max_window_layers": 1,
        },
    ),
    "qwen3": ("qwen3", {"num_key_value_heads": 2, "head_dim": 32, "tie_word_embeddings": True}),
    "mistral": ("mistral", {"num_key_value_heads": 2, "head_dim": 24, "sliding_window": 20}),
    "gemma3_text": ("gemma3_text", GEMMA3),
}


def config_of(name):
    model_type, settings = FAMILIES[name]
    return transformers.AutoConfig.for_model(model_type, **{**SIZES, **settings})


def random_model(config):
    """Every parameter random: norms and biases too, which a fresh model has at one and zero."""
    model = transformers.AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * 0.15 if parameter.dim() > 1 else parameter + 0.3 * noise)
    return model


def write(name, folder, dtype=torch.float32, **saving):
    config = config_of(name)
    if config.model_type.startswith("qwen"):
        tokenizer_folders.write_qwen2(folder)
    else:
        tokenizer_folders.write_llama3(folder)
    random_model(config).to(dtype).save_pretrained(folder, **saving)
    return folder


def write_older(name, folder):
    """The same model with config.json as transformers 4 wrote it."""
    write(name, folder)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    ropes = config.pop("rope_parameters")
    config.pop("layer_types", None)
    if config["model_type"] == "gemma3_text":
        full, sliding = ropes["full_attention"], ropes["sliding_attention"]
        config["sliding_window_pattern"] = 3
        config["rope_local_base_freq"] = sliding["rope_theta"]
    else:
        full = ropes
    config["rope_theta"] = full.pop("rope_theta")
    config["rope_scaling"] = None if full["rope_type"] == "default" else full
    config["torch_dtype"] = config.pop("dtype")
    file.write_text(json.dumps(config))
    return folder
