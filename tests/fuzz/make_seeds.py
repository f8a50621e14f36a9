#!/usr/bin/env python3
"""Writes the seeds of tests/fuzz/seeds anew: make_seeds.py. Small; some are valid, some are not.

Files named found_* are kept by hand: each once broke its target.
"""

import json
import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet

SEEDS = Path(__file__).parent / "seeds"
TEMPLATES = Path(__file__).parent.parent / "parity/chat_templates"


def write(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def safetensors(header, data):
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text)) + text.encode() + data


def write_safetensors():
    a = {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}
    b = {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]}
    write("safetensors", "two", safetensors({"a": a, "b": b}, bytes(14)))
    write(
        "safetensors", "metadata", safetensors({"__metadata__": {"format": "pt"}, "a": a}, bytes(8))
    )
    empty = {"dtype": "I64", "shape": [0, 5], "data_offsets": [0, 0]}
    write("safetensors", "empty_tensor", safetensors({"e": empty}, b""))
    write("safetensors", "none", safetensors({}, b""))
    huge = {"dtype": "U8", "shape": [2**62, 4], "data_offsets": [0, 2**63 - 1]}
    write("safetensors", "huge", safetensors({"h": huge}, b""))
    write("safetensors", "twice", safetensors('{"a":1,"a":2}', b""))
    write("safetensors", "deep", safetensors('{"a":' + "[" * 200 + "]" * 200 + "}", b""))


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key, kind, packed):
    return text(key) + struct.pack("<I", kind) + packed


def gguf(pairs, tensors, data=b""):
    body = b"".join(pairs) + b"".join(tensors)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + body
    return head + bytes(-len(head) % 32) + data


def tensor(name, shape, kind, begin):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, begin)


def write_gguf():
    pairs = [
        pair("general.architecture", 8, text("llama")),
        pair("llama.block_count", 4, struct.pack("<I", 1)),
        pair("llama.rope.freq_base", 6, struct.pack("<f", 1e4)),
        pair("flag", 7, b"\1"),
        pair("tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("bc")),
        pair("general.alignment", 4, struct.pack("<I", 32)),
    ]
    write("gguf", "pairs", gguf(pairs, []))
    write("gguf", "tensor", gguf(pairs[:2], [tensor("t", [4, 2], 0, 0)], bytes(32)))
    two = [tensor("q", [256, 1], 12, 0), tensor("f", [2], 1, 160)]
    write("gguf", "quantised", gguf(pairs[:1], two, bytes(164)))
    write("gguf", "empty", gguf([], []))
    write("gguf", "huge_list", gguf([pair("l", 9, struct.pack("<IQ", 0, 2**63))], []))
    write("gguf", "huge_tensor", gguf([], [tensor("t", [2**61, 2**61], 0, 0)]))
    write("gguf", "text_that_is_none", gguf([pair("k", 8, struct.pack("<Q", 2) + b"\xff\xfe")], []))


def write_model_config():
    llama = {
        "model_type": "llama", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 32, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 64, "rope_theta": 10000.0, "hidden_act": "silu",
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
    }  # fmt: skip
    write("model_config", "llama", json.dumps(llama))
    plain = {k: v for k, v in llama.items() if k != "rope_scaling"}
    for family in ("qwen2", "qwen3", "mistral"):
        write(
            "model_config", family, json.dumps({**plain, "model_type": family, "sliding_window": 8})
        )
    gemma = {
        **plain, "model_type": "gemma3_text", "head_dim": 4,
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 4, "sliding_window": 4, "rope_local_base_freq": 10000.0,
        "layer_types": ["sliding_attention", "full_attention"],
    }  # fmt: skip
    gemma.pop("hidden_act")
    write("model_config", "gemma3", json.dumps(gemma))
    write("model_config", "layers", json.dumps({**plain, "num_hidden_layers": 4096}))
    write(
        "model_config", "numbers", json.dumps({**plain, "hidden_size": 2**63, "rope_theta": 1e308})
    )


def write_adapter_config():
    lora = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "base", "r": 4,
        "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": ["q_proj", "mlp.down_proj"],
        "bias": "lora_only", "fan_in_fan_out": False, "init_lora_weights": True,
        "inference_mode": True, "use_dora": True, "use_rslora": False, "rank_pattern": {},
        "modules_to_save": None,
    }  # fmt: skip
    write("adapter_config", "lora", json.dumps(lora))
    expression = {"target_modules": r".*\.(q|v)_proj", "lora_alpha": 1e300, "bias": "none"}
    write("adapter_config", "lora_expression", json.dumps({**lora, **expression}))
    write("adapter_config", "lora_pattern", json.dumps({**lora, "rank_pattern": {"q_proj": 2}}))
    write("adapter_config", "lora_huge", json.dumps({**lora, "r": 2**31}))
    prefix = {
        "peft_type": "PREFIX_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 20,
        "num_layers": 2, "num_attention_heads": 1, "token_dim": 8, "encoder_hidden_size": 8,
        "num_transformer_submodules": 1, "prefix_projection": False,
    }  # fmt: skip
    write("adapter_config", "prefix_tuning", json.dumps(prefix))
    memory = {
        "method": "prefix_memory", "feature_map": "mlp", "feature_dim": 16, "query": "pre_rope",
        "scope": "head", "layers": [0, 2], "base_model_name_or_path": "base",
    }  # fmt: skip
    write("adapter_config", "prefix_memory", json.dumps(memory))
    parts = ["prefix_memory", "lora"]
    write("adapter_config", "combined", json.dumps({"method": "combined", "parts": parts}))
    outside = ["prefix_memory/..", "lora", "lora"]
    write("adapter_config", "combined_wrong", json.dumps({"method": "combined", "parts": outside}))


WORDS = {"</s>": 0, "a": 1, "b": 2, "ab": 3, "H": 4, "o": 5, "Ġ": 6}
SPECIAL = {"id": 0, "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}  # fmt: skip
BPE = {
    "type": "BPE",
    "vocab": WORDS,
    "merges": [["a", "b"]],
    "byte_fallback": True,
    "unk_token": "a",
}


def tokenizer(model, **parts):
    return json.dumps({"version": "1.0", "added_tokens": [SPECIAL], "model": model, **parts})


def write_tokenizer():
    split = {
        "type": "Split",
        "pattern": {"Regex": r"\p{L}+|\s+(?!\S)"},
        "behavior": "Isolated",
        "invert": False,
    }
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    write(
        "tokenizer",
        "bpe",
        tokenizer(
            BPE,
            pre_tokenizer={"type": "Sequence", "pretokenizers": [split, byte_level]},
            decoder=byte_level,
            post_processor=byte_level,
        ),
    )
    unigram = {
        "type": "Unigram",
        "unk_id": 1,
        "byte_fallback": False,
        "vocab": [["</s>", 0.0], ["a", -1.5], ["▁", -2]],
    }
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    write(
        "tokenizer",
        "unigram",
        tokenizer(
            unigram,
            normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}, replace]},
            pre_tokenizer=metaspace,
            decoder={
                "type": "Sequence",
                "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, metaspace],
            },
        ),
    )
    word_piece = {
        "type": "WordPiece",
        "vocab": WORDS,
        "unk_token": "</s>",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    }
    bert = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    template = {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "</s>", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [0], "tokens": ["</s>"]}},
    }
    write(
        "tokenizer",
        "word_piece",
        tokenizer(
            word_piece,
            normalizer=bert,
            pre_tokenizer={"type": "BertPreTokenizer"},
            post_processor=template,
            decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
        ),
    )
    config = {
        "eos_token": {"content": "</s>"},
        "additional_special_tokens": ["<x>"],
        "added_tokens_decoder": {"9": {"content": "<y>", "special": False, "lstrip": True}},
        "chat_template": "{{ messages }}",
    }
    level = {"type": "WordLevel", "vocab": WORDS, "unk_token": "</s>"}
    both = tokenizer(
        level,
        truncation={"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
    )
    write("tokenizer", "config", both + "\0" + json.dumps(config) + "\0a <x> <y>ab")
    bomb = {"type": "Split", "pattern": {"Regex": "(a*)*b"}, "behavior": "Removed", "invert": False}
    write("tokenizer", "backtracking", tokenizer(BPE, pre_tokenizer=bomb) + "\0\0" + "a" * 64)
    strip = {"type": "Strip", "content": "a", "start": 1, "stop": 3}
    write("tokenizer", "strip", tokenizer(BPE, decoder=strip) + "\0\0aaab")
    double = {"type": "Replace", "pattern": {"Regex": "a|$"}, "content": "aa"}
    chains = {
        "normalizer": {"type": "Sequence", "normalizers": [double] * 40},
        "decoder": {"type": "Sequence", "decoders": [double] * 40},
    }
    for part, chain in chains.items():
        write("tokenizer", f"doubling_{part}", tokenizer(BPE, **{part: chain}) + "\0\0aab")


def write_rows():
    plain = json.dumps({"prompt": "a", "completion": "b"})
    label = json.dumps({"text": "é", "label": 3})
    chat = json.dumps(
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    )
    pair_of = json.dumps({"chosen": "so it is", "rejected": "so it was"})
    chats = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": c}] for c in "bc"]
    pair_of_chats = json.dumps({"chosen": chats[0], "rejected": chats[1]})
    for at, (name, lines) in enumerate(
        {
            "prompts": [plain, plain],
            "labels": [label, "", label],
            "chats": [chat],
            "pairs": [pair_of, pair_of_chats],
        }.items()
    ):
        write("jsonl", name, bytes([at]) + "\n".join(lines).encode())
    write("jsonl", "deep", b"\0" + b'{"prompt":' * 300)
    write("jsonl", "numbers", b"\1" + b'{"text":"a","label":1e400}\n{"text":"a","label":-0}')
    csv = {
        "prompts": 'prompt,completion\n"a ""b""",c\r\nd,"e\nf"\n',
        "labels": "label,text\n1,a\n2,b\n",
        "chats": "messages\n"
        + '"'
        + json.dumps(json.loads(chat)["messages"]).replace('"', '""')
        + '"\n',
        "pairs": "prompt,chosen,rejected\na,b,c\n",
    }
    for at, (name, rows) in enumerate(csv.items()):
        write("table", f"csv_{name}", bytes([at]) + rows.encode())
    write("table", "csv_open_quote", b'\0prompt,completion\n"a,b\n')
    write("table", "tsv", b"\4prompt\tcompletion\na\tb\n")
    for at, (codec, rows) in enumerate(
        {
            "none": {"prompt": ["a", "b"], "completion": ["c", "d"]},
            "snappy": {"text": ["a", None], "label": [1, 2]},
            "zstd": {"messages": [json.loads(chat)["messages"]]},
            "gzip": {"chosen": ["ab"], "rejected": ["ac"]},
        }.items()
    ):
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(
            pyarrow.table(rows), sink, compression=codec, store_schema=False
        )
        write("table", f"parquet_{codec}", bytes([8 + at]) + sink.getvalue().to_pybytes())


def write_chat_templates():
    for file in sorted(TEMPLATES.glob("*.jinja")):
        write("chat_template", file.stem, file.read_text())
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    write("chat_template", "endless", loops)
    again = (
        "{% set n = namespace(x='ab') %}{% for i in range(99999) %}{% set n.x = STEP %}{% endfor %}"
    )
    write("chat_template", "growing", again.replace("STEP", "n.x ~ n.x"))
    nests = again.replace("STEP", "[n.x]") + "{{ n.x|tojson }}"
    write("chat_template", "nesting", nests)
    write(
        "chat_template",
        "itself",
        "{% include 'chat' %}{% macro f(a) %}{{ f(a) }}{% endmacro %}{{ f(1) }}",
    )
    write(
        "chat_template",
        "wide",
        "{{ messages|tojson(indent=99999999999) }}{{ 'a'.rsplit(none, -1) }}",
    )
    calls = "{{ strftime_now('%Y') }}{{ 'a-b'.partition('-') }}"
    calls += "{{ messages[::-1]|map(attribute='role')|list }}"
    write(
        "chat_template", "calls", calls + '\0[{"role": "user", "content": [1, 2.5, {"k": null}]}]'
    )
    write("chat_template", "raises", "{{ raise_exception('no') }}")


def write_events():
    step = {"step": 3, "total_steps": 9, "loss": 0.5, "grad_norm": "inf", "tokens": 2**40}
    lines = {
        "phase": {"phase": {"phase": "training", "total_steps": 9}},
        "step": {"step": step, "trial": 2},
        "eval": {"eval": {"metric": "accuracy", "value": 1, "rows": 4}},
        "artifact": {"artifact": {"kind": "checkpoint", "path": "checkpoints/3", "bytes": 1}},
        "log": {"log": {"rank": 1, "level": "warning", "message": "é"}},
        "result": {"result": {"steps": 9, "final_loss": "nan"}},
        "failure": {"failure": {"rank": 0, "code": "INVALID_ARGUMENT", "message": "no"}},
        "wide_rank": {"log": {"rank": 2**31}},
        "wide_step": {"step": {"step": 2**63}},
        "long_type": {"a" + "é" * 60: {}},
        "long_value": {"phase": {"phase": "é" * 60}},
        "hello": {"hello": {"rank": 1, "pid": 123, "host": "a"}},
        "wide_hello": {"hello": {"rank": 2**32 + 1, "pid": 2**32 - 1}},
        "call": {"call": {"name": "all_reduce", "number": 12, "seconds": 3.5}},
        "wide_call": {"call": {"name": "é", "number": 2**64 - 1, "seconds": 1e300}},
    }
    for name, line in lines.items():
        write("event", name, json.dumps(line, ensure_ascii=False))
    write("event", "deep", '{"step":{"step":' + "[" * 300 + "]" * 300 + "}}")


SPEC = """name: banking
model: gemma3-270m
method: {type: lora, r: 4, target_modules: [q_proj]}
data: {train: a.jsonl, eval: b.jsonl, few_shot: {per_class: 1}, label_words: {a: b}}
train: {max_steps: 3, learning_rate: 1e-3, schedule: cosine}
resources: {ranks: 2}
labels: {team: "1"}
"""


def write_job_specs():
    write("job_spec", "lora", SPEC)
    grid = "sweep: {grid: {train.learning_rate: [1e-3, 1e-2], method: [lora, none]}}\n"
    write("job_spec", "grid", SPEC + grid)
    space = "{train.learning_rate: {type: log_uniform, min: 1e-5, max: 1, when: {method: lora}}}"
    write(
        "job_spec",
        "search",
        SPEC + f"sweep: {{search: tpe, space: {space}, budget: {{trials: 4}}}}\n",
    )
    write("job_spec", "unknown", SPEC + "datum: 1\n")
    write("job_spec", "anchor", "name: &a b\nmodel: *a\n")
    write("job_spec", "deep", "name: " + "[" * 300)
    write(
        "job_spec",
        "numbers",
        SPEC.replace("1e-3", "-.inf").replace("max_steps: 3", "max_steps: 9e99"),
    )


def varint(value):
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])


def message(*fields):
    """Protobuf of (number, whole number, text or message)."""
    packed = b""
    for number, value in fields:
        if isinstance(value, int):
            packed += varint(number << 3) + varint(value)
        else:
            body = value.encode() if isinstance(value, str) else value
            packed += varint(number << 3 | 2) + varint(len(body)) + body
    return packed


def write_messages():
    lora = (3, message((2, message((1, 4), (3, "q_proj")))))
    data = (5, message((1, "a.jsonl"), (9, message((1, "a"), (2, "b")))))
    train = (6, message((1, 3), (6, "cosine")))
    spec = message((1, "banking"), (2, "gemma3-270m"), lora, data, train)
    values = message((1, "1e-3"), (1, "[2"))
    sweep = (11, message((1, message((1, "train.learning_rate"), (2, values)))))
    write("message", "spec", b"\0" + spec)
    write("message", "sweep", b"\0" + spec + message(sweep))
    write("message", "after", b"\0" + spec + message((9, 2**63), (13, "job-1"), (13, "job-1")))
    write("message", "phase", b"\1" + message((1, message((1, "training"), (2, 9)))))
    write("message", "step", b"\1" + message((2, message((1, 3), (6, 2**40)))))
    write("message", "artifact", b"\1" + message((4, message((1, "checkpoint"), (2, "a/b")))))
    write("message", "unknown_phase", b"\1" + message((1, message((1, "a" + "é" * 60)))))
    write("message", "failure", b"\1" + message((7, message((2, "INTERNAL"), (3, "no")))))


write_safetensors()
write_gguf()
write_model_config()
write_adapter_config()
write_tokenizer()
write_rows()
write_chat_templates()
write_events()
write_job_specs()
write_messages()
