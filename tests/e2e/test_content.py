"""Files that a worker does not have at the client's paths: sent to it, or below its roots."""

import hashlib
import shutil

import hub
from conftest import COORDINATOR
from jobs import adapter_bytes, at_step, checkpointed, log_lines, show, submit, succeeded

ADAPTER = "adapter/adapter_model.safetensors"


def adapter_of(cluster, job, folder):
    """Digest of a job's adapter as it comes back; the store's own is the same."""
    done = cluster.pmt("download", job, "--out", folder, "-o", "json")
    assert done.code == 0, done
    listed = {file["path"]: file["sha256"] for file in done.json["files"]}
    digest = hashlib.sha256((folder / ADAPTER).read_bytes()).hexdigest()
    assert digest == listed[ADAPTER]
    return digest


def test_rows_and_adapter_travel(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    home = tmp_path / "home"  # what only the client has
    home.mkdir()
    shutil.copy(lab.data, home / "rows.jsonl")
    method = {"type": "lora", "r": 4}
    data = {"train": "rows.jsonl", "eval": "rows.jsonl", "format": "text_label"}
    local = submit(cluster, lab.spec("local", method=method), "--no-upload")
    cluster.start_worker()
    succeeded(cluster, local)
    first = adapter_of(cluster, local, tmp_path / "local")
    shutil.copytree(tmp_path / "local" / "adapter", home / "start")

    spec = lab.spec("away", method={**method, "init": "start"}, data=data)
    shutil.move(spec, home / "away.yaml")
    done = cluster.pmt("submit", home / "away.yaml", "-o", "json")
    assert done.code == 0 and "sent" in done.err, done
    (away,) = (job["id"] for job in done.json["jobs"])
    shutil.rmtree(home)
    succeeded(cluster, away)
    named = show(cluster, away)["spec"]
    rows = hashlib.sha256(lab.data.read_bytes()).hexdigest()
    assert named["data"]["train"] == f"content://{rows}/rows.jsonl"
    assert named["method"]["lora"]["init"].startswith("content://")

    # The same start and rows by path, or by the job that made it: the same adapter, to the bit.
    beside = lab.spec("beside", method={**method, "init": str(tmp_path / "local" / "adapter")})
    beside = submit(cluster, beside, "--no-upload")
    succeeded(cluster, beside)
    named = lab.spec("named", method={**method, "init": "job://local"})
    named = submit(cluster, named, "--no-upload")
    succeeded(cluster, named)
    second = adapter_of(cluster, away, tmp_path / "away")
    assert second == adapter_of(cluster, named, tmp_path / "named")
    assert second == adapter_of(cluster, beside, tmp_path / "beside")
    assert second != first

    kept = {path.name for path in (cluster.folder / "worker1" / "work" / "content").iterdir()}
    assert rows in kept


def test_a_model_of_the_hub_is_fetched_once_a_host(lab, cluster, tmp_path, monkeypatch):
    cluster.start_coordinator(**COORDINATOR)
    with hub.serve(lab.model) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        for _ in range(2):
            cluster.start_worker(hub=served.address, cache=tmp_path / "cache")
        name = f"hf://org/tiny@{hub.COMMIT}"
        model = {"method": {"type": "lora", "r": 2}}  # with as many ranks as a worker has slots
        first = submit(cluster, lab.spec("first", model="hf://org/tiny", **model))
        second = submit(cluster, lab.spec("second", model="hf://org/tiny@main", **model))
        beside = submit(cluster, lab.spec("beside", **model), "--no-upload")
        for job in (first, second, beside):
            succeeded(cluster, job)
        assert show(cluster, first)["spec"]["model"] == name
        workers = {show(cluster, job)["worker_id"] for job in (first, second)}
        assert len(workers) == 2
        weights = [file for file in served.asked if file == "model.safetensors"]
        assert len(weights) == 1, served.asked
        digests = [adapter_of(cluster, j, tmp_path / j) for j in (first, second, beside)]
        assert len(set(digests)) == 1

        served.asked.clear()
        spec = lab.spec("told", model=name, resources__ranks=1)
        told = cluster.pmt("explain", "--estimate", spec, "-o", "json")
        assert told.code == 0 and int(told.json["memory"][0]["estimate"]["total"]) > 0, told
        assert served.asked == ["config.json"]


def test_a_worker_fetches_from_no_hub_unless_it_is_told_to(lab, cluster, monkeypatch):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    with hub.serve(lab.model) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        job = submit(cluster, lab.spec("refused", model="hf://org/tiny", resources__ranks=1))
        assert cluster.pmt("watch", job).code == 1
        failed = show(cluster, job)
        assert "is of the Hub, from which this worker does not fetch" in failed["reason"]
        assert "model.safetensors" not in served.asked


def test_the_best_adapter_comes_back_and_serves(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    changes = {
        "method": {"type": "lora", "r": 2},
        "train__max_steps": 8,
        "train__eval_every": 2,
        "train__keep_best": True,
        "train__keep_checkpoints": 3,
        "train__checkpoint_every": 1,
        "eval__mode": "loss",
    }
    job = submit(cluster, lab.spec("best", **changes))
    succeeded(cluster, job)
    progress = show(cluster, job)["progress"]
    losses = [(e["value"], int(e["step"])) for e in progress["evals"]]
    step = min(losses)[1]
    assert int(progress["best_adapter_step"]) == step
    done = cluster.pmt("download", job, "--out", tmp_path / "best")
    assert done.code == 0, done
    kept = cluster.pmt("download", job, "--path", "checkpoints", "--out", tmp_path / "kept")
    assert kept.code == 0 and len(list((tmp_path / "kept" / "checkpoints").iterdir())) == 3, kept
    folder = tmp_path / "best" / "best_adapter" / f"step-{step:08}"
    assert {file.name for file in folder.iterdir()} >= {"adapter_config.json", "golden_probe.json"}
    verified = cluster.pmt("verify", folder)
    assert verified.code == 0 and "APPLIED" in verified.out, verified

    starts = {"named": "job://best/best", "beside": str(folder)}
    adapters = []
    for name, start in starts.items():
        again = lab.spec(name, **{**changes, "method": {**changes["method"], "init": start}})
        again = submit(cluster, again, "--no-upload")
        succeeded(cluster, again)
        adapters.append(adapter_bytes(cluster, again, tmp_path / name))
    assert adapters[0] == adapters[1]


def test_a_job_goes_on_where_its_files_lie_elsewhere(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    first = cluster.start_worker(root=f"lab={lab.folder}")
    spec = lab.spec(
        "rooted", model="root://lab/model", train__max_steps=200, train__checkpoint_every=20
    )
    undisturbed = submit(cluster, spec)
    succeeded(cluster, undisturbed)
    job = submit(cluster, spec)
    with cluster.watch(job) as watch:
        watch.until(checkpointed(20))
        watch.until(at_step(30))
        first.kill()
        shutil.copytree(lab.model, tmp_path / "elsewhere" / "model")
        cluster.start_worker(root=f"lab={tmp_path / 'elsewhere'}")
        code, events, errors = watch.finish()
    assert code == 0, errors
    again = [e for e in events if e.get("attempt") == 2]
    assert any("resuming after step" in line for line in log_lines(again)), log_lines(again)
    one, two = (adapter_bytes(cluster, j, tmp_path / j) for j in (undisturbed, job))
    assert one == two


def test_a_model_that_only_the_client_has(lab, cluster, tmp_path):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker()
    by_path = submit(cluster, lab.spec("path"))
    succeeded(cluster, by_path)

    home = tmp_path / "tiny"
    shutil.copytree(lab.model, home)
    added = cluster.pmt("models", "add", home)
    assert (added.code, added.out) == (0, "models://tiny\n") and "sent" in added.err, added
    shutil.rmtree(home)
    job = submit(cluster, lab.spec("sent", model="models://tiny"))
    assert cluster.pmt("models", "rm", "tiny").code == 0
    succeeded(cluster, job)
    one, two = (adapter_bytes(cluster, j, tmp_path / j) for j in (by_path, job))
    assert one == two
    named = show(cluster, job)["spec"]["model"]
    assert named.startswith("content://") and named.endswith("/tiny/")


def test_roots_are_all_that_a_worker_opens(lab, cluster):
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker(root=f"lab={lab.folder}")
    job = submit(cluster, lab.spec("plain"))
    assert cluster.pmt("watch", job).code != 0
    reason = show(cluster, job)["reason"]
    assert f'model: "{lab.model}" is a path, which this worker does not open' in reason
    climbing = cluster.pmt("submit", lab.spec("climbing", model="root://lab/../lab/model"))
    assert climbing.code != 0 and "does not stay below its root" in climbing.err, climbing
