"""The options of the stages as a Dagster config form, made from the same models as everything else."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import create_model

from frame_pipeline.config import PipelineOptions
from frame_pipeline.settings import STAGE_OPTIONS, options_from


def _form(stage: str) -> Any:
    fields = {name: (field.annotation, field) for name, field in STAGE_OPTIONS[stage].model_fields.items()}
    return create_model(f"{stage}_options", __base__=dg.Config, **fields)  # type: ignore[call-overload]


def _all_forms() -> Any:
    forms = {stage: _form(stage) for stage in STAGE_OPTIONS}
    return create_model(  # type: ignore[call-overload]
        "PipelineConfig", __base__=dg.Config, **{stage: (form, form()) for stage, form in forms.items()}
    )


PipelineConfig = _all_forms()


def options_of(config: dg.Config) -> PipelineOptions:
    """The domain's options of a config from the UI or from a run. Raises SettingsError."""
    return options_from(config.model_dump())


def run_config(options: PipelineOptions) -> dict[str, Any]:
    """The run config that gives exactly these options."""
    return {"ops": {"analyse": {"config": options.model_dump(mode="json")}}}
