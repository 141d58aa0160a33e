"""The command `frame-pipeline`, called in this process, as a process, or as a process that starts at once.

Words that are no text, such as paths, are turned into text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from frame_pipeline.cli import cli
from frame_pipeline.store.lake import open_lake

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code; minus the signal for a process that was killed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """All of stdout as one JSON value; fails when anything else was printed."""
        assert self.stdout, self.stderr
        return json.loads(self.stdout)

    @property
    def videos(self) -> dict[str, Any]:
        """The entries of `run --json`, by the file name of their source."""
        return {Path(video["source"]).name: video for video in self.json["videos"]}

    @property
    def sentences(self) -> list[str]:
        """The lines on stderr that say something."""
        return [line for line in self.stderr.splitlines() if line.strip()]

    def statuses(self) -> dict[str, set[str]]:
        """Stage to the statuses it had, over all videos."""
        found: dict[str, set[str]] = {}
        for video in self.json["videos"]:
            for stage, entry in video["stages"].items():
                found.setdefault(stage, set()).add(entry["status"])
        return found

    def hashes(self) -> dict[str, str]:
        """Stage to its config hash, which is the same for all videos."""
        found = {stage: e["config_hash"] for video in self.json["videos"] for stage, e in video["stages"].items()}
        assert all(e["config_hash"] == found[s] for v in self.json["videos"] for s, e in v["stages"].items())
        return found


def call(*words: object) -> Answer:
    """The command in this process, which lets go of the store afterwards, as a process that ends does."""
    try:
        result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="frame-pipeline")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)
    finally:
        open_lake.cache_clear()


def start(*words: object, cwd: Path | None = None, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The command as a process with pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "frame_pipeline", *map(str, words)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )  # fmt: skip


def spawn(*words: object, cwd: Path | None = None, environment: dict[str, str] | None = None) -> Answer:
    """The command as a process, to its end."""
    with start(*words, cwd=cwd, environment=environment) as process:
        stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    return Answer(process.returncode, stdout, stderr)


class Started:
    """A command under way in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self._process, self._said = process, said

    def kill(self) -> None:
        """SIGKILL: it can do nothing any more, not even say so. A process that has ended stays as it ended."""
        self._process.kill()

    def wait(self) -> Answer:
        """Its answer, when it has ended."""
        code = self._process.wait(TIMEOUT_SECONDS)
        return Answer(code, *(self._said.with_suffix(end).read_text() for end in (".out", ".err")))


class Programs:
    """Starts commands as processes whose words go to files, so that many can be under way and be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._started = folder, 0

    def start(self, *words: object) -> Started:
        """The command, started."""
        self._started += 1
        said = self._folder / str(self._started)
        with said.with_suffix(".out").open("wb") as out, said.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "frame_pipeline", *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        return Started(process, said)

    def call(self, *words: object) -> Answer:
        """The command, to its end."""
        return self.start(*words).wait()
