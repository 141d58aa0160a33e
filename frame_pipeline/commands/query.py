"""`frame-pipeline query`: read-only SQL over the tables of a store."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from frame_pipeline.errors import SettingsError
from frame_pipeline.store.lake import Lake

FETCH_ROWS = 10_000
SHOWN_ROWS = 200
READS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.RELATION}


def query_command(sql: str, root: Path, output_format: str) -> None:
    """Print the rows of one statement. Raises SettingsError for a wrong or writing statement."""
    lake = Lake(root, read_only=True)
    connection = lake.connection
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in READS:
            raise SettingsError(
                "query", "takes one statement that only reads", hint="e.g. SELECT * FROM frames LIMIT 5"
            )
        relation = connection.sql(sql)
        if output_format == "table":
            columns, _ = shutil.get_terminal_size((160, 24))
            relation.show(max_rows=SHOWN_ROWS, max_width=columns if sys.stdout.isatty() else 10_000)
        elif output_format == "csv":
            _write_csv(relation)
        else:
            _write_json(relation)
    except duckdb.Error as error:
        raise SettingsError("query", " ".join(str(error).split())) from None


def _write_csv(relation: duckdb.DuckDBPyRelation) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(relation.columns)
    while rows := relation.fetchmany(FETCH_ROWS):
        writer.writerows(rows)


def _write_json(relation: duckdb.DuckDBPyRelation) -> None:
    columns, first = relation.columns, True
    click.echo("[", nl=False)
    while rows := relation.fetchmany(FETCH_ROWS):
        for row in rows:
            text = json.dumps(dict(zip(columns, row, strict=True)), default=_plain)
            click.echo(text if first else f",\n{text}", nl=False)
            first = False
    click.echo("]")


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)
