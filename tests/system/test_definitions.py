"""The Dagster side as a whole, written down: a change of it is seen, and meant.

To renew the record after a change that is meant, and then to read the difference before it is committed:

    RENEW_DEFINITIONS=1 python -m pytest tests/system/test_definitions.py
    git diff tests/system/definitions.json
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg

from frame_pipeline.definitions import defs
from frame_pipeline.settings import STAGE_OPTIONS
from frame_pipeline.stages import STAGE_NAMES

RECORD = Path(__file__).with_name("definitions.json")
RENEW = "RENEW_DEFINITIONS"


def recorded() -> dict[str, Any]:
    """Everything that the UI, a backfill or a person at the definitions sees."""
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    return {
        "assets": {node.key.to_user_string(): _asset(node) for node in sorted(graph.asset_nodes, key=lambda n: n.key)},
        "checks": {
            f"{key.asset_key.to_user_string()}: {key.name}": _check(graph.assets_def_for_key(key), key)
            for key in sorted(graph.asset_check_keys)
        },
        "jobs": {
            job.name: {
                "description": job.description,
                "assets": sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys),
                "checks": sorted(key.name for key in job.asset_layer.asset_graph.asset_check_keys),
                "executor": job.executor_def.name,
                "resources": sorted(job.resource_defs),
            }
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
        },
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "resources": {
            name: sorted(_fields(resource.config_schema))
            for name, resource in repository.get_top_level_resources().items()
        },
        "options": {
            stage: {name: _option(field) for name, field in sorted(fields.items())}
            for stage, fields in _forms().items()
        },
    }  # fmt: skip


def _asset(node: Any) -> dict[str, Any]:
    step = node.assets_def
    return {
        "description": node.description,
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "partitions": str(node.partitions_def),
        "code_version": node.code_version,
        "backfill": str(node.backfill_policy),
        "step": step.op.name,
        "can_subset": step.can_subset,
        "retries": step.op.retry_policy.max_retries,
        "pool": step.op.pool,
        "resources": sorted(step.required_resource_keys),
    }


def _check(checks: Any, key: dg.AssetCheckKey) -> dict[str, Any]:
    spec = checks.get_spec_for_check_key(key)
    return {"description": spec.description, "blocking": spec.blocking}


def _forms() -> dict[str, dict[str, Any]]:
    step = defs.resolve_asset_graph().get(dg.AssetKey("frames")).assets_def.op
    return {stage: _fields(field) for stage, field in _fields(step.config_schema).items()}


def _fields(form: Any) -> dict[str, Any]:
    fields: dict[str, Any] = form.config_type.fields
    return fields


def _option(field: Any) -> dict[str, Any]:
    return {"description": field.description, "default": field.default_value if field.default_provided else None}


def test_the_definitions_are_those_that_were_recorded() -> None:
    now = json.loads(json.dumps(recorded(), default=str))
    if os.environ.get(RENEW):
        RECORD.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert now == json.loads(RECORD.read_text(encoding="utf-8")), f"{RENEW}=1 renews {RECORD.name}; see above"


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"analyse_videos", "check_store"}


def test_every_stage_is_an_asset_in_the_same_order() -> None:
    graph = defs.resolve_asset_graph()
    assert [key.to_user_string() for key in graph.toposorted_asset_keys] == list(STAGE_NAMES)


def test_the_form_of_a_stage_has_its_options_and_their_words() -> None:
    forms = _forms()
    assert forms.keys() == STAGE_OPTIONS.keys()
    for stage, options in STAGE_OPTIONS.items():
        assert forms[stage].keys() == options.model_fields.keys()
        for name, field in options.model_fields.items():
            assert forms[stage][name].description == field.description
            assert field.description
