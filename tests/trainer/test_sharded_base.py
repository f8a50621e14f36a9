"""A base whose layers are in parts on the ranks trains, evaluates and resumes to the same bits."""

import json

import pytest
from conftest import CONFIG, MPIRUN, TRAINER, Workspace, evals, losses, run, write_model

METHODS = [
    {"type": "prefix_memory"},
    {"type": "prefix_memory", "layers": ["2-3"]},
    {"type": "prefix_tuning", "num_virtual_tokens": 3},
    {"type": "lora", "r": 4, "alpha": 8},
    {"type": "lora", "r": 4, "alpha": 8, "use_dora": True, "dropout": 0.1},
]


@pytest.fixture(name="deep")
def _deep(tmp_path):
    """A workspace whose model has more layers than may be there at a time."""
    workspace = Workspace(tmp_path)
    write_model(workspace.model, CONFIG | {"num_hidden_layers": 4})
    return workspace


def adapter_bytes(out):
    """{file: what it holds}; of several methods each has one."""
    folder = out / "adapter"
    found = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*.safetensors")}
    assert found
    return found


def assert_same_bits(one, other):
    assert losses(one) == losses(other)
    assert adapter_bytes(one) == adapter_bytes(other)
    assert evals(one) == evals(other)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("method", METHODS, ids=json.dumps)
def test_the_bits_are_those_of_a_whole_base(deep, method, ranks):
    """23 rows in batches of 6 and micro-batches of few rows: ranks differ in what they compute."""
    changes = {
        "method": method,
        "train__micro_batch_tokens": 60,
        "train__eval_every": 4,
        "eval__before": True,
    }
    whole = deep.train("whole", ranks=ranks, **changes)
    cut = deep.train("cut", ranks=ranks, resources__shard_base=True, **changes)
    assert len(evals(whole)) == 3
    assert_same_bits(cut, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"train__activation_checkpointing": "on"},
        {"train__dtype": "bf16"},
        {"train__deterministic": True},
        {"eval__mode": "generate", "eval__max_new_tokens": 6},
        {"eval__diagnosis_rows": 3},
        {"method": {"type": "combined", "methods": METHODS[2:4]}},
        {"objective": {"type": "dpo", "beta": 0.3}},
    ],
    ids=json.dumps,
)
def test_so_they_are_however_the_job_is_run(deep, changes):
    if "objective" in changes:
        changes = changes | deep.pairs()
    whole = deep.train("whole", ranks=2, **changes)
    assert_same_bits(deep.train("cut", ranks=2, resources__shard_base=True, **changes), whole)


def test_a_base_alone_is_evaluated(deep):
    changes = {"method": {"type": "none"}, "train__max_steps": None}
    whole = deep.train("whole", ranks=2, **changes)
    cut = deep.train("cut", ranks=2, resources__shard_base=True, **changes)
    assert evals(cut) == evals(whole) != []


@pytest.mark.parametrize("first, then", [(False, True), (True, False), (True, True)], ids=str)
def test_a_run_goes_on_from_a_checkpoint_of_either(deep, first, then):
    whole = deep.train("whole", ranks=2)
    out = deep.folder / "out-moved"
    for sharded, extra in ((first, ()), (then, ["--resume"])):
        spec = deep.spec("moved", train__checkpoint_every=4, resources__shard_base=sharded)
        said = deep.run(spec, out, ranks=2, extra=extra)
        if not extra:
            max((out / "checkpoints").iterdir()).rename(out / "last")  # of step 8
    assert "step 4" in said.partition("training")[0], "it began anew"
    assert_same_bits(out, whole)


def test_one_rank_has_it_whole(deep):
    assert_same_bits(deep.train("alone", resources__shard_base=True), deep.train("plain"))


def test_a_rank_that_cannot_read_its_file_ends_all(deep):
    """One alone, before the others could ask it for its part."""
    short = deep.folder / "short"
    write_model(short, CONFIG | {"num_hidden_layers": 4})
    weights = short / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64])
    for rank, model in enumerate((deep.model, short)):
        deep.spec(f"rank{rank}", model=str(model), resources__shard_base=True)
    spec = f"{deep.folder}/rank$OMPI_COMM_WORLD_RANK.yaml"
    command = f'exec {TRAINER} "{spec}" --out {deep.folder}/out'
    said = run([*MPIRUN, "-n", "2", "sh", "-c", command], code=14)
    assert "short/model.safetensors" in said
