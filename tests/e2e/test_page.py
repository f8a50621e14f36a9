"""The pages in a real browser, headless, beside jobs and a sweep that run."""

import csv
import functools
import http.server
import io
import json
import pathlib
import re

import pytest
from browser import PHONE, Tab, chromium
from jobs import at_step, checkpointed, show, state, submit
from loopback import served
from playwright.sync_api import expect

LONG = 120_000  # milliseconds, for what trains
GREY = "#8888"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_tab(browser, request):
    """Opens tabs; keeps a picture of each, and none may have had an error."""
    tabs = []

    def open_one(address, **options):
        tabs.append(Tab(browser, address, **options))
        return tabs[-1]

    yield open_one
    for i, tab in enumerate(tabs):
        tab.screenshot_as(f"{request.node.name}-{i}")
        tab.close()
    assert [error for tab in tabs for error in tab.errors] == []


@pytest.fixture(scope="module")
def running(lab, service):
    """A job that trains and has a checkpoint in the store."""
    spec = lab.spec(
        "on-the-page",
        data__template="<b>{text}</b>",
        train__max_steps=1_000_000,
        train__checkpoint_every=20,
        eval__before=True,
        resources__ranks=1,
    )
    job = submit(service, spec)
    with service.watch(job) as watch:
        watch.until(checkpointed(1))
    yield job
    service.pmt("cancel", job)
    service.pmt("watch", job)


@pytest.fixture(scope="module")
def sweep(lab, service):
    """A search, submitted; its trials begin and stop while the tests look on."""
    done = service.pmt("submit", lab.search(8, max_concurrent=1), "-o", "json")
    assert done.code == 0, done
    return done.json["sweep_id"]


def test_a_job_grows_while_it_runs(service, running, open_tab):
    tab = open_tab(f"{service.page}/")
    tab.get_by_role("link", name="on-the-page").click()
    expect(tab.locator("#state")).to_have_text("running")
    expect(tab.locator("#live")).to_have_text("live")
    for canvas in ("loss", "speed"):
        tab.wait_for_points(canvas)
        tab.wait_for_points(canvas, tab.points(canvas))
    tab.wait_for_points("score")
    expect(tab.locator("#step")).to_have_text(re.compile(r"step [\d,]+ of 1,000,000"))
    timeline = tab.locator("#timeline li")
    expect(timeline.nth(0)).to_contain_text("queued submitted")
    expect(timeline.nth(-1)).to_contain_text("running attempt 1 on worker")
    assert [tab.points("loss") > 1, tab.chart("score", "chart.data.datasets[0].label")] == [
        True,
        "accuracy",
    ]


def test_what_users_wrote_is_text(service, running, open_tab):
    tab = open_tab(f"{service.page}/jobs/{running}")
    expect(tab.locator("#spec")).to_contain_text("<b>{text}</b>")
    expect(tab.locator("#spec b")).to_have_count(0)


def test_a_file_is_downloaded_whole(service, running, open_tab):
    tab = open_tab(f"{service.page}/jobs/{running}")
    link = tab.locator("#artifacts a", has_text="metrics.jsonl")
    with tab.expect_download() as download:
        link.click()
    lines = pathlib.Path(download.value.path()).read_text().splitlines()
    assert download.value.suggested_filename == "metrics.jsonl"
    assert len(lines) >= 20 and '"loss"' in lines[0]


def figure(tab, name):
    """What the list at the top of a page says beside this name."""
    return tab.locator("#figures div", has=tab.locator("dt", has_text=name)).locator("dd")


def test_the_overview_and_a_worker(service, running, open_tab):
    tab = open_tab(f"{service.page}/")
    expect(tab.locator("#running")).to_contain_text("on-the-page")
    tab.locator("#workers a").click()
    (worker,) = service.pmt("workers", "-o", "json").json["workers"]
    assert worker["id"] == show(service, running)["worker_id"]
    expect(tab.locator("h1")).to_have_text(worker["id"])
    expect(tab.locator("#running")).to_contain_text("on-the-page")
    expect(figure(tab, "state")).to_have_text("connected")
    expect(figure(tab, "devices")).to_contain_text(worker["device_names"][0])
    expect(figure(tab, "slots used")).to_have_text("1 / 2")


def test_the_overview_tells_who_waits_and_who_trains_together(lab, service, running, open_tab):
    waits = submit(service, lab.spec("waits-for-two", resources__ranks=2))
    grid = {"grid": {"train.learning_rate": [0.01, 0.02]}}
    together = {"resources__ranks": 1, "train__max_steps": 1_000_000, "priority": 1}
    sweep = service.pmt("submit", lab.spec("together", sweep=grid, **together), "-o", "json").json
    names = [job["name"] for job in sweep["jobs"]]
    for job in sweep["jobs"]:
        with service.watch(job["id"]) as watch:
            watch.until(at_step(1))

    tab = open_tab(f"{service.page}/")
    gang = tab.locator("#running tbody tr", has_text=names[0])
    expect(gang).to_contain_text(names[1])
    expect(tab.locator("#running tbody tr")).to_have_count(2)
    queued = tab.locator("#queue tbody tr")
    expect(queued).to_have_count(1)
    expect(queued).to_contain_text("waits-for-two")
    expect(queued).to_contain_text("waits for 2 slots of one worker to be free")
    (worker,) = service.pmt("workers", "-o", "json").json["workers"]
    row = tab.locator("#workers tbody tr")
    expect(row).to_contain_text(worker["device_names"][0])
    expect(row).to_contain_text("2 / 2")
    expect(tab.locator("#sweeps")).to_contain_text("together")
    counts = dict(zip(*(tab.locator(f"#counts {tag}").all_inner_texts() for tag in ("dt", "dd"))))
    assert (counts["waiting"], counts["running"]) == ("1", "3"), counts

    assert service.pmt("cancel", sweep["sweep_id"]).code == 0
    assert service.pmt("cancel", waits).code == 0
    expect(tab.locator("#queue tbody tr")).to_have_count(0)
    expect(tab.locator("#running tbody tr")).to_have_count(1)
    expect(tab.locator("#ended")).to_contain_text("waits-for-two")


def test_before_there_is_anything(lab, cluster, browser):
    cluster.start_coordinator()
    tab = Tab(browser, f"{cluster.page}/")
    expect(tab.locator("#live")).to_have_text("live")
    expect(tab.locator(".empty:visible")).to_have_count(5)
    expect(tab.locator("table:visible")).to_have_count(0)
    done = cluster.pmt("submit", lab.search(4, max_concurrent=1), "-o", "json")
    tab.goto(f"{cluster.page}/sweeps/{done.json['sweep_id']}")
    for canvas in ("curves", "scatter"):
        section = tab.locator("section", has=tab.locator(f"#{canvas}"))
        expect(section.locator(".empty")).to_have_text("No trial has a score yet.")
    # The same page, never loaded again, fills as trials report.
    cluster.start_worker()
    tab.wait_for_points("curves")
    rows = tab.locator("#settings tbody tr")
    expect(rows.first).to_be_visible()
    expect(rows).to_have_count(4, timeout=LONG)
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)
    scored = [row for row in tab.rows("settings") if row[1]]
    assert 1 <= len(scored) < len(tab.rows("settings")) == 4, "a stopped one has no mean"
    assert tab.errors == []
    tab.screenshot_as("filled")
    tab.close()


@pytest.mark.parametrize("kind", ["jobs", "sweeps"])
def test_while_it_loads(service, running, sweep, open_tab, kind):
    held, let_go = [], False

    def gate(route):
        if let_go:
            route.continue_()
        else:
            held.append(route)

    tab = open_tab("about:blank")
    tab.route("**/api/**", gate)
    tab.goto(f"{service.page}/{kind}/{running if kind == 'jobs' else sweep}")
    expect(tab.locator("#live")).to_have_text("loading…")
    expect(tab.locator("#content")).to_be_hidden()
    assert held, "it has asked"
    let_go = True
    for route in held:
        route.continue_()
    expect(tab.locator("#content")).to_be_visible()
    expect(tab.locator("#live")).to_have_text(re.compile("live|ended"))


def test_what_changes_takes_no_focus(service, running, open_tab):
    tab = open_tab(f"{service.page}/")
    row = tab.locator("#running tbody tr", has_text="on-the-page")
    link = row.get_by_role("link", name="on-the-page")
    link.focus()
    before = row.inner_text()
    expect(row).not_to_have_text(before)
    expect(link).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_in_either_mode(service, running, sweep, open_tab, scheme):
    with service.watch(running) as watch:
        watch.until(at_step(1))
    worker = show(service, running)["worker_id"]
    for path in ("", f"jobs/{running}", f"sweeps/{sweep}", f"workers/{worker}"):
        tab = open_tab(f"{service.page}/{path}", viewport=PHONE, color_scheme=scheme)
        expect(tab.locator("#live")).to_have_text("live")
        expect(tab.locator("table:visible").first).to_be_visible()
        assert not tab.wider_than_its_window(), path
        text, ground = (tab.luminance("body", s) for s in ("color", "backgroundColor"))
        assert text - ground > 150 if scheme == "dark" else ground - text > 150, path
        if path.startswith("jobs"):
            tab.wait_for_points("loss")
            axis = tab.chart("loss", "chart.options.scales.x.ticks.color")
            assert axis == tab.evaluate("getComputedStyle(document.body).color")


def named(service, name):
    """Ids of the jobs of that name, the newest first."""
    jobs = service.pmt("list", "-o", "json").json["jobs"]
    return [job["id"] for job in jobs if job["name"] == name]


def test_cancel_asks_first_and_resubmit_makes_another(lab, service, open_tab):
    job = submit(service, lab.spec("unwanted", train__max_steps=1_000_000, resources__ranks=1))
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.locator("#state")).to_have_text("running", timeout=LONG)
    # By keyboard: the question opens with the harmless answer focused.
    tab.locator("#cancel").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question")).to_have_text("Cancel job unwanted?")
    expect(tab.locator("#no")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#confirm")).to_be_hidden()
    expect(tab.locator("#cancel")).to_be_focused()
    assert state(service, job) == "running"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.locator("#state")).to_have_text("cancelled", timeout=LONG)
    expect(tab.locator("#cancel")).to_be_hidden()
    expect(tab.locator("#live")).to_have_text("ended")
    tab.locator("#resubmit").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question")).to_have_text("Submit the spec of job unwanted again?")
    expect(tab.locator("#no")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#confirm")).to_be_hidden()
    expect(tab.locator("#resubmit")).to_be_focused()
    assert named(service, "unwanted") == [job]
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(rf"/jobs/(?!{job})"))
    again = tab.url.split("/")[-1]
    expect(tab.locator("#id")).to_have_text(again)
    assert show(service, again)["spec"] == show(service, job)["spec"]
    assert named(service, "unwanted") == [again, job]
    assert service.pmt("cancel", again).code == 0


def test_a_job_is_pinned_and_removed(lab, service, open_tab):
    job = submit(service, lab.spec("gone", train__max_steps=3, resources__ranks=1))
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.locator("#state")).to_have_text("succeeded", timeout=LONG)
    tab.locator("#pin").click()
    expect(tab.locator("#pin")).to_have_text("Unpin")
    expect(tab.locator("#remove")).to_be_hidden()
    assert show(service, job)["pinned"]
    assert service.pmt("rm", job).code == 13  # FAILED_PRECONDITION
    tab.locator("#pin").click()
    expect(tab.locator("#pin")).to_have_text("Pin")
    tab.locator("#remove").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question")).to_have_text(
        "Remove job gone, with all its files? This cannot be undone."
    )
    expect(tab.locator("#no")).to_be_focused()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r":\d+/$"))
    assert service.pmt("show", job).code == 12  # NOT_FOUND


def test_a_sweep_is_cancelled_and_submitted_again(lab, service, open_tab):
    grid = {"grid": {"train.learning_rate": [0.01, 0.02], "train.weight_decay": [0, 0.1]}}
    spec = lab.spec("both", train__max_steps=1_000_000, resources__ranks=1, sweep=grid)
    sweep = service.pmt("submit", spec, "-o", "json").json["sweep_id"]
    tab = open_tab(f"{service.page}/sweeps/{sweep}")
    expect(tab.locator("#state")).to_have_text("running")
    tab.locator("#cancel").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#question")).to_have_text("Cancel sweep both and all its trials?")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.locator("#state")).to_have_text("cancelled", timeout=LONG)
    expect(tab.locator("#cancel")).to_be_hidden()
    tab.locator("#resubmit").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(rf"/sweeps/(?!{sweep})"))
    again = tab.url.split("/")[-1]
    expect(tab.locator("#id")).to_have_text(again)
    assert service.pmt("cancel", again).code == 0
    listed = service.pmt("list", "--sweep", again, "-o", "json").json["jobs"]
    assert len(listed) == 4


def test_a_settings_axis_is_chosen_by_keyboard(lab, service, open_tab):
    grid = {"grid": {"train.learning_rate": [0.01, 0.02], "train.weight_decay": [0, 0.1]}}
    spec = lab.spec("axes", train__max_steps=3, resources__ranks=1, sweep=grid)
    sweep = service.pmt("submit", spec, "-o", "json").json["sweep_id"]
    tab = open_tab(f"{service.page}/sweeps/{sweep}")
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)
    axis = "chart.options.scales.x.title.text"
    assert tab.chart("scatter", axis) == "train.learning_rate"
    tab.locator("#path").focus()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#path")).to_have_value("train.weight_decay")
    assert tab.chart("scatter", axis) == "train.weight_decay"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") in ("A", "PRE"), "and goes on"


def test_what_a_job_logs(lab, service, open_tab):
    spec = lab.spec("talks", train__activation_checkpointing="auto", resources__ranks=1)
    job = submit(service, spec)
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.locator("#log")).to_contain_text("layers again", timeout=LONG)
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)


def test_why_a_job_has_failed(lab, service, open_tab):
    nan = {"method": "lora", "train__learning_rate": 1e30, "resources__ranks": 1}
    job = submit(service, lab.spec("diverges", **nan))
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.locator("#state")).to_have_text("failed", timeout=LONG)
    shown = show(service, job)
    expect(tab.locator("#reason")).to_have_text(shown["reason"])
    expect(figure(tab, "failure")).to_have_text("FAILED_PRECONDITION")
    expect(tab.locator("#stderr")).to_be_visible()
    assert "lower train.learning_rate" in shown["stderr_tail"]
    expect(tab.locator("#stderr")).to_have_text(shown["stderr_tail"])


@pytest.fixture
def elsewhere(tmp_path):
    """Address of a site that is not the coordinator's."""
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        yield f"{address}/"


def test_another_sites_page_cannot_cancel(service, running, browser, elsewhere):
    page = browser.new_page()
    page.goto(elsewhere)
    post = "(address) => fetch(address, {method: 'POST', mode: 'no-cors'}).then((got) => got.type)"
    answer = page.evaluate(post, f"{service.page}/api/jobs/{running}/cancel")
    page.close()
    assert answer == "opaque", "it was sent and answered"
    assert show(service, running)["reason"].startswith("attempt 1 on worker")


def test_a_sweep_until_its_end(service, sweep, open_tab):
    tab = open_tab(f"{service.page}/sweeps/{sweep}")
    expect(tab.locator("#state")).to_have_text("finished", timeout=LONG)
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)
    done = service.pmt("results", sweep, "--by-setting", "-o", "csv")
    wanted = list(csv.DictReader(io.StringIO(done.out)))
    rows = tab.rows("settings")
    assert [row[0] for row in rows] == [row["train.learning_rate"] for row in wanted]
    means = [f"{float(row['mean']):.4g}" if row["mean"] else "" for row in wanted]
    assert [row[1] for row in rows] == means
    assert [row[-1] for row in rows] == [row["best_job_id"] for row in wanted]

    jobs = service.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"]
    stopped = [job for job in jobs if job["state"] == "JOB_STATE_CANCELLED"]
    assert stopped and len(stopped) < len(jobs)
    colours = tab.chart("curves", "chart.data.datasets.map((line) => line.borderColor)")
    assert [len(colours), colours.count(GREY)] == [len(jobs), len(stopped)]
    finished, cut = tab.chart("scatter", "chart.data.datasets.map((set) => set.data)")
    assert [len(finished), len(cut)] == [len(jobs) - len(stopped), len(stopped)]
    best = finished[0]
    assert best["setting"]["train.learning_rate"] == wanted[0]["train.learning_rate"]
    assert best["x"] == float(wanted[0]["train.learning_rate"])
    assert best["y"] == pytest.approx(float(wanted[0]["mean"]), rel=1e-5)
    assert tab.chart("scatter", "chart.options.scales.x.type") == "logarithmic"
    expect(tab.locator("section", has=tab.locator("#spectra")).locator(".empty")).to_be_visible()
    tab.locator("#settings a").first.click()
    expect(tab.locator("#id")).to_have_text(wanted[0]["best_job_id"])


@pytest.fixture(scope="module")
def compared(lab, service):
    """A sweep over methods that has ended; each trial has looked at its attention."""
    spec = lab.spec(
        "compared",
        eval__diagnosis_rows=3,
        resources__ranks=1,
        sweep={
            "trials": [
                {"method": {"type": "prefix_tuning", "num_virtual_tokens": 4}},
                {"method": "prefix_memory"},
                {"method": "lora"},
            ]
        },
    )
    done = service.pmt("submit", spec, "-o", "json")
    assert done.code == 0, done
    for job in done.json["jobs"]:
        assert service.pmt("watch", job["id"]).code == 0
    return done.json["sweep_id"], [job["id"] for job in done.json["jobs"]]


def terms(service, job, folder):
    """Heads of the term that the job's method adds, over all layers."""
    assert service.pmt("download", job, "--out", folder).code == 0
    found = json.loads((folder / "adapter" / "diagnosis.json").read_text())
    return [head for layer in found["layers"] for head in layer["terms"][0]["heads"]]


def test_spectra_of_the_methods(service, compared, open_tab, tmp_path):
    sweep, jobs = compared
    tab = open_tab(f"{service.page}/sweeps/{sweep}", viewport=PHONE, color_scheme="dark")
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)
    tab.wait_for_points("spectra")
    expect(tab.locator("#spectrum-figures tbody tr")).to_have_count(2)
    prefix, memory = tab.rows("spectrum-figures")
    assert [prefix[0], prefix[2]] == ["prefix_tuning (num_virtual_tokens: 4)", "prefix"]
    assert [memory[0], memory[2]] == ["prefix_memory", "memory"]
    assert [prefix[-1], memory[-1]] == jobs[:2], "LoRA adds no term"
    lines = tab.chart("spectra", "chart.data.datasets.map((line) => line.data)")
    for row, line, job in zip((prefix, memory), lines, jobs):
        heads = terms(service, job, tmp_path / job)
        mean = sum(head["effective_rank"] for head in heads) / len(heads)
        assert float(row[3]) == pytest.approx(mean, abs=0.051)
        assert line[0] == {"x": 1, "y": 1}
        second = [head["eigenvalues"][1] / head["eigenvalues"][0] for head in heads]
        assert line[1]["y"] == pytest.approx(sum(second) / len(second))
    assert len(lines[0]) <= 4 < len(lines[1]), "the rank of a prefix of four is four"
    assert tab.chart("spectra", "chart.options.scales.y.type") == "logarithmic"
    colour = tab.evaluate("getComputedStyle(document.body).color")
    assert tab.chart("spectra", "chart.options.scales.y.ticks.color") == colour
    assert not tab.wider_than_its_window()


def test_a_spectrum_that_does_not_come(service, compared, open_tab):
    tab = open_tab("about:blank")
    tab.meant = "status of 503"
    tab.route("**/artifacts", lambda route: route.fulfill(status=503, body="the store is away\n"))
    tab.goto(f"{service.page}/sweeps/{compared[0]}")
    expect(tab.locator("#problem")).to_have_text("the store is away")
    expect(tab.locator("#settings tbody tr")).to_have_count(3)


def test_a_population_grows_from_its_best(lab, service, open_tab):
    done = service.pmt("submit", lab.population(3), "-o", "json")
    assert done.code == 0, done
    sweep = done.json["sweep_id"]
    tab = open_tab(f"{service.page}/sweeps/{sweep}")
    expect(tab.locator("#live")).to_have_text("ended", timeout=LONG)
    jobs = service.pmt("list", "--sweep", sweep, "-o", "json").json["jobs"][::-1]
    lines = tab.chart(
        "curves",
        "chart.data.datasets.map(({label, data, borderColor}) => [label, data, borderColor])",
    )
    assert [label for label, _, _ in lines] == [
        f"trial {i + 1} of member {i % 3 + 1}" for i in range(9)
    ]
    assert len({colour for _, _, colour in lines}) == 3
    for i, (_, data, colour) in enumerate(lines):
        steps = [point["x"] for point in data]
        parent = jobs[i]["trial"].get("parent", 0)
        assert steps == ([3 * (i // 3)] if parent else []) + [3 * (i // 3 + 1)]
        assert colour == lines[i % 3][2]
        if parent:
            assert data[0] == lines[parent - 1][1][-1]


def test_a_job_that_ends_closes_its_stream(lab, service, open_tab):
    job = submit(service, lab.spec("ends", resources__ranks=1))
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.locator("#state")).to_have_text("succeeded", timeout=LONG)
    expect(tab.locator("#live")).to_have_text("ended")
    expect(tab.locator("#timeline li").nth(-1)).to_contain_text("succeeded")
    expect(tab.locator("#artifacts a", has_text="result.json")).to_be_visible()
    assert tab.points("loss") == 12
    expect(tab.locator("#problem")).to_be_hidden()


def test_a_coordinator_that_comes_back(lab, cluster, browser):
    cluster.start_coordinator()
    job = submit(cluster, lab.spec("waits"))
    tab = Tab(browser, f"{cluster.page}/jobs/{job}")
    expect(tab.locator("#timeline li")).to_have_count(2)
    expect(tab.locator("section", has_text="Artifacts").locator(".empty")).to_be_visible()
    cluster.coordinator.kill()
    expect(tab.locator("#problem")).to_contain_text("does not answer")
    expect(tab.locator("#live")).to_have_text("not live")
    tab.screenshot_as("broken-off")
    cluster.restart_coordinator()
    expect(tab.locator("#problem")).to_be_hidden(timeout=LONG)
    expect(tab.locator("#live")).to_have_text("live")
    cluster.start_worker()
    expect(tab.locator("#state")).to_have_text("succeeded", timeout=LONG)
    expect(tab.locator("#live")).to_have_text("ended")
    assert tab.points("loss") == 12
    states = tab.locator("#timeline li strong").all_text_contents()
    assert states == ["queued", "queued", "starting", "running", "succeeded"], "none twice"
    tab.close()


def test_what_is_not_there(service, open_tab):
    for path, sentence in {
        "sweeps/nobody": 'no sweep has the id or name "nobody"',
        "jobs/nobody": 'no job has the id or name "nobody"',
    }.items():
        tab = open_tab("about:blank")
        tab.meant = "status of 404"
        tab.goto(f"{service.page}/{path}")
        expect(tab.locator("#problem")).to_have_text(sentence)
    tab = open_tab(f"{service.page}/workers/nobody")
    expect(tab.locator("#unknown")).to_contain_text("No worker has the id nobody")
