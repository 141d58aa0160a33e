"""`python -m benchmarks [NAME...]`: measure, print the table, and say which goals are missed."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.measure import ALL, Bench, Finding

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".benchmarks"), help="clips and stores")
@click.option("--save", is_flag=True, help="keep the figures and the plot in benchmarks/results")
def main(names: tuple[str, ...], folder: Path, save: bool) -> None:
    """Run the named benchmarks, or all."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [measure for measure in ALL if not names or measure.__name__ in names]
    if not chosen:
        raise click.UsageError(f"no such benchmark; there are {', '.join(measure.__name__ for measure in ALL)}")
    bench = Bench(folder)
    found = []
    for measure in chosen:
        found.append(measure(bench))
        click.echo(_line(found[-1]), err=True)
    click.echo(_table(found))
    if save:
        _save(found)
    raise SystemExit(0 if all(finding.met for finding in found) else 1)


def _line(finding: Finding) -> str:
    return f"{'ok  ' if finding.met else 'MISS'} {finding.work}: {finding.ratio:.2f} ({finding.detail})"


def _table(found: list[Finding]) -> str:
    head = "| work | goal | expected | measured | figures |\n|---|---|---|---|---|"
    rows = [
        f"| {finding.work} | {finding.goal} | {finding.expected} | **{finding.ratio:.2f}** | {finding.detail} |"
        for finding in found
    ]
    return "\n".join([head, *rows])


def _save(found: list[Finding]) -> None:
    RESULTS.mkdir(exist_ok=True)
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    figures = {"machine": where, "findings": [asdict(finding) for finding in found]}
    (RESULTS / "latest.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "latest.md").write_text(f"{_table(found)}\n\nMeasured on {where}.\n", encoding="utf-8")


if __name__ == "__main__":
    main()
