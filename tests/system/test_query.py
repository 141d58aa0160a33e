"""`frame-pipeline query` answers what is asked, in three formats, and can change nothing."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Store
from tests.system.contents import rows
from tests.system.program import Answer, call, start


def ask(store: Store, sql: str, output_format: str = "json") -> Answer:
    return call("query", sql, "--store", store.root, "--format", output_format)


def answered(store: Store, sql: str) -> Any:
    answer = ask(store, sql)
    assert (answer.code, answer.stderr) == (0, "")
    return json.loads(answer.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def state(root: Path) -> tuple[Any, set[Path]]:
    """What every change of a store changes: the snapshot of its catalog, or its files."""
    with closing(sqlite3.connect(f"file:{root / 'catalog.sqlite'}?mode=ro", uri=True)) as catalog:
        snapshot = catalog.execute("SELECT max(snapshot_id), count(*) FROM ducklake_snapshot").fetchone()
    return snapshot, {path for path in root.rglob("*") if path.is_file() and path.parent != root}


FRAMES = "SELECT video_id, pts, time_s, is_keyframe FROM frames ORDER BY ALL"


def test_json_holds_the_rows_as_objects(finished: Store) -> None:
    names = ("video_id", "pts", "time_s", "is_keyframe")
    assert answered(finished, FRAMES) == [dict(zip(names, row, strict=True)) for row in rows(finished.root, FRAMES)]


def test_csv_holds_a_header_and_the_rows(finished: Store) -> None:
    answer = ask(finished, FRAMES, "csv")
    header, *found = csv.reader(io.StringIO(answer.stdout))
    assert header == ["video_id", "pts", "time_s", "is_keyframe"]
    assert found == [[str(value) for value in row] for row in rows(finished.root, FRAMES)]


def test_a_table_shows_every_column_and_row(finished: Store) -> None:
    answer = ask(finished, FRAMES, "table")
    assert answer.code == 0
    for row in rows(finished.root, FRAMES):
        assert any(all(str(value) in line for value in row[:2]) for line in answer.stdout.splitlines())


@pytest.mark.parametrize("output_format", ["json", "csv", "table"])
def test_no_rows_are_an_answer_too(output_format: str, finished: Store) -> None:
    answer = ask(finished, "SELECT pts, path FROM frames WHERE false", output_format)
    assert (answer.code, answer.stderr) == (0, "")
    assert {"json": answer.stdout == "[]\n", "csv": answer.stdout == "pts,path\n", "table": "pts" in answer.stdout}[
        output_format
    ]


@pytest.mark.parametrize(
    "sql, value",
    [
        ("SELECT NULL AS x", None),
        ("SELECT 'nan'::DOUBLE AS x", None),
        ("SELECT 'infinity'::DOUBLE AS x", None),
        ("SELECT [1, NULL, 3] AS x", [1, None, 3]),
        ("SELECT {'a': 1} AS x", {"a": 1}),
        ("SELECT DATE '2024-02-29' AS x", "2024-02-29"),
        ("SELECT TIMESTAMP '2024-02-29 12:00:00' AS x", "2024-02-29T12:00:00"),
        ("SELECT 18446744073709551615::UBIGINT AS x", 18446744073709551615),
        ("SELECT 1.50::DECIMAL(9, 2) AS x", 1.5),
        ("SELECT 'größe \"日本\"' AS x", 'größe "日本"'),
        ("SELECT true AS x", True),
    ],
)
def test_json_keeps_what_a_value_is(sql: str, value: object, finished: Store) -> None:
    assert answered(finished, sql) == [{"x": value}]


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "DESCRIBE frames",
        "SUMMARIZE metrics",
        "EXPLAIN SELECT * FROM frames",
        "FROM frames LIMIT 1",
        "VALUES (1)",
        "WITH few AS (FROM frames LIMIT 2) SELECT count(*) FROM few",
        "SELECT 1;",
        "/* a comment */ SELECT 1 -- and another",
        "SELECT f.pts, m.sharpness FROM frames f JOIN metrics m USING (video_id, pts) WHERE m.sharpness >= 0",
    ],
)
def test_whatever_only_reads_is_answered(sql: str, finished: Store) -> None:
    answer = ask(finished, sql, "table")
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.stdout


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM frames",
        "UPDATE videos SET source = 'x'",
        "INSERT INTO videos (video_id) VALUES ('x')",
        "DROP TABLE frames",
        "CREATE TABLE mine AS SELECT 1",
        "CREATE VIEW mine AS SELECT 1",
        "ALTER TABLE frames ADD COLUMN x INTEGER",
        "TRUNCATE frames",
        "COPY frames TO 'out.csv'",
        "COPY (SELECT 1) TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'",
        "EXPLAIN ANALYZE DELETE FROM frames",
        "ATTACH 'out.db' AS other",
        "DETACH lake",
        "USE memory",
        "CALL ducklake_merge_adjacent_files('lake')",
        "FROM ducklake_expire_snapshots('lake', older_than => now())",
        "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)",
        "FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA enable_profiling",
        "CHECKPOINT",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE frames",
        "PREPARE x AS DELETE FROM frames",
        "",
        "/* nothing */",
        ";",
    ],
)
def test_whatever_does_more_than_read_is_refused(sql: str, finished: Store, tmp_path: Path) -> None:
    before = state(finished.root)
    answer = ask(finished, sql)
    assert (answer.code, answer.stdout) == (2, "")
    assert len(answer.sentences) == 1
    assert list(tmp_path.iterdir()) == []
    assert state(finished.root) == before


@pytest.mark.parametrize(
    "sql, word",
    [
        ("SELEKT 1", "SELEKT"),
        ("SELECT * FROM frame", "frames"),
        ("SELECT sharpnes FROM metrics", "sharpness"),
        ("SELECT ?", "parameter"),
        ("SELECT 'a'::INTEGER", "'a'"),
        ("SELECT (SELECT pts FROM frames)", "subquery"),
    ],
)
def test_a_mistake_is_one_sentence_and_wrong_usage(sql: str, word: str, finished: Store) -> None:
    answer = ask(finished, sql)
    assert (answer.code, answer.stdout) == (2, "")
    assert len(answer.sentences) == 1
    assert answer.stderr.startswith("query: ")
    assert word in answer.stderr


@pytest.mark.parametrize("output_format", ["json", "csv", "table"])
def test_a_statement_that_fails_when_it_runs_prints_nothing_else(output_format: str, finished: Store) -> None:
    answer = ask(finished, "SELECT error('no such luck') FROM frames", output_format)
    assert (answer.code, answer.stdout) == (2, "")
    assert "no such luck" in answer.stderr


@pytest.mark.parametrize("name", ["statements", "sql", "root", "lake", "relation", "columns", "connection"])
def test_a_table_name_is_never_a_variable_of_the_program(name: str, finished: Store) -> None:
    answer = ask(finished, f"SELECT * FROM {name}")
    assert answer.code == 2
    assert name in answer.stderr


def test_a_long_answer_comes_whole(finished: Store) -> None:
    assert len(answered(finished, "FROM range(25001)")) == 25001
    assert len(ask(finished, "FROM range(25001)", "csv").stdout.splitlines()) == 25002


@pytest.mark.parametrize("output_format", ["csv", "json"])
def test_a_reader_that_has_enough_ends_it_quietly(output_format: str, finished: Store) -> None:
    words = ["query", "FROM range(300000)", "--store", finished.root, "--format", output_format]
    with start(*words) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.wait(60)


def test_columns_of_one_name_are_all_there(finished: Store) -> None:
    [row] = answered(finished, "SELECT a.pts, b.pts FROM frames a JOIN frames b USING (video_id) LIMIT 1")
    assert len(row) == 2


def test_a_statement_may_begin_with_a_comment_after_two_dashes(finished: Store) -> None:
    answer = call("query", "--store", finished.root, "--format", "json", "--", "-- a comment first\nSELECT 1 AS x")
    assert answer.json == [{"x": 1}]
