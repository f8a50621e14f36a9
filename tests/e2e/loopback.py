"""HTTP servers of tests, on a free port of this host."""

import contextlib
import threading


@contextlib.contextmanager
def served(server):
    """Its address, while an http.server.ThreadingHTTPServer serves on a thread of its own."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
