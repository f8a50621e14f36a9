"""GGUF files of tiny models with every type of tensor that we read, and their weights for
transformers, which take the other way: through the gguf package alone."""

import gguf
import numpy as np
import tiny_models
import tokenizer_folders
import torch
import transformers

SIZES = {
    **tiny_models.SIZES,
    "hidden_size": 256,  # whole blocks of every type
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
GEMMA3 = {
    "query_pre_attn_scalar": 64,
    "sliding_window": 16,
    "layer_types": ["sliding_attention", "full_attention"],
    "rope_parameters": tiny_models.TWO_ROPES,
}
# {name: (architecture, model_type, settings beside SIZES)}
FAMILIES = {
    "llama": ("llama", "llama", {"rms_norm_eps": 1e-5}),
    "llama3": (
        "llama",
        "llama",
        {
            "rope_parameters": tiny_models.LLAMA3,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "mistral": ("llama", "mistral", {"sliding_window": 20}),
    "qwen2": ("qwen2", "qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", "qwen3", {}),
    "gemma3": ("gemma3", "gemma3_text", GEMMA3),
}
# {type: where its scales of 2 bytes stand in a block, and their size in a usual model}
SCALES = {
    "Q4_0": {0: 0.02},
    "Q4_1": {0: 0.02, 2: -0.15},
    "Q5_0": {0: 0.01},
    "Q5_1": {0: 0.01, 2: -0.15},
    "Q8_0": {0: 0.002},
    "Q2_K": {80: 0.01, 82: 0.02},
    "Q3_K": {108: 0.005},
    "Q4_K": {0: 0.0006, 2: 0.0045},
    "Q5_K": {0: 0.0003, 2: 0.0045},
    "Q6_K": {208: 0.00015},
}
TYPES = ["F32", "F16", "BF16", *SCALES]


def random_rows(name, shape, draw):
    """A matrix of this type, as stored; its random values are of the size of a usual model's."""
    kind = gguf.GGMLQuantizationType[name]
    if name not in SCALES:
        return gguf.quantize(draw.normal(scale=0.06, size=shape).astype(np.float32), kind)
    rows, columns = shape
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = draw.integers(256, size=(rows * columns // values, size), dtype=np.uint8)
    for at, scale in SCALES[name].items():
        noise = draw.uniform(0.2, 0.6, size=(len(blocks), 1)) * scale
        blocks[:, at : at + 2] = noise.astype(np.float16).view(np.uint8)
    return blocks.reshape(rows, -1)


def add_settings(writer, config):
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_token_list([f"token {i}" for i in range(5000)])
    ropes = config.rope_parameters
    if config.model_type == "gemma3_text":
        full, sliding = ropes["full_attention"], ropes["sliding_attention"]
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(full["factor"])
        writer.add_rope_freq_base_swa(sliding["rope_theta"])
        writer.add_sliding_window_pattern([kind[0] == "s" for kind in config.layer_types])
        ropes = full
    writer.add_rope_freq_base(ropes["rope_theta"])
    if config.model_type in ("mistral", "gemma3_text"):
        writer.add_sliding_window(config.sliding_window)


def add_frequencies(writer, config):
    """What Llama 3's scaling divides each frequency by."""
    plain = transformers.LlamaConfig(**{**SIZES, "rope_parameters": {"rope_theta": 10000.0}})
    rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding
    factors = rotary(plain).inv_freq / rotary(config).inv_freq
    writer.add_tensor("rope_freqs.weight", factors.numpy())


def names_of(model, architecture):
    """{name in the file: name in the model}"""
    arch = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, model.config.num_hidden_layers)
    ours = [name for name, _ in model.named_parameters()]
    return {names.get_name(name, (".weight", ".bias")): name for name in ours}


def write_file(file, architecture, model):
    """Random weights for a model of this shape; each matrix has the next type."""
    writer, draw = gguf.GGUFWriter(file, architecture), np.random.default_rng(3)
    add_settings(writer, model.config)
    if model.config.rope_parameters.get("rope_type") == "llama3":
        add_frequencies(writer, model.config)
    shapes = {
        stored: model.get_parameter(name).shape
        for stored, name in names_of(model, architecture).items()
    }
    for i, (stored, shape) in enumerate(sorted(shapes.items())):
        if len(shape) == 1:
            values = draw.normal(loc=1.0 if "norm" in stored else 0.0, scale=0.3, size=shape)
            writer.add_tensor(stored, values.astype(np.float32))
        else:
            name = TYPES[i % len(TYPES)]
            rows = random_rows(name, tuple(shape), draw)
            writer.add_tensor(stored, rows, raw_dtype=gguf.GGMLQuantizationType[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved_to_halves(values, head_dim):
    """Of llama's query and key maps: the order that Hugging Face's rotation wants."""
    heads = values.shape[0] // head_dim
    parted = values.reshape(heads, head_dim // 2, 2, *values.shape[1:])
    return parted.swapaxes(1, 2).reshape(values.shape)


def read_into(model, file, architecture):
    """Gives a model of transformers the weights of the file."""
    names = names_of(model, architecture)
    for tensor in gguf.GGUFReader(file).tensors:
        if tensor.name == "rope_freqs.weight":
            continue
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        if architecture == "llama" and (".attn_q." in tensor.name or ".attn_k." in tensor.name):
            values = interleaved_to_halves(values, model.config.head_dim)
        if architecture == "gemma3" and tensor.name.endswith("norm.weight"):
            values = values - np.float32(1)
        parameter = model.get_parameter(names.pop(tensor.name))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(values)))
    assert not names


def write(name, folder):
    """folder/plain for transformers, folder/gguf with the file; both with a tokenizer."""
    architecture, model_type, settings = FAMILIES[name]
    config = transformers.AutoConfig.for_model(model_type, **{**SIZES, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config)
    for at in (folder / "plain", folder / "gguf"):
        tokenizer_folders.write_llama3(at)
    (folder / "gguf" / "config.json").unlink()
    file = folder / "gguf" / "model.gguf"
    write_file(file, architecture, model)
    read_into(model, file, architecture)
    model.save_pretrained(folder / "plain")
    return folder
