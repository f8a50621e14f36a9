"""What pyproject.toml cannot say: the stubs are made while building."""

import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import stubs  # noqa: E402


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        stubs.generate((HERE if self.editable_mode else pathlib.Path(self.build_lib)) / "prefixmem")


class SourceWithProto(sdist):
    """A source archive stands alone: it takes the .proto files and the script along."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copy(HERE / "stubs.py", base_dir)
        for file in stubs.FILES:
            target = pathlib.Path(base_dir, "proto", file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(stubs.proto_root() / file, target)


setup(cmdclass={"build_py": BuildWithStubs, "sdist": SourceWithProto})
