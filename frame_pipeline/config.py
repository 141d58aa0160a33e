"""The options of every stage, written once: model, preset, `--set`, Dagster form and docs all read these fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["interval", "every_frame", "every_nth", "keyframes", "scene"]
ShotDetector = Literal["auto", "adaptive", "content", "hash", "histogram", "threshold", "off"]


class StageOptions(BaseModel):
    """Frozen options of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def effective(self) -> dict[str, Any]:
        """Only what the stage reads under these values; two option sets with the same effect are the same."""
        return self.model_dump(mode="json")

    def idle(self) -> list[str]:
        """Options that were set to something but have no effect beside the others."""
        effective = self.effective()
        return sorted(name for name in self.model_fields_set if name not in effective)


class RawVideoOptions(StageOptions):
    """`raw_video` has no options: what a file is does not depend on taste."""


class FramesOptions(StageOptions):
    """Which frames are taken, how shots are found and how proxies are stored."""

    method: Method = Field(
        "interval",
        description="how frames are chosen; scene takes the sharpest of each shot",
    )
    interval_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="seconds between frames (method interval)"
    )
    nth: Annotated[int, Field(ge=1)] = Field(5, description="take every nth frame (method every_nth)")
    per_shot: Annotated[int, Field(ge=1)] = Field(3, description="frames per shot, the sharpest ones (method scene)")
    shots: ShotDetector = Field(
        "auto",
        description="shot detector of PySceneDetect; auto is adaptive, but off for keyframes (nothing else is decoded)",
    )
    shot_threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="sensitivity of the shot detector in its own unit; empty takes the detector's default"
    )
    min_shot_frames: Annotated[int, Field(ge=1)] = Field(15, description="shortest shot, in source frames")
    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="begin here, in seconds after the first frame"
    )
    end_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="stop before here, in seconds after the first frame; empty runs to the end"
    )
    long_side: Annotated[int, Field(ge=0)] = Field(
        1280, description="longer side of a proxy in pixels, never enlarged; 0 keeps the source size"
    )
    format: Literal["jpg", "png"] = Field("jpg", description="file format of the proxies")
    quality: Annotated[int, Field(ge=1, le=100)] = Field(90, description="JPEG quality of the proxies")

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> FramesOptions:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError("end_s must be greater than start_s")
        return self

    @property
    def detector(self) -> str | None:
        """The shot detector that really runs, or None."""
        if self.shots == "auto":
            return None if self.method == "keyframes" else "adaptive"
        if self.shots == "off":
            # "The sharpest per shot" needs shots; without a detector the whole range is one shot.
            return None
        return self.shots

    def effective(self) -> dict[str, Any]:
        """Without the options of other methods, of a detector that is off, and of another file format."""
        options = self.model_dump(mode="json")
        for method, name in (("interval", "interval_s"), ("every_nth", "nth"), ("scene", "per_shot")):
            if self.method != method:
                del options[name]
        options["shots"] = self.detector or "off"
        if self.detector is None:
            del options["shot_threshold"], options["min_shot_frames"]
        if self.format != "jpg":
            del options["quality"]
        return options


class MetricsOptions(StageOptions):
    """On what the measures are taken."""

    long_side: Annotated[int, Field(ge=0)] = Field(
        0,
        description="measure on a picture reduced to this longer side, so that mixed sources compare; 0 is the proxy",
    )


class PipelineOptions(BaseModel):
    """The options of all stages; field names are stage names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    raw_video: RawVideoOptions = RawVideoOptions()
    frames: FramesOptions = FramesOptions()
    metrics: MetricsOptions = MetricsOptions()


def config_hash(
    stage: str, code_version: str, options: StageOptions, models: Mapping[str, str], upstream: Mapping[str, str]
) -> str:
    """16 hex digits over everything that decides a stage's rows.

    models: file name to sha256; upstream: stage name to config hash, only of the stages whose rows are read.
    """
    key = {
        "stage": stage,
        "code_version": code_version,
        "options": options.effective(),
        "models": dict(models),
        "upstream": dict(upstream),
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
