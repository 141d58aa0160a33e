"""Materializes stages of given videos in this process, on the store's Dagster instance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from frame_pipeline.assets.options import run_config
from frame_pipeline.automation.instance import open_instance, process_tag
from frame_pipeline.automation.partitions import videos
from frame_pipeline.config import PipelineOptions
from frame_pipeline.definitions import JOB_NAME, defs
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.layout import STORE_VARIABLE

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def materialize(
    lake: Lake, options: PipelineOptions, video_ids: Sequence[str], pending: set[str], stages: Sequence[str]
) -> None:
    """Run the stages for all `video_ids` of which some are `pending`, as few runs as their order allows.

    How each video went is in the store's results afterwards. Raises what stopped a run as a whole, e.g.
    StoreUnavailable, and KeyboardInterrupt when it was interrupted.
    """
    os.environ[STORE_VARIABLE] = str(lake.layout.root)
    with open_instance(lake.layout) as instance:
        instance.add_dynamic_partitions(str(videos.name), list(video_ids))
        order = instance.get_dynamic_partitions(str(videos.name))
        for first, last in _ranges(order, set(video_ids), pending):
            _execute(instance, options, first, last, stages)


def _execute(
    instance: dg.DagsterInstance, options: PipelineOptions, first: str, last: str, stages: Sequence[str]
) -> None:
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
        **process_tag(),
    }
    try:
        job = defs.resolve_job_def(JOB_NAME)
        # Without check steps: the step logs the checks of its own videos.
        chosen = job.get_subset(asset_selection={dg.AssetKey(stage) for stage in stages}, asset_check_selection=set())
        chosen.execute_in_process(instance=instance, run_config={**run_config(options), **QUIET}, tags=tags)
    except DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    except dg.Failure as failure:
        # Failed videos are in the results. A failure with a cause is the store's, and ends the command.
        if isinstance(failure.__cause__, Exception):
            raise failure.__cause__ from None


def _ranges(order: Sequence[str], asked: set[str], pending: set[str]) -> Iterator[tuple[str, str]]:
    """Runs of neighbouring partitions that were asked for, from the first pending one to the last.

    Dagster takes ranges only. Finished videos in between cost nothing: they are answered from the store.
    """
    stretch: list[str] = []
    for video_id in [*order, None]:
        if video_id in asked:
            stretch.append(str(video_id))
            continue
        waiting: list[Any] = [place for place, key in enumerate(stretch) if key in pending]
        if waiting:
            yield stretch[waiting[0]], stretch[waiting[-1]]
        stretch = []
