"""A Hugging Face Hub on loopback with one model, org/tiny, whose branch main is one commit."""

import contextlib
import hashlib
import http.server
import json

from loopback import served

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


def listed(file):
    """A file as the Hub lists it: large ones by sha256, small ones as git names them."""
    data = file.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry = {"rfilename": file.name, "size": len(data), "blobId": blob}
    if file.suffix == ".safetensors":
        entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return entry


class Hub(http.server.ThreadingHTTPServer):
    def __init__(self, model):
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        self.asked = []  # names of files, one entry a request

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        model, files = self.server.model, f"/org/tiny/resolve/{COMMIT}/"
        if path in [f"/api/models/org/tiny/revision/{name}" for name in ("main", COMMIT)]:
            siblings = [listed(file) for file in sorted(model.iterdir())]
            body = json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
        elif path.startswith(files):
            name = path.removeprefix(files)
            self.server.asked.append(name)
            body = (model / name).read_bytes()
        else:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(model):
    hub = Hub(model)
    with served(hub):
        yield hub
