"""Asset checks: what must hold for every row in the store, asked once over all videos."""

import dagster as dg

from frame_pipeline.assets.resources import StoreResource
from frame_pipeline.quality.score import MEASURES
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import StoredInputs

SHOWN_VIOLATIONS = 20
DECODED_SHARE = 0.98
"""A full decode that gives less than this share of the declared frames is worth a look."""

# One row is one result whose timestamps do not strictly increase with the source index, or repeat.
_DISORDER = """
    SELECT video_id, config_hash, count(*) FROM (
        SELECT video_id, config_hash,
               pts - lag(pts) OVER (PARTITION BY video_id, config_hash ORDER BY source_index) AS step
        FROM frames
    ) WHERE step <= 0 GROUP BY ALL
"""

# One row is one result whose number of rows differs from what its result says.
_ROW_COUNTS = """
    SELECT r.video_id, r.config_hash, r."rows" - coalesce(f.n, 0) FROM results r
    LEFT JOIN (SELECT video_id, config_hash, count(*) AS n FROM frames GROUP BY ALL) f USING (video_id, config_hash)
    WHERE r.stage = 'frames' AND r.status = 'done' AND r."rows" <> coalesce(f.n, 0)
"""

# One row is one video of which a full decode gave too few frames without anything having been said about it.
# Both counts are without the frames that an edit list hides.
_SHORTFALL = """
    SELECT video_id, source, decoded || ' of ' || shown_frames FROM videos JOIN (
        SELECT video_id, (facts ->> '$.decoded')::BIGINT AS decoded
        FROM results WHERE stage = 'frames' AND status = 'done' AND (facts ->> '$.complete')::BOOLEAN
    ) USING (video_id) WHERE decoded < ? * shown_frames AND status = 'ok'
"""


def _verdict(violations: list[tuple[object, ...]], what: str) -> dg.AssetCheckResult:
    shown = [" ".join(str(part) for part in row) for row in violations[:SHOWN_VIOLATIONS]]
    return dg.AssetCheckResult(
        passed=not violations,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(violations)} {what}" if violations else "holds everywhere",
        metadata={"violations": len(violations), "first": "\n".join(shown)},
    )


@dg.asset_check(asset="frames", description="Timestamps strictly increase in every result.")
def pts_increase(store: StoreResource) -> dg.AssetCheckResult:
    """Timestamps are identities: none may repeat or go back."""
    return _verdict(store.lake().rows(_DISORDER), "results with repeated or falling timestamps")


@dg.asset_check(asset="frames", description="Every row has its proxy file and every result its rows.")
def rows_match_proxies(store: StoreResource) -> dg.AssetCheckResult:
    """The files on disk and the rows in the store are the same set."""
    lake = store.lake()
    return _verdict([*lake.rows(_ROW_COUNTS), *_without_proxy(lake)], "differences between rows and proxies")


@dg.asset_check(asset="frames", description="A full decode gives as many frames as the file declares.")
def decoded_as_declared(store: StoreResource) -> dg.AssetCheckResult:
    """Files known to be truncated or corrupt are excepted; they carry their own state."""
    return _verdict(store.lake().rows(_SHORTFALL, [DECODED_SHARE]), "videos with fewer frames than declared")


@dg.asset_check(asset="metrics", description="No measure is missing, infinite or not a number.")
def measures_are_finite(store: StoreResource) -> dg.AssetCheckResult:
    """NaN passes every threshold in SQL, so it must never be stored."""
    columns = [*MEASURES, *(f"{name}_raw" for name in MEASURES), "colorfulness"]
    broken = " OR ".join(f"{name} IS NULL OR NOT isfinite({name})" for name in columns)
    sql = f"SELECT video_id, config_hash, pts FROM metrics WHERE {broken}"  # noqa: S608
    return _verdict(store.lake().rows(sql), "frames with a measure that is no number")


CHECKS = [pts_increase, rows_match_proxies, decoded_as_declared, measures_are_finite]


def _without_proxy(lake: Lake) -> list[tuple[object, ...]]:
    """Results of which a proxy is missing. Listing a folder once is far cheaper than asking for each file."""
    missing: list[tuple[object, ...]] = []
    for video_id, config_hash in lake.rows(
        "SELECT video_id, config_hash FROM results WHERE stage = 'frames' AND status = 'done'"
    ):
        folder = lake.layout.result_folder(video_id, config_hash)
        there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        inputs = StoredInputs(lake, video_id, {"frames": config_hash}, {})
        for batch in inputs.read("frames", ["path"], batch_rows=10_000):
            gone = [path for path in batch.column("path").to_pylist() if path.rsplit("/", 1)[-1] not in there]
            if gone:
                missing.append((video_id, config_hash, f"{len(gone)} proxies missing, first {gone[0]}"))
    return missing
