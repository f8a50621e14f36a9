"""A headless Chromium, and tabs in which nothing may go wrong."""

import contextlib
import re
import shutil

from playwright.sync_api import expect, sync_playwright
from programs import build_folder

CHROMIUM = "chromium-headless-shell"
PHONE = {"width": 400, "height": 800}
SCREENSHOTS = build_folder() / "screenshots"
PATIENCE = 60_000  # milliseconds: the machine may be busy with something else

expect.set_options(timeout=PATIENCE)


@contextlib.contextmanager
def chromium():
    binary = shutil.which(CHROMIUM) or shutil.which("chromium")
    assert binary, f"neither {CHROMIUM} nor chromium is installed"
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root; it opens only pages of these tests.
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """One page and what the browser found wrong: exceptions, refused scripts, failed loads."""

    def __init__(self, browser, address, **options):
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE)
        self.errors = []
        self.meant = None  # words of errors that the test itself has made, whenever they are told
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)
        self.page.goto(address)

    def hear(self, message):
        if message.type == "error" and not (self.meant and self.meant in message.text):
            self.errors.append(message.text)

    def __getattr__(self, name):
        return getattr(self.page, name)

    def rows(self, table):
        """Texts of the cells, by row."""
        return [
            row.locator("td").all_inner_texts() for row in self.locator(f"#{table} tbody tr").all()
        ]

    def chart(self, canvas, expression):
        """A JavaScript expression of the chart, called `chart`; null before there is one."""
        chart = f"const chart = Chart.getChart('{canvas}'); return chart && {expression};"
        return self.evaluate(f"(() => {{ {chart} }})()")

    def points(self, canvas):
        return self.chart(canvas, "chart.data.datasets[0].data.length") or 0

    def wait_for_points(self, canvas, more_than=0):
        """Looks once a frame. (wait_for_function would need eval(), which the pages forbid.)"""
        self.evaluate(
            f"""new Promise((done, fail) => {{
                setTimeout(() => fail(new Error("no point more in {canvas}")), {PATIENCE});
                const look = () => {{
                    const chart = Chart.getChart("{canvas}");
                    if (chart && chart.data.datasets[0].data.length > {more_than}) done();
                    else requestAnimationFrame(look);
                }};
                look();
            }})"""
        )

    def screenshot_as(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def luminance(self, selector, style):
        """0 (black) to 255 of a colour as it is computed."""
        script = f"getComputedStyle(document.querySelector('{selector}')).{style}"
        red, green, blue = map(float, re.findall(r"[\d.]+", self.evaluate(script))[:3])
        return 0.3 * red + 0.6 * green + 0.1 * blue

    def wider_than_its_window(self):
        return self.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") > 0
