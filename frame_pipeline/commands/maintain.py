"""`frame-pipeline maintain`: list what is unused, remove it when agreed, and compact the tables."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from frame_pipeline.errors import StoreUnavailable
from frame_pipeline.store.lake import Lake, open_lake
from frame_pipeline.store.layout import Layout
from frame_pipeline.store.upkeep import Unused, compact, remove, replaced_results, stray_folders

LISTED = 30


def maintain_command(root: Path, yes: bool) -> None:
    """Nothing is removed unlisted; without --yes, or a yes on a terminal, replaced results stay."""
    if not Layout(root).catalog.is_file():
        raise StoreUnavailable(root, "holds no store yet", hint="`frame-pipeline run` makes one")
    lake = open_lake(root)
    # Leftovers of killed runs hold no result and cost only space.
    _list_and_remove(lake, "left by runs that were killed", stray_folders(lake), agreed=True)
    _list_and_remove(lake, "replaced by newer results", replaced_results(lake), agreed=yes)
    compact(lake)
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    click.echo(f"{root}: compacted, {_mib(size)}")


def _list_and_remove(lake: Lake, what: str, unused: list[Unused], *, agreed: bool) -> None:
    if not unused:
        click.echo(f"{what}: nothing")
        return
    total = sum(entry.bytes for entry in unused)
    click.echo(f"{what}: {len(unused)}, {_mib(total)}")
    for entry in unused[:LISTED]:
        click.echo(
            f"  {entry.key.video_id} {entry.key.stage} {entry.key.config_hash}: {entry.rows} rows, {_mib(entry.bytes)}"
        )
    if len(unused) > LISTED:
        click.echo(f"  and {len(unused) - LISTED} more")
    if agreed or (sys.stdin.isatty() and click.confirm("remove them?")):
        removed = remove(lake, unused)
        busy = len(unused) - len(removed)
        click.echo(f"  removed {len(removed)}" + (f", left {busy} that a run is using" if busy else ""))
    else:
        click.echo("  kept; --yes removes them")


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
