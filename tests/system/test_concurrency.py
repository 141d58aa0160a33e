"""Several processes on one store: nothing fails, nothing is lost, nothing is there twice, and readers never wait."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import Key, only_worker
from frame_pipeline.store.upkeep import remove, stray_folders
from tests.media import Clip
from tests.system.contents import assert_whole, contents, rows
from tests.system.files import distinct_folder
from tests.system.program import ROOT, Answer, Programs, call

FILMS = 5
WORDS = ("--json", "--set", "frames.interval_s=0.2")

# Asks the store again and again, with one connection that stays open and with new ones, until its stdin is closed.
# Prints how often it asked. Rows of a result that is there must all be there.
READER = """
import sys, threading
from pathlib import Path
from frame_pipeline.store.lake import Lake
root, asked, over = Path(sys.argv[1]), 0, threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
torn = '''
    SELECT r.stage, r.video_id FROM results r
    LEFT JOIN (SELECT 'frames' AS stage, video_id, config_hash, count(*) AS n FROM frames GROUP BY ALL
               UNION ALL SELECT 'metrics', video_id, config_hash, count(*) FROM metrics GROUP BY ALL) f
    USING (stage, video_id, config_hash)
    WHERE r.status = 'done' AND r.stage <> 'raw_video' AND r."rows" IS DISTINCT FROM f.n
'''
kept, known = Lake(root, read_only=True), 0
print("reading", flush=True)
while not over.is_set():
    fresh = Lake(root, read_only=True)
    for lake in (kept, fresh):
        assert lake.rows(torn) == [], lake.rows(torn)
        now = lake.row("SELECT count(*) FROM results")[0]
        assert now >= known, "a result is gone"
        known = now
    fresh.close()
    asked += 1
print(asked)
"""


@pytest.fixture(scope="module")
def films(short: Clip, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return distinct_folder(short, tmp_path_factory.mktemp("films"), range(FILMS))


@pytest.fixture(scope="module")
def undisturbed(films: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run alone makes of all films."""
    root = tmp_path_factory.mktemp("undisturbed") / "store"
    assert call("run", *films, "--store", root, *WORDS).code == 0
    return root


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Somebody reads all the time, and meets no error."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(root)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as reader:  # fmt: skip
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        yield
        stdout, stderr = reader.communicate(timeout=60)
        assert (reader.returncode, stderr) == (0, "")
        assert int(stdout) >= 2


def assert_good(*answers: Answer) -> None:
    assert [(answer.code, answer.sentences) for answer in answers] == [(0, [])] * len(answers)


def test_two_runs_of_the_same_videos_make_each_result_once(
    films: list[Path], undisturbed: Path, programs: Programs, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    assert call("run", films[0], "--store", root, *WORDS).code == 0
    with reading(root):
        runs = [programs.start("run", *order, "--store", root, *WORDS) for order in (films, films[::-1])]
        answers = [run.wait() for run in runs]

    assert_good(*answers)
    assert answers[0].hashes() == answers[1].hashes()
    assert assert_whole(root) == 3 * FILMS
    assert contents(root) == contents(undisturbed)


def test_two_runs_of_other_videos_lose_nothing(
    films: list[Path], undisturbed: Path, programs: Programs, tmp_path: Path
) -> None:
    root, half = tmp_path / "store", FILMS // 2
    assert call("run", films[0], "--store", root, *WORDS).code == 0
    with reading(root):
        runs = [programs.start("run", *part, "--store", root, *WORDS) for part in (films[:half], films[half:])]
        answers = [run.wait() for run in runs]

    assert_good(*answers)
    assert contents(root) == contents(undisturbed)


@pytest.mark.parametrize("attempt", range(3))
def test_two_first_runs_make_one_store(attempt: int, films: list[Path], programs: Programs, tmp_path: Path) -> None:
    root = tmp_path / "store"
    runs = []
    for film in films[:2]:
        runs.append(programs.start("run", film, "--store", root, *WORDS))
        time.sleep(0.1 * attempt)
    answers = [run.wait() for run in runs]
    assert_good(*answers)
    assert assert_whole(root) == 6
    assert rows(root, "SELECT count(*), count(DISTINCT key) FROM meta") == [(1, 1)]


def test_upkeep_during_a_run_takes_nothing_away(
    films: list[Path], undisturbed: Path, programs: Programs, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    assert call("run", films[0], "--store", root, *WORDS).code == 0
    run = programs.start("run", *films, "--store", root, *WORDS)
    upkeep = [call("maintain", "--yes", "--store", root) for _ in range(4)]
    assert_good(run.wait(), *upkeep)
    assert contents(root) == contents(undisturbed)


def test_what_became_a_result_after_it_was_listed_as_stray_stays(undisturbed: Path, tmp_path: Path) -> None:
    """A run commits between the listing of `maintain` and its removal."""
    lake = Lake(tmp_path / "store")
    done = Lake(undisturbed, read_only=True)
    try:
        video_id, config_hash = done.rows("SELECT video_id, config_hash FROM results WHERE stage = 'frames'")[0]
        folder = lake.layout.result_folder(video_id, config_hash)
        folder.mkdir(parents=True)
        (folder / "0.jpg").write_bytes(b"picture")
        listed = stray_folders(lake)
        key = Key("frames", video_id, config_hash)
        assert [entry.key for entry in listed] == [key]

        result = (
            done.connection.sql("FROM results").filter(f"video_id = '{video_id}' AND stage = 'frames'").to_arrow_table()
        )
        lake.connection.register("result", result)
        lake.commit(lambda connection: connection.execute("INSERT INTO results BY NAME FROM result"))
        remove(lake, listed)

        assert lake.rows("SELECT stage, video_id, config_hash FROM results") == [(key.stage, video_id, config_hash)]
        assert (folder / "0.jpg").exists()
    finally:
        lake.close()
        done.close()


def test_upkeep_leaves_the_folder_of_a_run_that_is_under_way(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "store")
    folder = lake.layout.result_folder("clip-00000000", "0" * 16)
    folder.mkdir(parents=True)
    with only_worker(lake, "clip-00000000"):
        remove(lake, stray_folders(lake))
        assert folder.exists()
    remove(lake, stray_folders(lake))
    assert not folder.exists()
    lake.close()
