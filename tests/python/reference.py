"""The method written out: no registry, no hooks. Stands in for each layer's attention block."""

import copy
import functools
import math

import torch

MINUS_INFINITY = torch.finfo(torch.float32).min


def with_memory(model, tensors, settings):
    """A copy of a model whose attention blocks are `attend` below."""
    model = copy.deepcopy(model)
    for i, layer in enumerate(model.model.layers):
        prefixes = (f"model.layers.{i}.{p}prefix_memory." for p in ("self_attn.", ""))
        own = {
            k.removeprefix(p): t for p in prefixes for k, t in tensors.items() if k.startswith(p)
        }
        layer.self_attn.forward = functools.partial(attend, layer.self_attn, own, settings)
    return model


def phi(kind, x, own):
    if kind == "elu":
        return torch.where(x > 0, x, torch.exp(x) - 1)
    if kind == "elu_plus_one":
        return torch.where(x > 0, x + 1, torch.exp(x))
    if kind == "gelu":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    product = torch.einsum("...d,...fd->...f", x, own["W"]) + own["b"]
    return product.clamp(min=0)


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, :, None] + torch.cat((-second, first), dim=-1) * sin[:, :, None]


def causal(length, window):
    """[length, length], true where a query sees a key."""
    distance = torch.arange(length)[:, None] - torch.arange(length)[None]
    return (distance >= 0) & (distance < (window or length))


def attend(block, own, settings, hidden_states, position_embeddings, **_):
    """hidden_states [B, T, hidden], a whole sequence without padding -> [B, T, hidden]"""
    batch, length, _ = hidden_states.shape
    q, k, v = (
        projection(hidden_states).view(batch, length, -1, block.head_dim)
        for projection in (block.q_proj, block.k_proj, block.v_proj)
    )
    if hasattr(block, "q_norm"):
        q, k = block.q_norm(q), block.k_norm(k)
    plain, q, k = q, rotate(q, *position_embeddings), rotate(k, *position_embeddings)
    groups = q.shape[2] // k.shape[2]
    k, v = (x.repeat_interleave(groups, dim=2) for x in (k, v))
    window = getattr(block, "sliding_window", None)
    if block.config.model_type == "mistral":
        window = block.config.sliding_window
    scores = torch.einsum("bthd,bshd->bhts", q, k) * block.scaling
    weights = scores.masked_fill(~causal(length, window), MINUS_INFINITY).softmax(-1)
    output = torch.einsum("bhts,bshd->bthd", weights, v)
    kind, hidden_scope = settings.get("feature_map", "elu"), settings.get("scope") == "hidden"
    if own and not hidden_scope:
        query = plain if settings.get("query") == "pre_rope" else q
        output = output + torch.einsum("bthf,hfe->bthe", phi(kind, query, own), own["M"])
    output = block.o_proj(output.reshape(batch, length, -1))
    if own and hidden_scope:
        output = output + phi(kind, hidden_states, own) @ own["M"]
    return output, None
