"""One table and one plot of all records in a folder: summary.py FOLDER

Reads FOLDER/*.json as the benchmarks leave them; writes FOLDER/bars.md and FOLDER/bars.svg and
prints the table. Fails where a check did not hold: the figures of that benchmark do not count.
"""

import json
import pathlib
import sys

import machine
import plot
from harness import Figure, Table

ORDER = ["sft", "classification", "evaluation", "dpo", "sweep", "step", "transfer"]


def verdict(figure, counts):
    if not counts:
        return "does not count"
    if figure.bar is None:
        return "no bar"
    return "met" if figure.met else "not met"


def number(figure, value):
    return f"{value:.3g}{figure.unit}"


def bar(figure):
    if figure.bar is None:
        return ""
    return f"{'at most ' if figure.at_most else ''}{number(figure, figure.bar)}"


def rows(records):
    for record in records:
        counts = all(check["holds"] for check in record["checks"])
        for fields in record["figures"]:
            figure = Figure(**fields)
            yield [
                figure.work,
                number(figure, figure.value),
                bar(figure),
                verdict(figure, counts),
                figure.detail,
            ]


def made(record):
    settings = " ".join(f"--{key} {value}" for key, value in record["settings"].items())
    return f"- `{record['bench']}.py {settings}`: {record['date']}, commit {record['commit']}, " + (
        f"{record['seconds']} s"
    )


def text(records, about):
    yield from machine.lines(about)
    yield from (made(record) for record in records)
    yield ""
    yield from Table(["work", "measured", "bar", "verdict", "made of"], list(rows(records))).lines()
    yield ""
    for record in records:
        yield from (
            f"- {'' if c['holds'] else 'DOES NOT HOLD: '}{c['text']}" for c in record["checks"]
        )
        for table in record["tables"]:
            yield from ["", f"`{record['bench']}.py`:", "", *Table(**table).lines(), ""]


def main():
    folder = pathlib.Path(sys.argv[1])
    files = [file for name in ORDER for file in sorted(folder.glob(f"{name}*.json"))]
    records = [json.loads(file.read_text()) for file in files]
    about = json.loads((folder / "machine.json").read_text())
    page = "\n".join(text(records, about)) + "\n"
    (folder / "bars.md").write_text(page)
    figures = [Figure(**fields) for record in records for fields in record["figures"]]
    (folder / "bars.svg").write_text(plot.svg([figure for figure in figures if figure.bar]))
    print(page)
    return 0 if all(c["holds"] for record in records for c in record["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
