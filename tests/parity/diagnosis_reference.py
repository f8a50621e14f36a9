"""What pmt-adapter diagnose measures, by transformers in fp64 with attention written out."""

import math

import reference
import torch
from transformers.masking_utils import AttentionMaskInterface, eager_mask
from transformers.modeling_utils import AttentionInterface


def attend(module, query, key, value, mask, scaling, **options):
    """Softmax attention, PrefixMemory's term, and a note of the map and values of each layer."""
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    weights = (query @ key.transpose(2, 3) * scaling + mask).softmax(-1)
    output = weights @ value
    module.seen = {"map": weights[0], "value": value[0]}
    memory = getattr(module, "prefix_memory", None)
    if memory is not None:
        term = memory(query if memory.query is None else memory.query)
        module.seen["memory"] = term[0].transpose(0, 1)
        output = output + term
    return output.transpose(1, 2).contiguous(), weights


AttentionInterface.register("diagnosed", attend)
AttentionMaskInterface.register("diagnosed", eager_mask)


def load(folder):
    return reference.load(folder, "diagnosed").double()


def layers_of(model):
    """The decoder's layers, of a model of PEFT's too."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.model.layers


def look(model, ids):
    """Of each layer {"map" [heads, T, keys], "value" [heads, keys, d], "attended" [T, heads, d],
    "out" [T, hidden], and the terms "memory" [T, heads, d], "hidden_memory" [T, 1, hidden]}."""
    handles, layers = [], layers_of(model)
    for layer in layers:
        attention = layer.self_attn

        def keep_input(module, inputs, attention=attention):
            attention.seen["attended"] = inputs[0][0]

        def keep_output(module, inputs, output, attention=attention):
            attention.seen["out"] = output[0][0]

        def keep_term(module, inputs, output, attention=attention):
            attention.hidden_term = output[0].unsqueeze(1)

        handles.append(attention.o_proj.register_forward_pre_hook(keep_input))
        handles.append(attention.register_forward_hook(keep_output))
        if hasattr(layer, "prefix_memory"):
            handles.append(layer.prefix_memory.register_forward_hook(keep_term))
    with torch.no_grad():
        model(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    seen = []
    for layer in layers:
        heads = layer.self_attn.seen
        heads["attended"] = heads["attended"].unflatten(-1, (heads["map"].shape[0], -1))
        if hasattr(layer, "prefix_memory"):
            heads["hidden_memory"] = layer.self_attn.hidden_term
        seen.append(heads)
    return seen


def ratio(adapted, base):
    return ((adapted - base).norm() / base.norm()).item()


def spectrum(vectors):
    """Of [n, d], from the covariance matrix."""
    count, energy = len(vectors), vectors.square().sum() / len(vectors)
    centred = vectors - vectors.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / count).flip(0)
    values = torch.where(values < 1e-13 * energy, 0.0, values)
    p = (values * count).sqrt()
    p = p[p > 0] / p.sum()
    share = values.cumsum(0) / values.sum()
    return {
        "constant_share": (vectors.mean(0).square().sum() / energy).item(),
        "effective_rank": math.exp(-(p * p.log()).sum().item()),
        "values_for_90_percent": int((share < 0.9).sum()) + 1,
        "eigenvalues": values,
    }


def padded(weights, keys):
    """A map that has lost sight of the first keys, with zeros for them."""
    return torch.nn.functional.pad(weights, (keys - weights.shape[-1], 0))


def by_position(rows):
    """The mean of [heads, T] of rows of several lengths over heads and rows."""
    longest = max(row.shape[1] for row in rows)
    have = [[row[:, i] for row in rows if row.shape[1] > i] for i in range(longest)]
    return [torch.cat(values).mean().item() for values in have]


def term(name, rows, base):
    """`rows`: [T, heads, d] each; `base`: [all T, heads, d], what their size is a part of."""
    vectors = torch.cat(rows)
    heads = range(vectors.shape[1])
    sizes = (vectors.square().sum((0, 2)) / base.square().sum((0, 2))).sqrt().tolist()
    return {"term": name, "heads": [{"size": sizes[h], **spectrum(vectors[:, h])} for h in heads]}


def layer_diagnosis(pairs, prefix):
    """`pairs`: the (base, adapted) that look() gave for one layer of each row."""
    change, input_change, mass, terms = [], [], [], {}
    for base, adapted in pairs:
        tokens = base["map"].shape[1]
        whole = padded(adapted["map"], prefix + tokens)
        change.append((whole - padded(base["map"], prefix + tokens)).abs().sum(-1) / 2)
        mass.append(whole[..., :prefix].sum(-1))
        own = whole[..., prefix:] / whole[..., prefix:].sum(-1, keepdim=True)
        input_change.append((own - base["map"]).abs().sum(-1) / 2)
        for name in ("memory", "hidden_memory"):
            if name in adapted:
                terms.setdefault(name, []).append(adapted[name])
        if prefix:
            kept = adapted["map"].shape[-1] - tokens  # of the prefix's keys
            part = adapted["map"][..., :kept] @ adapted["value"][:, :kept]
            terms.setdefault("prefix", []).append(part.transpose(0, 1))
    attended = [torch.cat([pair[i]["attended"] for pair in pairs]) for i in (0, 1)]
    out = [torch.cat([pair[i]["out"] for pair in pairs]) for i in (0, 1)]
    over_positions = {
        "map_change": torch.cat(change, 1).mean(1),
        "input_map_change": torch.cat(input_change, 1).mean(1),
        "output_change": torch.tensor(
            [ratio(attended[1][:, h], attended[0][:, h]) for h in range(attended[0].shape[1])]
        ),
    }
    layer = {"output_change": ratio(out[1], out[0]), "map_change_by_position": by_position(change)}
    if prefix:
        over_positions["prefix_mass"] = torch.cat(mass, 1).mean(1)
        layer["prefix_mass_by_position"] = by_position(mass)
    of_heads = zip(*(values.tolist() for values in over_positions.values()), strict=True)
    layer["heads"] = [dict(zip(over_positions, values, strict=True)) for values in of_heads]
    bases = {"hidden_memory": out[0].unsqueeze(1)}
    layer["terms"] = [
        term(name, rows, bases.get(name, attended[0])) for name, rows in terms.items()
    ]
    return layer


def diagnose(base, adapted, rows, prefix=0):
    seen = [(look(base, ids), look(adapted, ids)) for ids in rows]
    count = len(layers_of(base))
    return [layer_diagnosis([(b[i], a[i]) for b, a in seen], prefix) for i in range(count)]
