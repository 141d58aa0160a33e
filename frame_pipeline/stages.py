"""All stages in order, built from options, each with its config hash. Command line, planner and Dagster share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from frame_pipeline.config import PipelineOptions, config_hash
from frame_pipeline.errors import SettingsError
from frame_pipeline.media.frames import Frames
from frame_pipeline.media.raw_video import RawVideo
from frame_pipeline.quality.measures import sharpness
from frame_pipeline.quality.metrics import Metrics
from frame_pipeline.settings import nearest
from frame_pipeline.stage import Stage

STAGE_NAMES = (RawVideo.name, Frames.name, Metrics.name)


@dataclass(frozen=True)
class PlannedStage:
    """A stage with the key that its results have under these options."""

    stage: Stage
    config_hash: str
    upstream: dict[str, str]

    @property
    def name(self) -> str:
        return self.stage.name


def plan(options: PipelineOptions, upto: str | None = None) -> list[PlannedStage]:
    """The stages up to and including `upto`, in order. Raises SettingsError for an unknown stage."""
    if upto is not None and upto not in STAGE_NAMES:
        raise SettingsError(
            f"--upto {upto}", "there is no such stage", hint=f"did you mean {nearest(upto, STAGE_NAMES)}?"
        )
    planned: dict[str, PlannedStage] = {}
    for stage in _build(options):
        upstream = {name: planned[name].config_hash for name in stage.reads()}
        key = config_hash(stage.name, stage.code_version, stage.options, stage.models(), upstream)
        planned[stage.name] = PlannedStage(stage, key, upstream)
        if stage.name == upto:
            break
    return list(planned.values())


def _build(options: PipelineOptions) -> Iterable[Stage]:
    return (
        RawVideo(options.raw_video),
        Frames(options.frames, sharpness),
        Metrics(options.metrics),
    )
