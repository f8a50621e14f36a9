"""The best matmul rate that torch reaches here: matmul.py DTYPE THREADS prints GFLOP/s."""

import sys
import time

import torch

SIZES = [(2048, 2048, 2048), (4096, 4096, 1024)]
SECONDS = 1.5


def rate(dtype, rows, inner, columns, device="cpu"):
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(columns, inner, device=device).to(dtype).t()

    def multiply():
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()

    multiply()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        multiply()
        best = min(best, time.perf_counter() - start)
    return 2 * rows * inner * columns / best / 1e9


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[sys.argv[1]]
    print(max(rate(dtype, *size) for size in SIZES))
