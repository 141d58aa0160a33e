"""`frame-pipeline up`: the Dagster UI of a store, on this machine only, with backfills that work, and an end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from frame_pipeline.stages import STAGE_NAMES
from tests.media import Clip
from tests.system.contents import assert_whole, count, rows
from tests.system.files import distinct_folder
from tests.system.program import call, start

START_SECONDS, END_SECONDS, BACKFILL_SECONDS = 100, 30, 100

BACKFILL = """
    mutation ($assets: [AssetKeyInput!]!, $videos: [String!]!) {
      launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $videos}) {
        __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
      }
    }
"""
STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def until(holds: Callable[[], Any], seconds: float, what: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")


def asked(port: int, query: str, variables: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    own = psutil.Process(process.pid)
    return [own, *own.children(recursive=True)]


@pytest.fixture
def root(short: Clip, tmp_path: Path) -> Path:
    """A store that knows two videos, of which nothing was computed."""
    films = distinct_folder(short, tmp_path / "films", range(2))
    assert call("run", *films, "--store", tmp_path / "store", "--upto", "raw_video").code == 0
    return tmp_path / "store"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def process(root: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`up`, under way."""
    with start("up", "--store", root, "--dagster-port", port) as process:
        yield process
        for left in family(process) if process.poll() is None else []:
            left.kill()


def test_it_answers_here_only_and_sigterm_ends_every_process(process: subprocess.Popen[str], port: int) -> None:
    until(lambda: answers(port), START_SECONDS, "the UI answers")
    members = family(process)
    assert len(members) >= 3
    listening = [each for member in members for each in member.net_connections("tcp") if each.status == "LISTEN"]
    assert {each.laddr.ip for each in listening} <= {"127.0.0.1", "::1"}

    process.send_signal(signal.SIGTERM)
    assert process.wait(END_SECONDS) == 0
    _, alive = psutil.wait_procs(members, timeout=5)
    assert alive == []
    assert not answers(port)
    stdout, stderr = process.communicate()
    assert f"http://127.0.0.1:{port}" in stdout
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_a_backfill_from_the_ui_is_done_by_the_daemon(process: subprocess.Popen[str], root: Path, port: int) -> None:
    until(lambda: answers(port), START_SECONDS, "the UI answers")
    videos = [video_id for (video_id,) in rows(root, "SELECT video_id FROM videos")]
    launched = asked(port, BACKFILL, {"assets": [{"path": [stage]} for stage in STAGE_NAMES], "videos": videos})
    backfill = launched["launchPartitionBackfill"]
    assert backfill["__typename"] == "LaunchBackfillSuccess", backfill

    def ended() -> str | None:
        status: str = asked(port, STATUS, {"id": backfill["backfillId"]})["partitionBackfillOrError"]["status"]
        return status if status in ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED") else None

    assert until(ended, BACKFILL_SECONDS, "the backfill ends") == "COMPLETED_SUCCESS"
    assert count(root, "metrics") == len(videos) == 2
    assert assert_whole(root) == 6
    assert process.poll() is None


def test_a_port_that_is_taken_is_a_sentence_that_says_so(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start("up", "--store", root, "--dagster-port", port) as process:
            stdout, stderr = process.communicate(timeout=START_SECONDS)
    assert process.returncode in (1, 2)
    assert str(port) in stderr
    assert "Traceback" not in stdout + stderr
