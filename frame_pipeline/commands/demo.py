"""`frame-pipeline demo`: from nothing to a contact sheet of the best frames of a generated clip."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from frame_pipeline.commands.run import run_command
from frame_pipeline.media.contact_sheet import Tile, as_jpeg, contact_sheet, time_label
from frame_pipeline.media.sources import fingerprint
from frame_pipeline.quality.score import DEFAULT_WEIGHTS, quality_sql
from frame_pipeline.settings import load_options
from frame_pipeline.stages import plan
from frame_pipeline.store.lake import Lake, open_lake

BEST = 12

# One row is one of the best frames of the clip under the demo's own options, at most two of a shot.
_BEST_FRAMES = """
    SELECT time_s, shot, round({score}, 1) AS quality,
           round(m.sharpness, 1), round(m.contrast, 1), round(m.brightness, 1), path
    FROM frames f
    JOIN metrics m ON m.video_id = f.video_id AND m.pts = f.pts AND m.config_hash = ?
    JOIN videos v ON v.video_id = f.video_id AND v.fingerprint = ?
    WHERE f.config_hash = ?
    QUALIFY row_number() OVER (PARTITION BY shot ORDER BY quality DESC) <= 2
    ORDER BY quality DESC, f.pts LIMIT ?
"""


def demo_command(root: Path, folder: Path, seconds: float) -> int:
    """Returns the exit code of the run."""
    clip = (folder / "demo.mp4").absolute()
    if not clip.exists():
        _make(clip, seconds)
    code = run_command([str(clip)], root, "default", (), None, as_json=False)
    if code == 0:
        sheet = folder / "best-frames.jpg"
        _show_best(open_lake(root), clip, sheet)
        _say_next(clip, sheet)
    return code


def _make(clip: Path, seconds: float) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from frame_pipeline.media.demo_video import write_demo_video

    clip.parent.mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("drawing a clip")
        write_demo_video(
            clip, seconds=seconds, progress=lambda done, total: progress.update(task, completed=done, total=total)
        )
    click.echo(f"made {clip}")


def _show_best(lake: Lake, clip: Path, sheet: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    score, weights = quality_sql(DEFAULT_WEIGHTS)
    hashes = {stage.name: stage.config_hash for stage in plan(load_options())}
    rows = lake.rows(
        _BEST_FRAMES.format(score=score), [*weights, hashes["metrics"], fingerprint(clip), hashes["frames"], BEST]
    )
    table = Table("time", "shot", "quality", "sharpness", "contrast", "brightness", box=None, title="best frames")
    for time_s, *numbers, _ in rows:
        table.add_row(time_label(time_s), *[str(number) for number in numbers])
    Console().print(table)
    tiles = [
        Tile(lake.layout.root / row[-1], f"{time_label(row[0])}   quality {row[2]:.0f}")
        for row in sorted(rows, key=lambda r: r[0])
    ]
    sheet.write_bytes(as_jpeg(contact_sheet(tiles, columns=4, tile_width=320), 88))


def _say_next(clip: Path, sheet: Path) -> None:
    program = _program()
    click.echo(f"\ncontact sheet: {sheet}\nnext:")
    for words, why in (
        ("run FOLDER", "your own videos, all below a folder"),
        (f"run {os.path.relpath(clip)} --preset best-of-shot", "the sharpest frames of each shot"),
        ('query "SELECT * FROM metrics ORDER BY sharpness DESC LIMIT 10"', "ask anything in SQL"),
        ("up", "runs, lineage and backfills in the Dagster UI"),
    ):
        click.echo(f"  {program} {words:<68} {why}")


def _program() -> str:
    """The words that call frame-pipeline from here, also when the environment is not activated."""
    script = Path(sys.executable).with_name("frame-pipeline")
    if shutil.which("frame-pipeline"):
        return "frame-pipeline"
    return os.path.relpath(script) if script.exists() else f"{os.path.relpath(sys.executable)} -m frame_pipeline"
