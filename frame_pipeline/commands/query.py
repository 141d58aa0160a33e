"""`frame-pipeline query`: read-only SQL over the tables of a store."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import duckdb

from frame_pipeline.errors import SettingsError
from frame_pipeline.store.lake import Lake

FETCH_ROWS = 10_000
SHOWN_ROWS = 200
READS = {duckdb.StatementType.SELECT, duckdb.StatementType.RELATION}
# EXPLAIN ANALYZE runs what it explains, so what stands behind it has to read only as well.
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE|\s*\([^)]*\))?\s", re.IGNORECASE)
# Functions in a FROM clause that change a store's files even when its catalog is attached read-only.
_CHANGES_FILES = re.compile(r"ducklake_(?!snapshots|table_info|list_files|table_changes)\w+\s*\(", re.IGNORECASE)


def query_command(sql: str, root: Path, output_format: str) -> None:
    """Print the rows of one statement. Raises SettingsError for a wrong or writing statement."""
    connection = Lake(root, read_only=True).connection
    try:
        if not _only_reads(connection, sql):
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


def _only_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or _CHANGES_FILES.search(sql):
        return False
    if statements[0].type == duckdb.StatementType.EXPLAIN:
        return _only_reads(connection, _EXPLAIN.sub("", sql, count=1))
    return statements[0].type in READS


def _write_csv(relation: duckdb.DuckDBPyRelation) -> None:
    # The first rows are fetched before anything is printed: a statement may fail only when it runs.
    rows = relation.fetchmany(FETCH_ROWS)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(relation.columns)
    while rows:
        writer.writerows(rows)
        rows = relation.fetchmany(FETCH_ROWS)


def _write_json(relation: duckdb.DuckDBPyRelation) -> None:
    names = _unlike(relation.columns)
    rows, first = relation.fetchmany(FETCH_ROWS), True
    click.echo("[", nl=False)
    while rows:
        for row in rows:
            values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            click.echo(("" if first else ",\n") + json.dumps(values, allow_nan=False, default=str), nl=False)
            first = False
        rows = relation.fetchmany(FETCH_ROWS)
    click.echo("]")


def _unlike(names: list[str]) -> list[str]:
    """Columns of one name get numbers, as they do in a subquery."""
    return [
        f"{name}_{names[:place].count(name)}" if name in names[:place] else name for place, name in enumerate(names)
    ]


def _plain(value: Any) -> Any:
    """A value that JSON has; what is no number there becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value
