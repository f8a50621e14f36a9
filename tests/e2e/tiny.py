"""A tiny Llama made with transformers, its tokenizer (one token a character), rows for it."""

import json

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TOKENS = ["<unk>", "<s>", "</s>", *map(chr, range(32, 127)), "\n"]
POSITIONS = 128
LABELS = {
    "where is my card": "card",
    "card lost": "lost",
    "top up failed": "top up",
    "exchange rate": "rate",
    "my pin is blocked": "pin",
}


def tokenizer():
    ids = {token: i for i, token in enumerate(TOKENS)}
    inner = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", ids["<s>"])]
    )
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


def write_model(folder, positions=POSITIONS):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.2,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labelled_rows(count=23):
    texts = list(LABELS)
    for i in range(count):
        text = texts[i % len(texts)]
        yield {"text": text + "?" * (i % 4), "label": LABELS[text]}
