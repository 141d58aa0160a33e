"""The stage `frames`: one decode pass gives the sampled frames, the shots and the proxy pictures.

    decode (own thread) ─▶ queue ─▶ shot finder ─▶ sampling rule ─▶ proxy threads ─▶ rows

Where no shots are wanted and the frames lie far apart, they are reached by seeking instead; keyframes are decoded
alone. All three ways take the same frames, because the sampling rules look at timestamps only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frame_pipeline.config import FramesOptions
from frame_pipeline.errors import EmptyRange
from frame_pipeline.media.container import opened
from frame_pipeline.media.damage import Declared, nothing_decoded, verdict
from frame_pipeline.media.decode import Shown, Walk, is_ranked, keyframes, pick, prefetched, walk
from frame_pipeline.media.packets import PacketIndex, read_packets
from frame_pipeline.media.proxies import Proxy, ProxyMaker, ProxyWriter
from frame_pipeline.media.rows import FrameRows, ShotRows
from frame_pipeline.media.sampling import S, sample, stamps
from frame_pipeline.media.sharpest import Sharpest
from frame_pipeline.media.shots import ShotFinder
from frame_pipeline.progress import Progress
from frame_pipeline.stage import Inputs, Output, Video

QUEUE_FRAMES = 8
SEEK_SHARE = 0.5
"""Seek when less than this share of the frames would have to be decoded."""


@dataclass(frozen=True)
class Source:
    """What is known of a stream before its pictures are decoded."""

    video: Video
    index: PacketIndex
    declared: Declared
    time_base: Fraction
    rate: Fraction
    ratio: Fraction | None
    first_pts: int
    can_seek: bool

    def range(self, options: FramesOptions) -> tuple[int | None, int | None]:
        """The (start, end) of the wanted part in ticks; None where it is the stream's own."""
        start = self.ticks(options.start_s) if options.start_s else None
        end = self.ticks(options.end_s) if options.end_s is not None else None
        return (None if start is None else -(-start // 1)), (None if end is None else -(-end // 1))

    def outside(self, options: FramesOptions) -> bool:
        """Whether the wanted part holds no frame."""
        return len(self.index.pts) > 0 and next(stamps(self.index, *self.range(options)), None) is None

    def length(self) -> str:
        """How long the stream is, for a person."""
        return f"it is {_span(self):.1f} s long"

    def ticks(self, seconds: float) -> Fraction:
        """A time after the first frame as an exact timestamp."""
        return self.first_pts + Fraction(str(seconds)) / self.time_base


@dataclass(frozen=True)
class Frames:
    """The chosen frames of a video with their proxies, and its shots."""

    name: ClassVar[str] = "frames"
    code_version: ClassVar[str] = "1"
    table: ClassVar[str] = "frames"
    after: ClassVar[tuple[str, ...]] = ("raw_video",)

    options: FramesOptions
    sharpness: Callable[[NDArray[np.uint8]], float]
    """The measure by which method `scene` ranks frames."""

    def reads(self) -> tuple[str, ...]:
        """No rows: everything comes from the file."""
        return ()

    def models(self) -> Mapping[str, str]:
        """None."""
        return {}

    def compute(self, video: Video, _inputs: Inputs, output: Output, progress: Progress) -> None:
        """Decode once; write `frames`, `shots` and the proxies. Raises UnreadableVideo when nothing can be decoded."""
        source = _examine(video)
        started, met = time.perf_counter(), Walk()
        finder = self._finder(source)
        maker = ProxyMaker(self.options, source.ratio)
        rows = FrameRows(output, source.time_base, f"proxies/{video.video_id}/{output.folder.name}")
        shots = ShotRows(output, source.time_base)
        way, frames = self._decode(source, met)
        with ProxyWriter(maker, output.folder, self.options.format) as writer:
            reporter = _Reporter(progress, video, source, way)
            if self.options.method == "scene":
                proxies = self._sharpest(reporter.watch(frames), finder, shots, maker, writer)
            else:
                proxies = self._sampled(reporter.watch(frames), finder, shots, source, writer, way)
            for proxy in proxies:
                rows.add(proxy, writer.name(proxy.pts))
        if not rows.count:
            self._explain_nothing(source, met, way, output)
        rows.finish(shots.finish() if finder else None)
        self._conclude(source, met, way, time.perf_counter() - started, output)

    def _decode(self, source: Source, met: Walk) -> tuple[str, Iterator[Shown]]:
        """The cheapest way to every frame that the rule may take: its name and the frames."""
        path, index = source.video.path, source.index
        start, end = source.range(self.options)
        whole = self.options.detector is not None or self.options.method == "scene"
        if not whole and self.options.method == "keyframes":
            return "keyframes", keyframes(path, index, met, start_pts=start, end_pts=end)
        if not whole and source.can_seek and len(index.pts):
            plan = [stamp.pts for stamp in self._rule(stamps(index, start, end), source)]
            if not plan:
                return "nothing", iter(())
            if _decoded_when_seeking(index, plan) < SEEK_SHARE * len(index.pts):
                return "seek", _counted(pick(path, index, plan), met)
        return "full", walk(path, index, met, start_pts=start, end_pts=end)

    def _rule(self, frames: Iterable[S], source: Source) -> Iterator[S]:
        origin = source.ticks(self.options.start_s)
        return sample(frames, self.options, origin, source.time_base)

    def _finder(self, source: Source) -> ShotFinder | None:
        if self.options.detector is None:
            return None
        return ShotFinder(self.options.detector, self.options.shot_threshold, self.options.min_shot_frames, source.rate)

    def _sampled(
        self,
        frames: Iterator[Shown],
        finder: ShotFinder | None,
        shots: ShotRows,
        source: Source,
        writer: ProxyWriter,
        way: str,
    ) -> Iterator[Proxy]:
        def examined() -> Iterator[Shown]:
            for frame in frames:
                shots.show(frame)
                if finder:
                    shots.cut(finder.show(frame.picture))
                yield frame

        # Frames that were sought are the chosen ones already.
        for frame in examined() if way == "seek" else self._rule(examined(), source):
            yield from writer.submit(frame)
        if finder:
            shots.cut(finder.finish())
        yield from writer.drain()

    def _sharpest(
        self,
        frames: Iterator[Shown],
        finder: ShotFinder | None,
        shots: ShotRows,
        maker: ProxyMaker,
        writer: ProxyWriter,
    ) -> Iterator[Proxy]:
        latency = finder.latency if finder else 0
        with closing(Sharpest(maker, self.options.per_shot, latency, self.sharpness)) as sharpest:
            for count, frame in enumerate(frames):
                shots.show(frame)
                cuts = shots.cut(finder.show(frame.picture)) if finder else []
                yield from map(writer.write, sharpest.show(count, frame, cuts))
            yield from map(writer.write, sharpest.finish(shots.cut(finder.finish()) if finder else []))

    def _explain_nothing(self, source: Source, met: Walk, way: str, output: Output) -> None:
        path = source.video.path
        if source.outside(self.options):
            raise EmptyRange(path, "holds no frame between frames.start_s and frames.end_s", hint=source.length())
        failed = met.errors or met.out_of_order or way in ("full", "seek") or not source.index.packets
        if failed and not met.decoded:
            raise nothing_decoded(path, source.index.packets, met)
        output.warnings.append(f"{path.name}: frames.method={self.options.method} takes none of its frames")

    def _conclude(self, source: Source, met: Walk, way: str, seconds: float, output: Output) -> None:
        complete = way == "full" and source.range(self.options) == (None, None)
        output.facts.update(
            way=way,
            decoded=met.decoded,
            complete=complete,
            packets=source.index.packets,
            hidden=source.index.hidden,
            declared=source.declared.frames,
            errors=met.errors,
            out_of_order=met.out_of_order,
            decoded_per_second=round(met.decoded / max(seconds, 1e-9), 1),
        )
        span = _span(source)
        found = verdict(source.video.path, source.declared, source.index, span, met if complete else None)
        output.columns["frames"] = {"damage": found.damage if found else None}
        if found:
            output.warnings.append(found.sentence)
            output.columns["videos"] = {"status": found.damage, "error": found.sentence}


class _Reporter:
    """Counts what was decoded for the progress display."""

    def __init__(self, progress: Progress, video: Video, source: Source, way: str) -> None:
        total = len(source.index.pts) if way == "full" else None
        progress.start(f"{video.video_id} frames", total or None, "frame")
        self._progress = progress

    def watch(self, frames: Iterator[Shown]) -> Iterator[Shown]:
        for done, frame in enumerate(prefetched(frames, QUEUE_FRAMES), start=1):
            self._progress.advance(done)
            yield frame


def _examine(video: Video) -> Source:
    index = read_packets(video.path)
    with opened(video.path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        first = int(index.pts[0]) if len(index.pts) else int(stream.start_time or 0)
        return Source(
            video=video,
            index=index,
            declared=Declared.by(container, stream),
            time_base=Fraction(stream.time_base or Fraction(1, 1000)),
            rate=Fraction(rate),
            ratio=stream.sample_aspect_ratio,
            first_pts=first,
            can_seek=not is_ranked(container, stream),
        )


def _span(source: Source) -> float:
    pts = source.index.pts
    if len(pts) < 2:
        return float(len(pts) / source.rate)
    return float((int(pts[-1]) - int(pts[0])) * source.time_base + 1 / source.rate)


def _decoded_when_seeking(index: PacketIndex, plan: list[int]) -> int:
    """How many frames lie between the wanted ones and the keyframes before them."""
    total, reached = 0, -1
    for pts in plan:
        keyframe = index.keyframe_before(pts)
        start = max(reached + 1, index.position(keyframe) if keyframe is not None else 0)
        place = index.position(pts)
        total += place - start + 1
        reached = place
    return total


def _counted(frames: Iterator[Shown], met: Walk) -> Iterator[Shown]:
    for frame in frames:
        met.decoded += 1
        yield frame
