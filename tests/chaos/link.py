"""A way from a client or worker to the coordinator that can be broken or held up."""

import contextlib
import socket
import threading

BLOCK = 1 << 16


class Link:
    """Passes on what comes to `address`; to `target` (host:port) and back."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.passes = threading.Event()
        self.passes.set()
        self.ends = set()  # of the connections that are open
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                self.connect(self.listener.accept()[0])

    def connect(self, near):
        try:
            far = socket.create_connection(self.target)
        except OSError:  # the coordinator is away
            near.close()
            return
        self.ends |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):  # broken
            while block := source.recv(BLOCK):
                self.passes.wait()
                sink.sendall(block)
        self.ends -= {source, sink}
        shut(source, sink)

    def break_all(self):
        shut(*self.ends)

    @contextlib.contextmanager
    def held_up(self):
        """What is sent meanwhile comes afterwards, as the kernel sends it again."""
        self.passes.clear()
        try:
            yield
        finally:
            self.passes.set()

    def close(self):
        self.listener.close()
        self.break_all()


def shut(*ends):
    for end in ends:
        with contextlib.suppress(OSError):  # is already
            end.shutdown(socket.SHUT_RDWR)
