"""The tables of a store. Columns are only ever added; a change of meaning is a new schema version."""

from __future__ import annotations

SCHEMA_VERSION = 1

# One row is the value of one property of the store.
META = "CREATE TABLE IF NOT EXISTS meta (key VARCHAR, value VARCHAR)"

TABLES: dict[str, str] = {
    # One row is one video, whatever its file is called; the columns from `container` on come from the probe.
    "videos": """
        video_id VARCHAR, source VARCHAR, fingerprint VARCHAR, status VARCHAR, error VARCHAR,
        size_bytes BIGINT, added_at TIMESTAMP, probed_at TIMESTAMP,
        container VARCHAR, codec VARCHAR, profile VARCHAR, pix_fmt VARCHAR, bits INTEGER,
        coded_width INTEGER, coded_height INTEGER, width INTEGER, height INTEGER,
        rotation INTEGER, mirrored BOOLEAN, sample_aspect_ratio VARCHAR,
        average_rate VARCHAR, fps DOUBLE, variable_rate BOOLEAN, time_base VARCHAR,
        start_pts BIGINT, duration_s DOUBLE, declared_duration_s DOUBLE,
        declared_frames BIGINT, packets BIGINT, shown_frames BIGINT, keyframes BIGINT,
        color_transfer VARCHAR, color_primaries VARCHAR, color_space VARCHAR, color_range VARCHAR,
        hdr BOOLEAN, interlaced BOOLEAN, bit_rate BIGINT, video_streams INTEGER, audio_streams INTEGER,
        title VARCHAR
    """,
    # One row is one computed, failed or skipped result: a stage of a video under one configuration.
    "results": """
        stage VARCHAR, video_id VARCHAR, config_hash VARCHAR, upstream_hash VARCHAR, upstream VARCHAR,
        config VARCHAR, code_version VARCHAR, models VARCHAR, "rows" BIGINT, seconds DOUBLE, device VARCHAR,
        status VARCHAR, error VARCHAR, warnings VARCHAR, facts VARCHAR, run_id VARCHAR, created_at TIMESTAMP
    """,
    # One row is one configuration of a stage, and when somebody last asked for it.
    "configurations": "stage VARCHAR, config_hash VARCHAR, used_at TIMESTAMP",
    # One row is one chosen frame; width and height are those of the picture at `path`.
    "frames": """
        video_id VARCHAR, config_hash VARCHAR, pts BIGINT, time_base VARCHAR, time_s DOUBLE, source_index BIGINT,
        shot INTEGER, is_keyframe BOOLEAN, path VARCHAR, width INTEGER, height INTEGER,
        source_width INTEGER, source_height INTEGER, tonemapped BOOLEAN, deinterlaced BOOLEAN, damage VARCHAR
    """,
    # One row is one shot [start, end): end_pts is the pts of the next shot's first frame, or one past the last frame.
    "shots": """
        video_id VARCHAR, config_hash VARCHAR, shot INTEGER, start_pts BIGINT, end_pts BIGINT,
        start_s DOUBLE, end_s DOUBLE, start_index BIGINT, end_index BIGINT
    """,
    # One row is one measured frame; scores run 0-100, `_raw` columns have the measure's own unit.
    "metrics": """
        video_id VARCHAR, config_hash VARCHAR, pts BIGINT,
        sharpness DOUBLE, edge_strength DOUBLE, contrast DOUBLE, brightness DOUBLE, entropy DOUBLE,
        sharpness_raw DOUBLE, edge_strength_raw DOUBLE, contrast_raw DOUBLE, brightness_raw DOUBLE, entropy_raw DOUBLE,
        shadows_clipped DOUBLE, highlights_clipped DOUBLE, colorfulness DOUBLE, phash UBIGINT
    """,
}

# Tables whose rows belong to results of a stage, keyed (video_id, config_hash, ...).
RESULT_TABLES: dict[str, tuple[str, ...]] = {"frames": ("frames", "shots"), "metrics": ("metrics",)}
