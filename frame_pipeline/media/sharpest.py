"""The sharpest frames of each shot, found while the stream is decoded once.

Memory: the detector's latency plus IN_FLIGHT decoded frames, and `per_shot` compressed pictures.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frame_pipeline.media.decode import Shown
from frame_pipeline.media.proxies import IN_FLIGHT, WRITERS, Proxy, ProxyMaker


@dataclass(order=True, frozen=True)
class _Candidate:
    sharpness: float
    earlier: int
    """minus the index: of two equally sharp frames the earlier one is kept"""
    proxy: Proxy = field(compare=False)


class Sharpest:
    """Keeps the best frames of the shot in hand and hands them out when the shot is over."""

    def __init__(
        self, maker: ProxyMaker, per_shot: int, latency: int, sharpness: Callable[[NDArray[np.uint8]], float]
    ) -> None:
        """latency: frames after which a cut is reported at the latest; those wait before they are judged."""
        self._maker, self._per_shot, self._sharpness = maker, per_shot, sharpness
        self._hold = latency + IN_FLIGHT
        self._waiting: deque[tuple[int, Shown, Future[float]]] = deque()
        self._best: list[_Candidate] = []
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="sharpness")

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def show(self, count: int, frame: Shown, cuts: list[int]) -> Iterator[Proxy]:
        """The next frame, which is the `count`th shown; `cuts` are those that it made certain.

        Yields the proxies of shots that ended, in order of pts.
        """
        self._waiting.append((count, frame, self._pool.submit(self._measure, frame)))
        yield from self._end_shots(cuts)
        while len(self._waiting) > self._hold:
            self._judge_next()

    def finish(self, cuts: list[int]) -> Iterator[Proxy]:
        """The end of the stream."""
        yield from self._end_shots(cuts)
        while self._waiting:
            self._judge_next()
        yield from self._hand_out()

    def _end_shots(self, cuts: list[int]) -> Iterator[Proxy]:
        for cut in cuts:
            while self._waiting and self._waiting[0][0] < cut:
                self._judge_next()
            yield from self._hand_out()

    def _measure(self, frame: Shown) -> float:
        return self._sharpness(self._maker.renderer.gray(frame.picture, self._maker.shape(frame)))

    def _judge_next(self) -> None:
        _, frame, measured = self._waiting.popleft()
        value = measured.result()
        full = len(self._best) >= self._per_shot
        if full and (value, -frame.index) <= (self._best[0].sharpness, self._best[0].earlier):
            return
        candidate = _Candidate(value, -frame.index, self._maker.make(frame))
        if full:
            heapq.heapreplace(self._best, candidate)
        else:
            heapq.heappush(self._best, candidate)

    def _hand_out(self) -> Iterator[Proxy]:
        yield from sorted((candidate.proxy for candidate in self._best), key=lambda proxy: proxy.pts)
        self._best.clear()
