"""Runs the stages of one video against a store: cached results are answered, new ones computed and committed.

A failure belongs to its video and is recorded there; only a store that cannot be written ends the batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from frame_pipeline.errors import (
    FramePipelineError,
    MissingInput,
    SourceChanged,
    UnreadableVideo,
    first_line,
    storage_error,
)
from frame_pipeline.media.sources import fingerprint
from frame_pipeline.progress import Progress
from frame_pipeline.stage import Output, Video
from frame_pipeline.stages import PlannedStage
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import (
    Finished,
    Key,
    Provenance,
    Result,
    StoredInputs,
    commit_results,
    drop_files,
    only_worker,
    results_of,
)
from frame_pipeline.store.videos import get_video

Status = Literal["done", "cached", "skipped", "failed"]

COMMIT_SECONDS = 2.0
"""Results wait for each other no longer than this; what waits is lost with a killed process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a stage of a video went."""

    key: Key
    status: Status
    result: Result | None
    reason: str | None = None
    output: Output | None = None
    """the rows of a result that is new, until the next outcome is asked for"""
    expected: bool = True
    """False for a failure that no rule foresaw, which is worth another try"""

    @property
    def ok(self) -> bool:
        return self.status in ("done", "cached")


def run_video(
    lake: Lake, video_id: str, planned: Sequence[PlannedStage], run_id: str, progress: Progress
) -> Iterator[Outcome]:
    """One outcome per planned stage, each committed before it is handed out.

    Raises StoreUnavailable when the store is full or read-only.
    """
    failed: set[str] = set()
    with only_worker(lake, video_id), closing(_VideoRun(lake, video_id, run_id, progress)) as run:
        for stage in planned:
            broken = failed.intersection(stage.stage.after)
            if broken:
                run.skip(stage, f"{', '.join(sorted(broken))} failed")
            else:
                run.do(stage)
            if not run.outcomes[-1].ok:
                failed.add(stage.name)
            if run.is_due():
                yield from run.commit()
        yield from run.commit()


class _VideoRun:
    """The stages of one video, while its lock is held.

    Short stages are committed together, because a commit takes as long as analysing a two-second clip.
    """

    def __init__(self, lake: Lake, video_id: str, run_id: str, progress: Progress) -> None:
        self.outcomes: list[Outcome] = []
        """those that wait for the next commit"""
        self._lake, self._video_id, self._run_id, self._progress = lake, video_id, run_id, progress
        self._stored = results_of(lake, video_id)
        self._finished: list[Finished] = []
        self._committed = time.monotonic()

    def skip(self, planned: PlannedStage, reason: str) -> None:
        """A stage that cannot run because an earlier one failed."""
        self.outcomes.append(Outcome(self._key(planned), "skipped", None, reason))

    def do(self, planned: PlannedStage) -> None:
        """The stored result, or a new one."""
        stored = self._stored.get(self._key(planned))
        if stored is not None and stored.status == "done":
            self.outcomes.append(Outcome(stored.key, "cached", stored, _first(stored.warnings)))
        else:
            self._compute(planned)

    def is_due(self) -> bool:
        """Whether enough work waits that losing it would hurt."""
        return time.monotonic() - self._committed > COMMIT_SECONDS

    def commit(self) -> Iterator[Outcome]:
        """Make what waits visible and hand it out."""
        if self._finished:
            try:
                commit_results(self._lake, self._finished)
            except Exception as error:
                raise storage_error(self._lake.layout.root, error) or error from error
        done, self._finished = self._finished, []
        self._stored.update({entry.result.key: entry.result for entry in done})
        yield from self.outcomes
        self.outcomes = []
        for entry in done:
            entry.output.close()
        self._committed = time.monotonic()

    def close(self) -> None:
        """Drop what was not committed."""
        for entry in self._finished:
            drop_files(self._lake, entry.result.key)
            entry.output.close()

    @cached_property
    def _video(self) -> Video:
        """Looked at once, and only when something has to be computed."""
        return _present(get_video(self._lake, self._video_id))

    def _key(self, planned: PlannedStage) -> Key:
        return Key(planned.name, self._video_id, planned.config_hash)

    def _compute(self, planned: PlannedStage) -> None:
        key, stage = self._key(planned), planned.stage
        provenance = Provenance(
            planned.upstream, stage.options.effective(), stage.code_version, dict(stage.models()), self._run_id
        )
        output = Output(self._lake.layout.result_folder(key.video_id, key.config_hash))
        started = time.perf_counter()
        try:
            # Files of a result that is not in the store were left by a run that was killed.
            drop_files(self._lake, key)
            stage.compute(self._video, self._inputs(planned), output, self._progress)
        except BaseException as error:
            drop_files(self._lake, key)
            if not isinstance(error, Exception):
                raise
            known = storage_error(self._lake.layout.root, error)
            if known is not None:
                raise known from error
            outcome = _failure(key, error, output, time.perf_counter() - started)
        else:
            rows = output.rows(stage.table) if stage.table != "videos" else 1
            seconds = time.perf_counter() - started
            result = Result(key, "done", rows, seconds, warnings=output.warnings, facts=output.facts)
            for warning in output.warnings:
                self._progress.note(warning)
            outcome = Outcome(key, "done", result, _first(output.warnings), output)
        assert outcome.result is not None
        self._finished.append(Finished(outcome.result, provenance, output))
        self.outcomes.append(outcome)

    def _inputs(self, planned: PlannedStage) -> StoredInputs:
        waiting = {entry.result.key: entry.output for entry in self._finished}
        for stage, config_hash in planned.upstream.items():
            key = Key(stage, self._video_id, config_hash)
            stored = self._stored.get(key)
            if key not in waiting and (stored is None or stored.status != "done"):
                what = f"{planned.name} needs {stage} with the same options, which is not in the store"
                raise MissingInput(self._video_id, what, hint=f"materialize {stage} as well")
        by_hash = {key.config_hash: output for key, output in waiting.items()}
        return StoredInputs(self._lake, self._video_id, planned.upstream, by_hash)


def _failure(key: Key, error: Exception, output: Output, seconds: float) -> Outcome:
    expected = isinstance(error, FramePipelineError)
    sentence = str(error)
    if not expected:
        log.exception("%s %s", key.video_id, key.stage)
        sentence = f"{key.video_id}: {key.stage} met an unforeseen {type(error).__name__}: {first_line(error)}"
    unreadable = isinstance(error, UnreadableVideo)
    output.columns = {"videos": {"status": "failed", "error": sentence}} if unreadable else {}
    result = Result(key, "failed", 0, seconds, error=sentence, facts=output.facts)
    return Outcome(key, "failed", result, sentence, expected=expected)


def _present(video: Video) -> Video:
    """The video, when its file is still there with the same content."""
    hint = "`frame-pipeline run` with its new place tells the store"
    try:
        now = fingerprint(video.path)
    except FileNotFoundError:
        raise SourceChanged(video.path, "the source has moved or was deleted", hint=hint) from None
    except OSError as error:
        raise SourceChanged(video.path, f"the source cannot be read: {error.strerror or error}") from None
    if now != video.fingerprint:
        raise SourceChanged(
            video.path, "the source holds something else now", hint="run it again to add it as a new video"
        )
    return video


def _first(sentences: list[str]) -> str | None:
    return sentences[0] if sentences else None
