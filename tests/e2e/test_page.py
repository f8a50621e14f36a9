"""The page of a job in a real browser, headless, beside a job that runs."""

import pathlib
import re
import shutil

import pytest
from jobs import checkpointed, submit
from playwright.sync_api import expect, sync_playwright

PHONE = {"width": 400, "height": 800}
CHART = "Chart.getChart('loss')"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def running(lab, service):
    """A job that trains and has a checkpoint in the store."""
    spec = lab.spec(
        "on-the-page",
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


class Tab:
    """A page and what went wrong on it."""

    def __init__(self, browser, address, **options):
        self.page = browser.new_page(**options)
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.page.goto(address)

    def points(self):
        return self.page.evaluate(f"{CHART} ? {CHART}.data.datasets[0].data.length : 0")

    def wait_for_points(self, more_than):
        self.page.wait_for_function(
            f"{CHART} && {CHART}.data.datasets[0].data.length > {more_than}"
        )


@pytest.fixture
def open_tab(browser, tmp_path):
    """Opens tabs, none of which may have had an error; screenshots lie in pytest's folder."""
    tabs = []

    def open_one(address, **options):
        tabs.append(Tab(browser, address, **options))
        return tabs[-1]

    yield open_one
    for i, tab in enumerate(tabs):
        tab.page.screenshot(path=tmp_path / f"{i}.png", full_page=True)
        tab.page.close()
    assert [error for tab in tabs for error in tab.errors] == []


def test_the_curve_grows_while_the_job_runs(service, running, open_tab):
    tab = open_tab(f"{service.page}/")
    tab.page.get_by_role("link", name="on-the-page").click()
    expect(tab.page.locator("#state")).to_have_text("running")
    tab.wait_for_points(0)
    tab.wait_for_points(tab.points())
    expect(tab.page.locator("#step")).to_have_text(re.compile(r"step \d+ of 1000000"))
    timeline = tab.page.locator("#timeline li")
    expect(timeline.nth(0)).to_contain_text("queued submitted")
    expect(timeline.nth(-1)).to_contain_text("running attempt 1 on worker")
    expect(tab.page.locator("#spec")).to_contain_text("checkpoint_every: 20")
    expect(tab.page.locator("#evaluations tbody tr").first).to_contain_text("accuracy")


def test_a_file_is_downloaded_whole(service, running, open_tab):
    tab = open_tab(f"{service.page}/jobs/{running}")
    link = tab.page.locator("#files a", has_text="metrics.jsonl")
    with tab.page.expect_download() as download:
        link.click()
    lines = pathlib.Path(download.value.path()).read_text().splitlines()
    assert download.value.suggested_filename == "metrics.jsonl"
    assert len(lines) >= 20 and '"loss"' in lines[0]


def luminance(page, selector, style):
    """0 (black) to 255 of a colour as it is computed."""
    script = f"getComputedStyle(document.querySelector('{selector}')).{style}"
    red, green, blue = map(int, re.findall(r"\d+", page.evaluate(script))[:3])
    return 0.3 * red + 0.6 * green + 0.1 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_in_either_mode(service, running, open_tab, scheme):
    tab = open_tab(f"{service.page}/jobs/{running}", viewport=PHONE, color_scheme=scheme)
    tab.wait_for_points(0)
    assert tab.page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    text = luminance(tab.page, "body", "color")
    assert text > 180 if scheme == "dark" else text < 80
    axis = tab.page.evaluate(f"{CHART}.options.scales.x.ticks.color")
    assert axis == tab.page.evaluate("getComputedStyle(document.body).color")


def test_a_job_that_ends_closes_its_stream(lab, service, open_tab):
    job = submit(service, lab.spec("ends", resources__ranks=1))
    tab = open_tab(f"{service.page}/jobs/{job}")
    expect(tab.page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    expect(tab.page.locator("#timeline li").nth(-1)).to_contain_text("succeeded")
    expect(tab.page.locator("#files a", has_text="result.json")).to_be_visible()
    assert tab.points() == 12
    expect(tab.page.locator("#problem")).to_be_hidden()


def test_a_coordinator_that_comes_back(lab, cluster, browser):
    cluster.start_coordinator()
    job = submit(cluster, lab.spec("waits"))
    tab = Tab(browser, f"{cluster.page}/jobs/{job}")
    expect(tab.page.locator("#timeline li")).to_have_count(2)
    cluster.coordinator.kill()
    expect(tab.page.locator("#problem")).to_contain_text("does not answer")
    cluster.restart_coordinator()
    expect(tab.page.locator("#problem")).to_be_hidden(timeout=30_000)
    cluster.start_worker()
    expect(tab.page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    assert tab.points() == 12
    states = tab.page.locator("#timeline li strong").all_text_contents()
    assert states == ["queued", "queued", "starting", "running", "succeeded"], "none twice"
    tab.page.close()


def test_a_job_that_is_not_there(service, browser):
    page = browser.new_page()
    answer = page.goto(f"{service.page}/jobs/nobody")
    assert answer.status == 404 and "nobody" in page.text_content("body")
    page.close()
