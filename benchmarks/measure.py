"""What is measured and what it is compared with. Every function returns one `Finding`.

Expectations were written down before the first measurement, from the costs of the parts.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import duckdb
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from benchmarks import clips
from frame_pipeline.media.packets import read_packets
from frame_pipeline.media.sources import fingerprint, slug
from frame_pipeline.progress import Silent
from frame_pipeline.quality.measures import GrayStatistics
from frame_pipeline.runner import run_video
from frame_pipeline.settings import load_options
from frame_pipeline.stages import plan
from frame_pipeline.store.lake import Lake, open_lake
from frame_pipeline.store.videos import NewVideo, add_videos

ROUNDS = 3


@dataclass(frozen=True)
class Finding:
    """One line of the table. `ratio` is in the words of `goal`."""

    work: str
    goal: str
    expected: str
    ratio: float
    met: bool
    detail: str


class Bench:
    """A store in which one clip is analysed again and again, and ffmpeg beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clip = clips.full_hd(folder)
        shutil.rmtree(folder / "store", ignore_errors=True)
        self.lake = open_lake(folder / "store")
        # Start-up of the process is excluded: imports, compiled kernels and the Dagster instance are made here.
        self.analyse(clips.small(folder, 2), ())

    def analyse(self, clip: Path, overrides: tuple[str, ...]) -> float:
        """Seconds for all stages of `clip`, commits included, in this process: what `run` does once it has started."""
        planned = plan(load_options("default", overrides))
        added = add_videos(self.lake, [NewVideo(clip, fingerprint(clip), clip.stat().st_size, slug(clip.stem))])
        started = time.perf_counter()
        outcomes = list(run_video(self.lake, added[0].video.video_id, planned, "benchmark", Silent()))
        seconds = time.perf_counter() - started
        assert all(outcome.ok for outcome in outcomes)
        return seconds

    def fresh(self, overrides: tuple[str, ...]) -> float:
        """The same with nothing of the clip in the store."""
        forget(self.lake)
        return self.analyse(self.clip, overrides)

    def against(self, overrides: tuple[str, ...], reference: Callable[[], float]) -> tuple[float, float]:
        """Median seconds of (reference, ours), taking turns so that both meet the same load."""
        pairs = [(reference(), self.fresh(overrides)) for _ in range(ROUNDS)]
        return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)

    def ffmpeg(self) -> float:
        """Seconds of `ffmpeg -i clip -f null -`."""
        started = time.perf_counter()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(self.clip), "-f", "null", "-"]
        subprocess.run(command, check=True)
        return time.perf_counter() - started


def forget(lake: Lake) -> None:
    """Empty the result tables and the proxies; the videos stay known."""

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        for table in ("results", "frames", "shots", "metrics"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608

    lake.commit(work)
    shutil.rmtree(lake.layout.proxies, ignore_errors=True)


def interval(bench: Bench) -> Finding:
    """The main job against plain decoding."""
    theirs, ours = bench.against((), bench.ffmpeg)
    ratio = ours / theirs
    return Finding(
        "interval 1 s + shots + proxies + metrics", "<= 1.25 x ffmpeg decode", "1.15", ratio, ratio <= 1.25,
        f"{ours:.2f} s, ffmpeg {theirs:.2f} s",
    )  # fmt: skip


def keyframes(bench: Bench) -> Finding:
    """The stages frames (by keyframes) and metrics against decoding everything; the probe and the commits apart."""
    theirs, whole = bench.against(("frames.method=keyframes",), bench.ffmpeg)
    row = bench.lake.row("SELECT sum(seconds) FROM results WHERE stage IN ('frames', 'metrics')")
    ours = float(row[0]) if row else whole
    count = int(read_packets(bench.clip).keyframe.sum())
    return Finding(
        "keyframes + metrics", ">= 15 x faster than full decode", "12", theirs / ours, theirs / ours >= 15,
        f"{ours:.2f} s, ffmpeg {theirs:.2f} s; {count} keyframes; {theirs / whole:.1f} x with probe and commits",
    )  # fmt: skip


def sparse(bench: Bench) -> Finding:
    """Seeking, against decoding everything, and against our own full decode for the frames that are taken."""
    overrides = ("frames.interval_s=10", "frames.shots=off")
    theirs, ours = bench.against(overrides, bench.ffmpeg)
    sought = bench.lake.rows("SELECT pts FROM frames ORDER BY pts")
    bench.fresh(("frames.interval_s=10", "frames.shots=adaptive"))
    same = sought == bench.lake.rows("SELECT pts FROM frames ORDER BY pts")
    return Finding(
        "interval 10 s, shots off", ">= 4 x faster than full decode, same frames", "8", theirs / ours,
        theirs / ours >= 4 and same, f"{ours:.2f} s, ffmpeg {theirs:.2f} s; frames {'equal' if same else 'DIFFER'}",
    )  # fmt: skip


def kernels(_bench: Bench) -> Finding:
    """The five measures of a 1280 x 720 picture on one core against the plain OpenCV way."""
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280), dtype=np.uint8)
    gray: NDArray[np.uint8] = cv2.GaussianBlur(noise, (0, 0), 2)  # type: ignore[assignment]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        pairs = [
            (_rate(lambda: _plain_measures(gray), 10), _rate(lambda: _our_measures(gray), 100)) for _ in range(ROUNDS)
        ]
    finally:
        cv2.setNumThreads(threads)
    plain, ours = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
    return Finding(
        "metrics kernels, frames/s per core", ">= 6 x OpenCV float64", "13", ours / plain, ours / plain >= 6,
        f"{ours:.0f} frames/s, OpenCV {plain:.0f} frames/s",
    )  # fmt: skip


def rerun(bench: Bench) -> Finding:
    """A whole process that finds everything done, against importing Dagster."""
    _run_process([str(bench.clip)], bench.folder / "rerun_store")
    pairs = [
        (
            _seconds([sys.executable, "-c", "import dagster"]),
            _run_process([str(bench.clip)], bench.folder / "rerun_store"),
        )
        for _ in range(ROUNDS)
    ]
    theirs, ours = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
    return Finding(
        "rerun with nothing changed", "<= 2.5 x import dagster", "1.0", ours / theirs, ours / theirs <= 2.5,
        f"{ours:.2f} s, import dagster {theirs:.2f} s",
    )  # fmt: skip


def start_up(bench: Bench) -> Finding:
    """What a `run` costs beside its stages: process, imports, store, the Dagster run and its checks."""
    store = bench.folder / "start_store"
    shutil.rmtree(store, ignore_errors=True)
    _run_process([str(clips.small(bench.folder, 2))], store)
    total = _run_process([str(clips.full_hd(bench.folder, 2))], store)
    row = Lake(store, read_only=True).row("SELECT sum(seconds) FROM results WHERE video_id LIKE 'full%'")
    work = float(row[0]) if row else 0.0
    return Finding(
        "start-up of a run, in seconds (no goal; not in the figures above)", "reported", "3", total - work, True,
        f"{total:.2f} s for a run whose stages took {work:.2f} s",
    )  # fmt: skip


def memory(bench: Bench) -> Finding:
    """Peak memory of a run over an hour against a minute of the same content."""
    minute = clips.small(bench.folder, 60)
    hour = clips.repeated(minute, 60, bench.folder / "small_3600s.mp4")
    short, long = (_peak_mib(path, bench.folder / "memory_store") for path in (minute, hour))
    return Finding(
        "peak memory, 60 min against 1 min", "<= 1.2 x", "1.05", long / short, long / short <= 1.2,
        f"{long:.0f} MiB, {short:.0f} MiB",
    )  # fmt: skip


def overhead(bench: Bench) -> Finding:
    """What a video costs beside its own work in a batch of 100."""
    folder = clips.many(clips.small(bench.folder, 2), 100, bench.folder / "hundred")
    store = bench.folder / "hundred_store"
    shutil.rmtree(store, ignore_errors=True)
    total = _run_process([str(folder)], store)
    start = _run_process([str(folder / "clip_000.mp4")], store)
    row = Lake(store, read_only=True).row("SELECT sum(seconds), count(DISTINCT video_id) FROM results")
    work, videos = row or (0.0, 1)
    each = (total - start - work) / videos
    return Finding(
        "100 videos of 2 s: overhead per video", "<= 0.3 s", "0.25", each, each <= 0.3 and videos == 100,
        f"{total:.1f} s for {videos} videos, own work {work:.1f} s, process start {start:.1f} s",
    )  # fmt: skip


ALL = (interval, keyframes, sparse, kernels, rerun, start_up, memory, overhead)


def _plain_measures(gray: NDArray[np.uint8]) -> tuple[float, ...]:
    sharpness = cv2.Laplacian(gray, cv2.CV_64F).var()
    across, down = cv2.Sobel(gray, cv2.CV_64F, 1, 0), cv2.Sobel(gray, cv2.CV_64F, 0, 1)
    edges = np.sqrt(across**2 + down**2).mean()
    share = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel() / gray.size
    entropy = -(share[share > 0] * np.log2(share[share > 0])).sum()
    return float(sharpness), float(edges), float(gray.std() / gray.mean()), float(gray.mean()), float(entropy)


def _our_measures(gray: NDArray[np.uint8]) -> tuple[float, ...]:
    found = GrayStatistics.of(gray)
    return found.sharpness, found.edge_strength, found.contrast, found.brightness, found.entropy


def _rate(work: Callable[[], object], times: int) -> float:
    work()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - started)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _run_command(sources: list[str], store: Path) -> list[str]:
    return [sys.executable, "-m", "frame_pipeline", "run", *sources, "--store", str(store), "--json"]


def _run_process(sources: list[str], store: Path) -> float:
    started = time.perf_counter()
    answer = subprocess.run(_run_command(sources, store), check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    assert all(video["status"] == "ok" for video in json.loads(answer.stdout)["videos"])
    return seconds


def _peak_mib(clip: Path, store: Path) -> float:
    shutil.rmtree(store, ignore_errors=True)
    process = subprocess.Popen(_run_command([str(clip)], store), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    # Linux counts kibibytes, macOS bytes.
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
