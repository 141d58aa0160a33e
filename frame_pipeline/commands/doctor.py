"""`frame-pipeline doctor`: what works here, and what each missing piece switches off."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from frame_pipeline.errors import FramePipelineError
from frame_pipeline.store.lake import EXTENSIONS, Lake, connect, extension_file

MODELS_VARIABLE = "FRAME_PIPELINE_MODELS"
LOW_DISK_GIB = 2.0
CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4", "prores")


@dataclass(frozen=True)
class Finding:
    """One line: ok, missing (an optional piece) or broken (something that must work)."""

    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    effect: str = ""


def doctor_command(root: Path, as_json: bool) -> int:
    """Print the findings. Returns 1 when something that must work is broken."""
    findings = list(examine(root))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        _print(findings)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def examine(root: Path) -> Iterator[Finding]:
    """All findings for this machine and the store in `root`."""
    yield Finding("python", "ok", f"{platform.python_version()}, {os.cpu_count()} cores, {platform.platform()}")
    yield _gpu()
    yield _decoder()
    yield from _extensions()
    yield _store(root)
    yield _runtime()
    yield _package("insightface", "faces: who is in which frame")
    yield _package("torch", "masks: following the subject through a shot")
    yield _package("sam2", "masks: following the subject through a shot")
    yield _package("ultralytics", "masks: finding persons without a face")
    yield _models()


def _gpu() -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("gpu", "missing", "no NVIDIA driver", "everything runs on the CPU; masks are slow there")
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("gpu", "missing", f"nvidia-smi fails: {error}", "everything runs on the CPU")
    return Finding("gpu", "ok", "; ".join(answer.splitlines()))


def _decoder() -> Finding:
    import av

    missing = [name for name in CODECS if name not in av.codecs_available]
    library = ".".join(str(part) for part in av.library_versions["libavcodec"])
    detail = f"PyAV {av.__version__}, libavcodec {library}, {os.cpu_count()} threads"
    if missing:
        return Finding("decoder", "missing", f"{detail}; without {', '.join(missing)}", "such videos cannot be read")
    return Finding("decoder", "ok", f"{detail}: {', '.join(CODECS)}")


def _extensions() -> Iterator[Finding]:
    for name in EXTENSIONS:
        try:
            extension_file(name)
        except FramePipelineError as error:
            yield Finding(f"duckdb {name}", "broken", str(error), "no store can be opened")
            return
    with connect() as connection:
        row = connection.execute("SELECT version()").fetchone()
        yield Finding("duckdb", "ok", f"{row[0] if row else '?'} with {', '.join(EXTENSIONS)}, loaded without network")


def _store(root: Path) -> Finding:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    if not os.access(there, os.W_OK):
        return Finding("store", "broken", f"{root}: {there} cannot be written", "choose another folder with --store")
    room = f"{free:.1f} GiB free"
    if not (root / "catalog.sqlite").exists():
        return Finding("store", "ok", f"{root}: none yet; the first run makes it; {room}")
    try:
        row = Lake(root, read_only=True).row("SELECT (SELECT count(*) FROM videos), (SELECT count(*) FROM frames)")
    except FramePipelineError as error:
        return Finding("store", "broken", str(error), "runs and queries fail")
    videos, frames = row or (0, 0)
    if free < LOW_DISK_GIB:
        return Finding("store", "missing", f"{root}: only {room}", "long runs will stop when the disk is full")
    return Finding("store", "ok", f"{root}: {videos:,} videos, {frames:,} frames; {room}")


def _runtime() -> Finding:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(installed) == 2:
        detail = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other"
        return Finding(
            "onnxruntime", "broken", detail, "GPU inference silently falls back; uninstall both, install one"
        )
    if not installed:
        return Finding("onnxruntime", "missing", "not installed", "faces are off; install the extra cpu or cuda")
    import onnxruntime

    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding("onnxruntime", "ok", f"{installed[0]} {_version(installed[0])}: {providers}")


def _package(name: str, purpose: str) -> Finding:
    if find_spec(name) is None:
        return Finding(name, "missing", "not installed", f"off: {purpose}")
    return Finding(name, "ok", _version(name) or "installed")


def _models() -> Finding:
    folder = os.environ.get(MODELS_VARIABLE)
    if not folder:
        return Finding(
            "models", "missing", f"{MODELS_VARIABLE} is not set", "no stage of this version needs model files"
        )
    files = [file for file in Path(folder).rglob("*") if file.is_file()] if Path(folder).is_dir() else []
    state: Literal["ok", "missing"] = "ok" if files else "missing"
    return Finding("models", state, f"{folder}: {len(files)} files", "" if files else "put model files there")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    colours = {"ok": "green", "missing": "yellow", "broken": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        colour = colours[finding.state]
        text = f"{finding.detail}\n[dim]{finding.effect}[/dim]" if finding.effect else finding.detail
        table.add_row(f"[{colour}]{finding.state}[/{colour}]", f"[bold]{finding.name}[/bold]", text)
    Console().print(table)
