"""Asset checks: what must hold for every row. A run asks for its own videos, the job `check_store` for all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from frame_pipeline.assets.resources import StoreResource
from frame_pipeline.quality.score import MEASURES
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import StoredInputs

SHOWN_VIOLATIONS = 20
DECODED_SHARE = 0.98
"""A full decode that gives less than this share of the declared frames is worth a look."""

Violations = list[tuple[Any, ...]]

# In every statement the last two parameters say which videos are meant: all of them (true), or those of a list.
_AMONG = "(? OR list_contains(?, video_id))"

# One row is one result whose timestamps do not strictly increase with the source index, or repeat.
_DISORDER = f"""
    SELECT video_id, config_hash, count(*) FROM (
        SELECT video_id, config_hash,
               pts - lag(pts) OVER (PARTITION BY video_id, config_hash ORDER BY source_index) AS step
        FROM frames WHERE {_AMONG}
    ) WHERE step <= 0 GROUP BY ALL
"""

# One row is one result whose number of rows differs from what its result says.
_ROW_COUNTS = f"""
    SELECT r.video_id, r.config_hash, r."rows" - coalesce(f.n, 0) FROM results r
    LEFT JOIN (SELECT video_id, config_hash, count(*) AS n FROM frames GROUP BY ALL) f USING (video_id, config_hash)
    WHERE r.stage = 'frames' AND r.status = 'done' AND r."rows" <> coalesce(f.n, 0) AND {_AMONG}
"""

# One row is one video of which a full decode gave too few frames without anything having been said about it.
# Both counts are without the frames that an edit list hides.
_SHORTFALL = f"""
    SELECT video_id, source, decoded || ' of ' || shown_frames FROM videos JOIN (
        SELECT video_id, (facts ->> '$.decoded')::BIGINT AS decoded
        FROM results WHERE stage = 'frames' AND status = 'done' AND (facts ->> '$.complete')::BOOLEAN
    ) USING (video_id) WHERE decoded < ? * shown_frames AND status = 'ok' AND {_AMONG}
"""

_MEASURES = [*MEASURES, *(f"{name}_raw" for name in MEASURES), "colorfulness"]
_NOT_FINITE = " OR ".join(f"{name} IS NULL OR NOT isfinite({name})" for name in _MEASURES)
# One row is one frame with a measure that is no number.
_NO_NUMBER = f"SELECT video_id, config_hash, pts FROM metrics WHERE ({_NOT_FINITE}) AND {_AMONG}"


@dataclass(frozen=True)
class Check:
    """A rule, and how its violations are found among some videos (None is all)."""

    asset: str
    name: str
    description: str
    violations: Callable[[Lake, Sequence[str] | None], Violations]

    def evaluate(self, lake: Lake, video_ids: Sequence[str] | None) -> dict[str, Any]:
        """Passed, description and metadata, as Dagster's results and evaluations take them."""
        found = self.violations(lake, video_ids)
        shown = [" ".join(str(part) for part in row) for row in found[:SHOWN_VIOLATIONS]]
        scope = "the whole store" if video_ids is None else f"{len(video_ids)} videos of this run"
        return {
            "passed": not found,
            "severity": dg.AssetCheckSeverity.ERROR,
            "description": f"{len(found)} violations in {scope}" if found else f"holds in {scope}",
            "metadata": {"violations": len(found), "first": "\n".join(shown)},
        }


def evaluations(lake: Lake, video_ids: Sequence[str], assets: set[str]) -> Iterator[dg.AssetCheckEvaluation]:
    """The checks of `assets` for the videos of a run."""
    for check in RULES:
        if check.asset in assets:
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(check.asset), check_name=check.name, **check.evaluate(lake, video_ids)
            )


def _among(video_ids: Sequence[str] | None) -> list[Any]:
    return [video_ids is None, list(video_ids or ())]


def _disorder(lake: Lake, video_ids: Sequence[str] | None) -> Violations:
    return lake.rows(_DISORDER, _among(video_ids))


def _rows_and_proxies(lake: Lake, video_ids: Sequence[str] | None) -> Violations:
    return [*lake.rows(_ROW_COUNTS, _among(video_ids)), *_without_proxy(lake, video_ids)]


def _shortfall(lake: Lake, video_ids: Sequence[str] | None) -> Violations:
    return lake.rows(_SHORTFALL, [DECODED_SHARE, *_among(video_ids)])


def _no_number(lake: Lake, video_ids: Sequence[str] | None) -> Violations:
    return lake.rows(_NO_NUMBER, _among(video_ids))


def _without_proxy(lake: Lake, video_ids: Sequence[str] | None) -> Violations:
    """Results of which a proxy is missing. Listing a folder once is far cheaper than asking for each file."""
    missing: Violations = []
    finished = f"SELECT video_id, config_hash FROM results WHERE stage = 'frames' AND status = 'done' AND {_AMONG}"
    for video_id, config_hash in lake.rows(finished, _among(video_ids)):
        folder = lake.layout.result_folder(video_id, config_hash)
        there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        inputs = StoredInputs(lake, video_id, {"frames": config_hash}, {})
        for batch in inputs.read("frames", ["path"], batch_rows=10_000):
            gone = [path for path in batch.column("path").to_pylist() if path.rsplit("/", 1)[-1] not in there]
            if gone:
                missing.append((video_id, config_hash, f"{len(gone)} proxies missing, first {gone[0]}"))
    return missing


RULES = (
    Check("frames", "pts_increase", "Timestamps strictly increase in every result.", _disorder),
    Check("frames", "rows_match_proxies", "Every row has its proxy and every result its rows.", _rows_and_proxies),
    Check("frames", "decoded_as_declared", "A full decode gives the frames that the file declares.", _shortfall),
    Check("metrics", "measures_are_finite", "No measure is missing, infinite or not a number.", _no_number),
)


def _definition(check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=check.asset, name=check.name, description=check.description)
    def whole_store(store: StoreResource) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(**check.evaluate(store.lake(), None))

    return whole_store


CHECKS = [_definition(check) for check in RULES]
