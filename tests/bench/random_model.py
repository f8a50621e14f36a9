"""Folders of random weights in real shapes, their tokenizers made of given texts."""

import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

# Of Qwen2.5-0.5B.
QWEN = {
    "vocab_size": 151936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
# Of the small Llamas that drafts are made with, 160 million weights.
LLAMA = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 12,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
CONFIGS = {
    "qwen2": lambda **more: transformers.Qwen2Config(**QWEN, **more),
    "llama": lambda **more: transformers.LlamaConfig(**LLAMA, **more),
}
END = "<|endoftext|>"
TOKENS = 8000


def train_tokenizer(texts):
    """Byte-level BPE, as Qwen's own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = {"vocab_size": TOKENS, "special_tokens": [END], "initial_alphabet": alphabet}
    trainer = trainers.BpeTrainer(show_progress=False, **settings)
    tokenizer.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END
    )


def write(family, folder, texts):
    """Writes it unless it is there already; gives the folder."""
    if (folder / "model.safetensors").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(texts).save_pretrained(folder)
    torch.manual_seed(0)
    config = CONFIGS[family](dtype=torch.bfloat16)
    model = transformers.AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
    print(f"{folder}: {model.num_parameters():,} random weights", file=sys.stderr)
    model.save_pretrained(folder)
    return folder
