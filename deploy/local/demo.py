#!/usr/bin/env python3
"""Trains a small sweep on this machine: a coordinator, two workers, two ranks a job.

usage: demo.py --model DIR [--data DIR] [--rows N] [--out DIR]

Trains PrefixMemory and LoRA on one Banking77 row a class beside the untuned model, shows the
progress, prints a table and leaves the adapters in --out (default: demo-out in the build folder).
Everything that it starts is stopped when it ends or is interrupted.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import yaml
from cluster import Cluster
from programs import StartError, build_folder, stop_on_signals

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
WORKERS, SLOTS = 2, 2
PMT = build_folder() / "bin" / "pmt"
PREPARE = [PMT, "benchmarks", "prepare", "banking77", "--benchmark-data", REPO / ".deps" / "data"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, type=pathlib.Path, help="Hugging Face folder")
    parser.add_argument("--data", type=pathlib.Path, help="folder of train.jsonl and test.jsonl")
    parser.add_argument("--rows", type=int, help="held-out rows to evaluate on")
    parser.add_argument("--out", type=pathlib.Path, default=build_folder() / "demo-out")
    return parser.parse_args()


def say(text=""):
    print(text, flush=True)


def data_folder():
    """Banking77, or the small set of the repository where no source of it can be reached."""
    done = subprocess.run([*PREPARE, "-o", "json"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        (benchmark,) = json.loads(done.stdout)["benchmarks"]
        return pathlib.Path(benchmark["splits"]["train"]["file"]).parent
    say(f"Banking77 cannot be had:\n{done.stderr.rstrip()}")
    say("The demo uses the intents of tests/data/intents instead.")
    return REPO / "tests" / "data" / "intents"


def write_spec(args):
    spec = yaml.safe_load((HERE / "demo.yaml").read_text())
    data = (args.data or data_folder()).absolute()
    spec["model"] = str(args.model.absolute())
    spec["data"] |= {"train": str(data / "train.jsonl"), "eval": str(data / "test.jsonl")}
    if args.rows:
        spec["eval"]["max_rows"] = args.rows
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "sweep.yaml"
    file.write_text(yaml.safe_dump(spec, sort_keys=False))
    return file


def start(cluster):
    cluster.start_coordinator()
    for _ in range(WORKERS):
        cluster.start_worker(slots=SLOTS)
    say(f"While this runs:  page     {cluster.page}/")
    say(f"                  metrics  {cluster.page}/metrics")
    for worker in cluster.workers:
        say(f"                           http://{worker.ready['metrics']}/metrics (a worker)")
    say(f"                  pmt      PREFIXMEM_SERVER={cluster.server} {cluster.bin / 'pmt'} list")


def submit(cluster, spec):
    say(f"\n$ pmt submit {spec}")
    done = cluster.pmt("submit", spec, "-o", "json")
    if done.code != 0:
        sys.exit(done.err.strip() or done.out.strip())
    return json.loads(done.out)


def download(cluster, jobs, out):
    """{name of a job: folder of its adapter}, where `pmt download` puts it."""
    places = {}
    for job in jobs:
        folder = out / job["id"]
        done = cluster.pmt("download", job["id"], "--out", folder)
        if done.code != 0:
            sys.exit(done.err.strip())
        if (folder / "adapter").is_dir():
            places[job["name"]] = folder / "adapter"
    return places


def run(args):
    spec = write_spec(args)
    with Cluster() as cluster:
        start(cluster)
        submitted = submit(cluster, spec)
        sweep = submitted["sweep_id"]
        say(f"\n$ pmt watch {sweep}")
        code = cluster.pmt_here("watch", sweep)
        say(f"\n$ pmt results {sweep} --by-job")
        cluster.pmt_here("results", sweep, "--by-job")
        places = download(cluster, submitted["jobs"], args.out)
    say("\nAdapters:")
    for name, folder in places.items():
        say(f"  {name:20} {folder}")
    say("The coordinator and the workers are stopped.")
    return code


def main():
    stop_on_signals()
    try:
        return run(arguments())
    except StartError as error:
        return str(error)
    except KeyboardInterrupt:
        say("\nInterrupted; the coordinator and the workers are stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
