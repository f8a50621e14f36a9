"""The trainer's choice and order of rows in Python: both sides train on the same batches."""

import json

MASK = (1 << 64) - 1


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def random_bits(*keys):
    state = 0
    for key in keys:
        state = mix(state ^ mix(key))
    return state


def text_key(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def few_shot(rows, per_class, seed):
    members = {}
    for i, row in enumerate(rows):
        members.setdefault(row["label"], []).append(i)
    chosen = []
    for label, indices in members.items():
        key = text_key(label)
        chosen += sorted(indices, key=lambda i, key=key: random_bits(seed, key, i))[:per_class]
    return [rows[i] for i in sorted(chosen)]


def batches(count, size, seed, steps):
    """Row indices of each step."""
    per_epoch = -(-count // size)
    out = []
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        order = sorted(range(count), key=lambda i, epoch=epoch: (random_bits(seed, epoch, i), i))
        out.append(order[place * size : (place + 1) * size])
    return out
