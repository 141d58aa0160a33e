"""Runs the stages of one video against a store: cached results are answered, new ones computed and committed.

A failure belongs to its video and is recorded there; only a store that cannot be written ends the batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from frame_pipeline.errors import FramePipelineError, MissingInput, SourceChanged, UnreadableVideo, storage_error
from frame_pipeline.media.sources import fingerprint
from frame_pipeline.progress import Progress
from frame_pipeline.stage import Output, Video
from frame_pipeline.stages import PlannedStage
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import (
    Key,
    Provenance,
    Result,
    StoredInputs,
    commit_result,
    drop_files,
    find_result,
    only_worker,
)
from frame_pipeline.store.videos import get_video

Status = Literal["done", "cached", "skipped", "failed"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a stage of a video went."""

    key: Key
    status: Status
    result: Result | None
    reason: str | None = None
    expected: bool = True
    """False for a failure that no rule foresaw, which is worth another try."""

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
    with only_worker(lake, video_id):
        for stage in planned:
            key = Key(stage.name, video_id, stage.config_hash)
            broken = failed.intersection(stage.stage.after)
            if broken:
                failed.add(stage.name)
                yield Outcome(key, "skipped", None, f"{', '.join(sorted(broken))} failed")
                continue
            outcome = _run_stage(lake, key, stage, run_id, progress)
            if not outcome.ok:
                failed.add(stage.name)
            yield outcome


def _run_stage(lake: Lake, key: Key, planned: PlannedStage, run_id: str, progress: Progress) -> Outcome:
    stored = find_result(lake, key)
    if stored is not None and stored.status == "done":
        return Outcome(key, "cached", stored, _first(stored.warnings))
    provenance = Provenance(
        planned.upstream,
        planned.stage.options.effective(),
        planned.stage.code_version,
        dict(planned.stage.models()),
        run_id,
    )
    output = Output(lake.layout.result_folder(key.video_id, key.config_hash))
    started = time.perf_counter()
    try:
        video = _present(get_video(lake, key.video_id))
        _require_upstream(lake, key, planned)
        # Files of a result that is not in the store were left by a run that was killed.
        drop_files(lake, key)
        inputs = StoredInputs(lake, key.video_id, planned.upstream)
        planned.stage.compute(video, inputs, output, progress)
        rows = output.rows(planned.stage.table) if planned.stage.table != "videos" else 1
        result = Result(key, "done", rows, time.perf_counter() - started, warnings=output.warnings, facts=output.facts)
        commit_result(lake, result, provenance, output)
        for warning in output.warnings:
            progress.note(warning)
        return Outcome(key, "done", result, _first(output.warnings))
    except BaseException as error:
        drop_files(lake, key)
        if not isinstance(error, Exception):
            raise
        return _failure(lake, key, error, provenance, output, time.perf_counter() - started)
    finally:
        output.close()


def _failure(lake: Lake, key: Key, error: Exception, provenance: Provenance, output: Output, seconds: float) -> Outcome:
    known = storage_error(lake.layout.root, error)
    if known is not None:
        raise known from error
    expected = isinstance(error, FramePipelineError)
    if not expected:
        log.exception("%s %s", key.video_id, key.stage)
    sentence = (
        str(error) if expected else f"{key.video_id}: {key.stage} met an unforeseen {type(error).__name__}: {error}"
    )
    unreadable = isinstance(error, UnreadableVideo)
    output.columns = {"videos": {"status": "failed", "error": sentence}} if unreadable else {}
    result = Result(key, "failed", 0, seconds, error=sentence, facts=output.facts)
    commit_result(lake, result, provenance, output)
    return Outcome(key, "failed", result, sentence, expected)


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


def _require_upstream(lake: Lake, key: Key, planned: PlannedStage) -> None:
    for stage, config_hash in planned.upstream.items():
        found = find_result(lake, Key(stage, key.video_id, config_hash))
        if found is None or found.status != "done":
            raise MissingInput(
                key.video_id, f"{key.stage} needs {stage} with the same options, which is not in the store",
                hint=f"materialize {stage} as well",
            )  # fmt: skip


def _first(sentences: list[str]) -> str | None:
    return sentences[0] if sentences else None
