"""`kill -9` at any moment: what is finished stays, what is not is made again, and nobody can tell afterwards."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest

from frame_pipeline.automation.instance import open_instance
from frame_pipeline.errors import StoreUnavailable
from frame_pipeline.store.layout import Layout
from tests.media import Clip
from tests.system.contents import assert_whole, contents
from tests.system.files import distinct_folder
from tests.system.program import Programs, Started, call

KILLS = 30
FILMS_A_RUN = 2
WORDS = ("--json", "--set", "frames.interval_s=0.2")
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


@pytest.fixture(scope="module")
def films(short: Clip, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A new video for each run, beside one that the run before was given too."""
    return distinct_folder(short, tmp_path_factory.mktemp("films"), range(KILLS + 1))


@pytest.fixture(scope="module")
def killed(films: list[Path], programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store on which 30 runs were killed, each at another moment of its time; it was whole after each."""
    root = tmp_path_factory.mktemp("killed") / "store"
    assert call("run", films[0], "--store", root, *WORDS).code == 0
    started = time.monotonic()
    assert programs.call("run", *films[:FILMS_A_RUN], "--store", tmp_path_factory.mktemp("timed"), *WORDS).code == 0
    duration = time.monotonic() - started

    dice, done, met = random.Random(1), assert_whole(root), 0
    for number in range(KILLS):
        run = programs.start("run", *films[number : number + FILMS_A_RUN], "--store", root, *WORDS)
        # One moment in each thirtieth of the time, in no order.
        time.sleep(duration * ((number * 7) % KILLS + dice.random()) / KILLS)
        met += _killed(run)
        finished = assert_whole(root)
        assert finished >= done, "a finished result is gone"
        done = finished
    assert met >= KILLS / 2, "most runs ended before they were killed"
    assert done < 3 * len(films), "nothing was left to do"
    return root


def _killed(run: Started) -> bool:
    run.kill()
    return run.wait().code < 0


def test_a_rerun_after_kills_equals_a_run_that_was_never_disturbed(
    killed: Path, films: list[Path], tmp_path: Path
) -> None:
    again = call("run", films[0].parent, "--store", killed, *WORDS)
    assert (again.code, again.sentences) == (0, [])
    undisturbed = tmp_path / "store"
    assert call("run", films[0].parent, "--store", undisturbed, *WORDS).code == 0

    assert assert_whole(killed) == 3 * len(films)
    assert contents(killed) == contents(undisturbed)
    with open_instance(Layout(killed)) as instance:
        unfinished = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert unfinished == []
    assert failed


def test_a_run_whose_process_died_is_marked_failed_at_the_next_run(
    short: Clip, films: list[Path], programs: Programs, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    run = programs.start("run", *films, "--store", root, *WORDS)
    _wait_for_results(root)
    assert _killed(run)
    assert call("run", films[-1], "--store", root, *WORDS).code == 0

    with open_instance(Layout(root)) as instance:
        statuses = [record.dagster_run.status for record in instance.get_run_records()]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def _wait_for_results(root: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        # At first there is no store yet, or one without tables.
        with suppress(StoreUnavailable):
            if assert_whole(root) >= 3:
                return
        time.sleep(0.2)
    raise AssertionError("no result after a minute")
