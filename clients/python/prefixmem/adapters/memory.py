"""The trained part of one layer: M, and W and b of the feature map `mlp`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class PrefixMemory(nn.Module):
    """x -> M^T phi(x), arXiv 2506.13674.

    head scope:   x [..., heads, T, head_dim], M [heads, features, head_dim],
                  W [heads, features, head_dim], b [heads, features]
    hidden scope: x [..., T, hidden], M [features, hidden], W [features, hidden], b [features]
    """

    def __init__(self, feature_map: str, values: dict[str, torch.Tensor]):
        super().__init__()
        self.feature_map = feature_map
        self.enabled = True
        for name, value in values.items():
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Operands are of x's dtype: fp32 in an fp32 model, narrow ones in a narrow model."""
        return self.features(x) @ self.M.to(x)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        if self.feature_map == "elu":
            return functional.elu(x)
        if self.feature_map == "elu_plus_one":
            return functional.elu(x) + 1
        if self.feature_map == "gelu":
            return functional.gelu(x)
        return functional.relu(x @ self.W.to(x).transpose(-1, -2) + self.b.to(x).unsqueeze(-2))

    def extra_repr(self) -> str:
        return f"{self.feature_map}, M={list(self.M.shape)}"
