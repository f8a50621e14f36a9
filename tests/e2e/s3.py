"""The S3 server of the tests (tests/s3)."""

import contextlib
import pathlib
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "chaos"))  # link

from link import Link  # noqa: E402
from programs import die_with_parent  # noqa: E402

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "a secret of the tests"}
NOBODY = ("127.0.0.1", 1)


class S3:
    """A server with one bucket, over a link that can be cut."""

    def __init__(self):
        self.process = subprocess.Popen(
            [REPO / ".deps" / "bin" / "s3-server", "bucket", *KEYS.values()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.link = Link(self.process.stdout.readline().strip().removeprefix("http://"))
        self.there = self.link.target

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        self.process.kill()
        self.process.communicate()

    @property
    def flags(self):
        """Of a coordinator whose files are in the bucket."""
        return {"blobs": "s3://bucket/team/a", "s3_endpoint": f"http://{self.link.address}"}

    @contextlib.contextmanager
    def away(self):
        self.link.target = NOBODY
        self.link.break_all()
        try:
            yield
        finally:
            self.link.target = self.there
