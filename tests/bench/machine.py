"""What a benchmark says about the machine it ran on: machine.py FILE writes it as JSON."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")


def cpu_line(key):
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(key):
            return line.split(": ", 1)[1]
    return ""


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def description():
    flags = set(cpu_line("flags").split())
    return (
        f"{cpu_line('model name') or 'unknown CPU'}, {os.cpu_count()} cores, "
        f"{memory_gib():.0f} GiB, {' '.join(f for f in TELLING_FLAGS if f in flags)}"
    )


def matmul_rates(threads):
    """{dtype: GFLOP/s}, each in a process of its own."""
    rates = {}
    for dtype in ("bf16", "fp32"):
        command = [sys.executable, HERE / "matmul.py", dtype, str(threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rates[dtype] = float(done.stdout)
    return rates


def lines(about):
    rates = ", ".join(f"{rate:.0f} GFLOP/s in {dtype}" for dtype, rate in about["rates"].items())
    yield f"- machine: {about['machine']}"
    yield f"- best matmul with {about['threads']} threads: {rates}"


def main():
    threads = os.cpu_count()
    about = {"machine": description(), "threads": threads, "rates": matmul_rates(threads)}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(about) + "\n")
    print("\n".join(lines(about)), flush=True)


if __name__ == "__main__":
    main()
