"""`frame-pipeline run`: find the videos, see what is missing, materialize that, and say how each video went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from frame_pipeline.config import PipelineOptions
from frame_pipeline.errors import FramePipelineError, StoreUnavailable
from frame_pipeline.media.sources import SourceFile, find_sources, slug
from frame_pipeline.progress import shown_on
from frame_pipeline.settings import load_options
from frame_pipeline.stages import PlannedStage, plan
from frame_pipeline.store.lake import Lake, open_lake
from frame_pipeline.store.results import Key, Result, record_use, results_under
from frame_pipeline.store.upkeep import merge_when_scattered
from frame_pipeline.store.videos import NewVideo, add_videos

LISTED_VIDEOS = 40


@dataclass
class Report:
    """One entry of the answer: a video, or a source that gave none."""

    video_id: str | None
    source: str
    error: str | None = None
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The entry by the names that scripts rely on."""
        status = "failed" if self.failed else "ok"
        return {
            "video_id": self.video_id,
            "source": self.source,
            "status": status,
            "error": self.error,
            "stages": self.stages,
        }


def run_command(
    sources: Sequence[str], root: Path, preset: str, overrides: Sequence[str], upto: str | None, as_json: bool
) -> int:
    """Returns the exit code: 0 all good, 1 something failed. Raises SettingsError before anything is touched."""
    options = load_options(preset, overrides)
    planned = plan(options, upto)
    for stage in planned:
        for name in stage.stage.options.idle():
            click.echo(f"{stage.name}.{name}: has no effect beside the other options", err=True)
    try:
        lake = open_lake(root)
        reports = _gather(sources, lake)
        before = _begin(lake, planned)
    except StoreUnavailable as error:
        click.echo(str(error), err=True)
        reports = [Report(None, source, str(error), failed=True) for source in sources]
    else:
        _analyse(lake, options, planned, [report for report in reports if report.video_id], before)
    if as_json:
        click.echo(json.dumps({"store": str(root), "videos": [report.as_json() for report in reports]}))
    else:
        _print(reports, planned, root)
    return 1 if any(report.failed for report in reports) else 0


def _begin(lake: Lake, planned: Sequence[PlannedStage]) -> dict[Key, Result]:
    """What is finished under the wanted configurations, which are in use from now on."""
    configurations = {stage.name: stage.config_hash for stage in planned}
    record_use(lake, configurations)
    stored = results_under(lake, list(configurations.values()))
    return {key: result for key, result in stored.items() if result.status == "done"}


def _analyse(
    lake: Lake,
    options: PipelineOptions,
    planned: Sequence[PlannedStage],
    videos: list[Report],
    before: dict[Key, Result],
) -> None:
    hashes = [stage.config_hash for stage in planned]
    pending = {str(video.video_id) for video in videos if not _complete(str(video.video_id), planned, before)}
    broken: StoreUnavailable | None = None
    if pending:
        try:
            _materialize(lake, options, [str(video.video_id) for video in videos], pending, planned)
            merge_when_scattered(lake)
        except StoreUnavailable as error:
            broken = error
            click.echo(str(error), err=True)
    _conclude(videos, planned, before, results_under(lake, hashes) if pending else before, broken)


def _gather(sources: Sequence[str], lake: Lake) -> list[Report]:
    found: list[SourceFile] = []
    reports: list[Report] = []
    for given in sources:
        for source in find_sources(given, skip=lake.layout.root):
            if isinstance(source, FramePipelineError):
                click.echo(str(source), err=True)
                reports.append(Report(None, source.subject, str(source), failed=True))
            else:
                found.append(source)
    files = [NewVideo(file.path, file.fingerprint, file.size_bytes, slug(file.path.stem)) for file in found]
    seen: dict[str, Report] = {}
    for file, added in zip(found, add_videos(lake, files), strict=True):
        video_id = added.video.video_id
        if added.moved_from:
            click.echo(f"{file.path}: is {video_id}, which was at {added.moved_from} before", err=True)
        if video_id in seen:
            if seen[video_id].source != str(file.path):
                click.echo(f"{file.path}: is the same video as {seen[video_id].source}", err=True)
            continue
        seen[video_id] = Report(video_id, str(file.path))
        reports.append(seen[video_id])
    return reports


def _materialize(
    lake: Lake, options: PipelineOptions, video_ids: list[str], pending: set[str], planned: Sequence[PlannedStage]
) -> None:
    from frame_pipeline.commands.display import Display
    from frame_pipeline.launch import materialize

    with Display(len(pending) * len(planned)) as display, shown_on(display):
        materialize(lake, options, video_ids, pending, [stage.name for stage in planned])


def _complete(video_id: str, planned: Sequence[PlannedStage], done: dict[Key, Result]) -> bool:
    return all(Key(stage.name, video_id, stage.config_hash) in done for stage in planned)


def _conclude(
    videos: list[Report],
    planned: Sequence[PlannedStage],
    before: dict[Key, Result],
    after: dict[Key, Result],
    broken: StoreUnavailable | None,
) -> None:
    for video in videos:
        for stage in planned:
            key = Key(stage.name, str(video.video_id), stage.config_hash)
            entry = _entry(key, after.get(key), cached=key in before)
            video.stages[stage.name] = entry
            if entry["status"] in ("failed", "skipped"):
                video.failed = True
            if video.error is None and entry["reason"]:
                video.error = entry["reason"]
        if broken and video.failed:
            video.error = str(broken)


def _entry(key: Key, result: Result | None, *, cached: bool) -> dict[str, Any]:
    if result is None:
        return _stage("skipped", 0, key, 0.0, None)
    if result.status == "failed":
        return _stage("failed", 0, key, result.seconds, result.error)
    reason = "; ".join(result.warnings) or None
    return _stage("cached" if cached else "done", result.rows, key, 0.0 if cached else result.seconds, reason)


def _stage(status: str, rows: int, key: Key, seconds: float, reason: str | None) -> dict[str, Any]:
    if status == "skipped" and reason is None:
        reason = "not reached, because an earlier stage failed"
    return {
        "status": status,
        "rows": rows,
        "config_hash": key.config_hash,
        "seconds": round(seconds, 3),
        "reason": reason,
    }


def _print(reports: list[Report], planned: Sequence[PlannedStage], root: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    videos = [report for report in reports if report.video_id]
    good = [video for video in videos if not video.failed]
    if len(videos) <= LISTED_VIDEOS:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("video", overflow="fold")
        for stage in planned:
            table.add_column(stage.name, justify="right")
        for video in videos:
            table.add_row(video.video_id, *[_cell(video.stages[stage.name]) for stage in planned])
        Console().print(table)
    for sentence in dict.fromkeys(video.error for video in videos if video.error):
        click.echo(sentence, err=True)
    failed = len(reports) - len(good)
    click.echo(f"{len(good)} done" + (f", {failed} failed" if failed else "") + f"; results in {root}")


def _cell(entry: dict[str, Any]) -> str:
    status = entry["status"]
    if status in ("failed", "skipped"):
        return f"[red]{status}[/red]" if status == "failed" else "[dim]-[/dim]"
    rows = f"{entry['rows']:,} " if entry["rows"] != 1 else ""
    return f"{rows}[dim]cached[/dim]" if status == "cached" else f"{rows}[green]{entry['seconds']:.1f} s[/green]"
