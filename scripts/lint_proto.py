#!/usr/bin/env python3
"""Style of the public API: lint_proto.py FILE.proto ... (paths under proto/; needs protoc).

Checked on protoc's descriptors: the package is the folder and ends in a version; messages, enums,
services and methods are CamelCase, fields lower_snake_case, services end in Service; enum values
carry the enum's name and the first is <ENUM>_UNSPECIFIED = 0; every message, enum, service and
method has a comment. One line a finding, on stderr; exit code 1 when there is any.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CAMEL = re.compile(r"([A-Z][a-z0-9]*)+")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
VERSION = re.compile(r".*\.v[1-9]\d*")
# Field numbers of descriptor.proto, which source locations are made of.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_NESTED, MESSAGE_ENUM, SERVICE_METHOD = 3, 4, 2


def upper_snake(camel):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).upper()


class Linter:
    """Findings of one file."""

    def __init__(self, file):
        self.file = file
        self.findings = []
        self.places = {tuple(p.path): p for p in file.source_code_info.location}

    def say(self, path, text):
        place = self.places.get(tuple(path))
        line = place.span[0] + 1 if place else 1
        self.findings.append(f"proto/{self.file.name}:{line}: {text}")

    def commented(self, path, what):
        place = self.places.get(tuple(path))
        if not (place and (place.leading_comments or place.trailing_comments).strip()):
            self.say(path, f"{what} has no comment")

    def camel(self, path, what, name):
        if not CAMEL.fullmatch(name):
            self.say(path, f"{what} '{name}' is not CamelCase")

    def enum(self, enum, path):
        self.camel(path, "enum", enum.name)
        self.commented(path, f"enum '{enum.name}'")
        prefix = upper_snake(enum.name) + "_"
        if enum.value[0].number != 0 or enum.value[0].name != prefix + "UNSPECIFIED":
            self.say(path, f"the first value of enum '{enum.name}' is not {prefix}UNSPECIFIED = 0")
        for value in enum.value:
            if not value.name.startswith(prefix) or value.name != value.name.upper():
                self.say(path, f"value '{value.name}' is not {prefix}UPPER_CASE")

    def message(self, message, path):
        if message.options.map_entry:
            return
        self.camel(path, "message", message.name)
        self.commented(path, f"message '{message.name}'")
        for field in message.field:
            if not SNAKE.fullmatch(field.name):
                self.say(path, f"field '{message.name}.{field.name}' is not lower_snake_case")
        for i, nested in enumerate(message.nested_type):
            self.message(nested, [*path, MESSAGE_NESTED, i])
        for i, enum in enumerate(message.enum_type):
            self.enum(enum, [*path, MESSAGE_ENUM, i])

    def service(self, service, path):
        self.camel(path, "service", service.name)
        self.commented(path, f"service '{service.name}'")
        if not service.name.endswith("Service"):
            self.say(path, f"service '{service.name}' does not end in 'Service'")
        for i, method in enumerate(service.method):
            where = [*path, SERVICE_METHOD, i]
            self.camel(where, "method", method.name)
            self.commented(where, f"method '{service.name}.{method.name}'")

    def run(self):
        package = self.file.package
        if package != ".".join(Path(self.file.name).parts[:-1]):
            self.say([], f"package '{package}' is not the folder '{Path(self.file.name).parent}'")
        if not VERSION.fullmatch(package):
            self.say([], f"package '{package}' does not end in a version such as .v1")
        for i, message in enumerate(self.file.message_type):
            self.message(message, [FILE_MESSAGE, i])
        for i, enum in enumerate(self.file.enum_type):
            self.enum(enum, [FILE_ENUM, i])
        for i, service in enumerate(self.file.service):
            self.service(service, [FILE_SERVICE, i])
        return self.findings


def descriptors(files, root):
    """The FileDescriptorProtos of `files`, source locations included; exits if protoc refuses."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    with tempfile.NamedTemporaryFile() as out:
        names = [str(f.resolve().relative_to(root)) for f in files]
        command = [
            "protoc",
            "-I",
            str(root),
            "--include_source_info",
            f"--descriptor_set_out={out.name}",
        ]
        run = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
        if run.returncode:
            sys.exit(run.stderr.strip())
        return FileDescriptorSet.FromString(Path(out.name).read_bytes()).file


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1] / "proto")
    args = parser.parse_args()
    files = descriptors(args.files, args.root.resolve())
    findings = [finding for file in files for finding in Linter(file).run()]
    print("\n".join(findings), end="\n" if findings else "", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
