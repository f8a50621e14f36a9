"""Model folders with a tokenizer but no weights, trained here on text of our own."""

import json
import pathlib

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

TEXT = [
    "The card that I ordered last week has not arrived yet; where is it?",
    "I've topped up 1,250.75 euros, but they're still pending. It'll take 3 days, won't it?",
    "Überweisung nach Köln: 20 € – schön, daß es ging!",
    "Карта потеряна. Что мне делать? 我的卡丢了，怎么办？ カードをなくしました。",
    "def f(x):\n    return x ** 2\n\n\tprint(f(3))\r\n",
    "naïve café 😀👍🏽 ½ x² ① ﬁ",
] * 20

# How each family cuts text into words.
NUMBERS = {"qwen2": r"\p{N}", "llama3": r"\p{N}{1,3}"}
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def chat_template(family):
    return (pathlib.Path(__file__).parent / "chat_templates" / f"{family}.jinja").read_text()


def train(family, specials, normalizer=None):
    """A byte-level BPE over TEXT with the words of the family."""
    tokenizer = Tokenizer(BPE(ignore_merges=family == "llama3"))
    tokenizer.normalizer = normalizer
    split = pre_tokenizers.Split(Regex(WORDS % NUMBERS[family]), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    return tokenizer


def save(folder, tokenizer, config, model_type):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return folder


def train_pieces():
    """A BPE over TEXT with SentencePiece's blanks and bytes for what it has no piece of."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = BpeTrainer(vocab_size=600, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    learned = json.loads(tokenizer.to_str())
    learned["added_tokens"] = learned["added_tokens"][:3]  # the bytes are pieces like others
    tokenizer = Tokenizer.from_str(json.dumps(learned))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    bos = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[bos]
    )
    return tokenizer


def write_llama2(folder):
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": {"content": "<s>", "lstrip": False, "__type": "AddedToken"},
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "chat_template": chat_template("llama2"),
    }
    return save(folder, train_pieces(), config, "llama")


def write_mistral(folder):
    tokenizer = train_pieces()
    marks = ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in marks])
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    save(folder, tokenizer, config, "mistral")
    (folder / "chat_template.jinja").write_text(chat_template("mistral"))
    return folder


def write_llama3(folder):
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    specials += ["<|start_header_id|>", "<|end_header_id|>"]
    tokenizer = train("llama3", specials)
    bos = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    front = processors.TemplateProcessing(
        single=f"{bos[0]} $A", pair=f"{bos[0]} $A {bos[0]}:1 $B:1", special_tokens=[bos]
    )
    tokenizer.post_processor = processors.Sequence([tokenizer.post_processor, front])
    tokenizer.enable_truncation(8)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "clean_up_tokenization_spaces": True,
        "chat_template": chat_template("llama3"),
    }
    return save(folder, tokenizer, config, "llama")


def write_qwen2(folder):
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = train("qwen2", specials, normalizers.NFC())
    tokenizer.add_tokens(
        [AddedToken("<tool_call>", normalized=False), AddedToken("topup", lstrip=True)]
    )
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_bos_token": False,
        "bos_token": None,
        "eos_token": {"content": "<|im_end|>", "lstrip": False, "__type": "AddedToken"},
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "added_tokens_decoder": added_tokens_decoder(tokenizer),
        "chat_template": [
            {"name": "tool_use", "template": "{{ raise_exception('not this one') }}"},
            {"name": "default", "template": chat_template("qwen2")},
        ],
    }
    return save(folder, tokenizer, config, "qwen2")


def added_tokens_decoder(tokenizer):
    fields = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    tokens = tokenizer.get_added_tokens_decoder().items()
    return {str(i): {field: getattr(token, field) for field in fields} for i, token in tokens}
