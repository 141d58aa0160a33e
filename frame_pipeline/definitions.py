"""The Dagster code location: the only place where everything is wired together."""

from __future__ import annotations

import warnings

import dagster as dg

# Backfill policies, in use here since they were introduced, still carry Dagster's beta mark.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")

from frame_pipeline.assets.analyse import analyse  # noqa: E402
from frame_pipeline.assets.checks import CHECKS  # noqa: E402
from frame_pipeline.assets.resources import StoreResource  # noqa: E402

JOB_NAME = "analyse_videos"

defs = dg.Definitions(
    assets=[analyse],
    asset_checks=CHECKS,
    jobs=[
        dg.define_asset_job(
            JOB_NAME,
            # The step logs the checks itself, for its own videos; a check step would go through the whole store.
            selection=dg.AssetSelection.assets("raw_video", "frames", "metrics").without_checks(),
            description="All stages for the videos of the partition or range.",
        ),
        dg.define_asset_job(
            "check_store",
            selection=dg.AssetSelection.all_asset_checks(),
            description="Every asset check over the whole store.",
        ),
    ],
    resources={"store": StoreResource(root="")},
    # Steps in the process of the run: models and the store's connection stay open, and nothing is imported twice.
    executor=dg.in_process_executor,
)
