"""The one step behind all assets: a batch of videos, each taken through the selected stages in this process.

One step instead of one per asset: a failed video then stops only itself. Dagster runs a later step only when the
earlier one succeeded as a whole, so with a step per asset one bad file among fifty would leave the other forty-nine
unmeasured. It also saves a process start and a model load per asset.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from frame_pipeline.assets import frames, metrics, raw_video
from frame_pipeline.assets.checks import evaluations
from frame_pipeline.assets.options import PipelineConfig, options_of
from frame_pipeline.assets.resources import StoreResource
from frame_pipeline.errors import SettingsError, StoreUnavailable
from frame_pipeline.progress import Progress, watcher
from frame_pipeline.runner import Outcome, run_video
from frame_pipeline.stage import Output
from frame_pipeline.stages import PlannedStage, plan
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.layout import Layout
from frame_pipeline.store.results import record_use

BATCH_VIDEOS = 50
LOG_SECONDS = 10.0
RETRIES = dg.RetryPolicy(max_retries=2, delay=2.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

_METADATA: dict[str, Callable[[Layout, Output], dict[str, Any]]] = {
    "raw_video": raw_video.metadata,
    "frames": frames.metadata,
    "metrics": metrics.metadata,
}


@dg.multi_asset(
    name="analyse",
    specs=[raw_video.SPEC, frames.SPEC, metrics.SPEC],
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.multi_run(BATCH_VIDEOS),
    retry_policy=RETRIES,
)
def analyse(context: dg.AssetExecutionContext, store: StoreResource, config: PipelineConfig) -> Iterator[Any]:
    """Take each video of the batch through the selected stages; what is in the store is not computed again."""
    try:
        selected = {key.to_user_string() for key in context.selected_asset_keys}
        planned = [stage for stage in plan(options_of(config)) if stage.name in selected]
        record_use(store.lake(), {stage.name: stage.config_hash for stage in planned})
        failures = list(_run_batch(context, store.lake(), planned))
        for evaluation in evaluations(store.lake(), context.partition_keys, selected):
            context.log_event(evaluation)
    except (StoreUnavailable, SettingsError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if failures:
        sentences = "\n".join(sorted({failure.reason or failure.key.stage for failure in failures}))
        videos = len({failure.key.video_id for failure in failures})
        raise dg.Failure(
            f"{videos} of {len(context.partition_keys)} videos failed:\n{sentences}",
            # A file that cannot be decoded will not decode a second time; a retry skips what is done.
            allow_retries=not all(failure.expected for failure in failures),
        )
    # Materializations were logged one by one, as each video was committed, so nothing is yielded here.
    yield from ()


def _run_batch(context: dg.AssetExecutionContext, lake: Lake, planned: list[PlannedStage]) -> Iterator[Outcome]:
    progress = watcher() or _LogProgress(context)
    for video_id in context.partition_keys:
        for outcome in run_video(lake, video_id, planned, context.run_id, progress):
            progress.finish()
            if outcome.ok:
                context.log_event(_event(lake, outcome))
            elif outcome.status == "failed":
                context.log.error(outcome.reason or "failed")
                yield outcome


def _event(lake: Lake, outcome: Outcome) -> dg.AssetMaterialization:
    key, result = outcome.key, outcome.result
    assert result is not None
    facts: dict[str, Any] = {}
    if outcome.output is not None:
        facts |= _METADATA[key.stage](lake.layout, outcome.output)
        facts |= {"seconds": round(result.seconds, 2), **_rates(result.rows, result.seconds)}
        # What did not happen is not worth a line.
        facts |= {name.replace("_", " "): value for name, value in result.facts.items() if value}
    facts |= {
        "dagster/row_count": result.rows,
        "config hash": key.config_hash,
        "cached": outcome.status == "cached",
    }
    if outcome.reason:
        facts["warning"] = outcome.reason
    return dg.AssetMaterialization(
        key.stage, partition=key.video_id, metadata=facts, tags={"dagster/data_version": key.config_hash}
    )


def _rates(rows: int, seconds: float) -> dict[str, float]:
    return {"frames per second": round(rows / seconds, 1)} if rows > 1 and seconds > 0 else {}


class _LogProgress(Progress):
    """Progress in the run's log: a line now and then, because each is a database write."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._what, self._unit, self._total = "", "", 0
        self._started = self._last = time.monotonic()

    def start(self, what: str, total: int | None, unit: str) -> None:
        self._what, self._total, self._unit = what, total or 0, unit
        self._started = self._last = time.monotonic()

    def advance(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= LOG_SECONDS:
            self._last = now
            rate = done / (now - self._started)
            left = f", {max(self._total - done, 0) / rate:.0f} s left" if self._total and rate else ""
            self._log.info(f"{self._what}: {done} of {self._total or '?'} {self._unit}s, {rate:.1f}/s{left}")

    def finish(self) -> None: ...

    def note(self, sentence: str) -> None:
        self._log.warning(sentence)
