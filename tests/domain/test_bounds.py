"""What waits is bounded: decoded frames, pictures under way and rows, however long the video is."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from frame_pipeline.config import FramesOptions
from frame_pipeline.media.decode import Walk, prefetched, walk
from frame_pipeline.media.packets import read_packets
from frame_pipeline.media.proxies import IN_FLIGHT, ProxyMaker, ProxyWriter
from frame_pipeline.stage import SPILL_BYTES, Output, Spool
from tests import media
from tests.domain.conftest import Made


class Source:
    """Numbers that know how many of them were taken."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count, self.fail_at = count, fail_at
        self.made = 0
        self.closed = threading.Event()
        self.moved = threading.Semaphore(0)

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                if number == self.fail_at:
                    raise OverflowError(f"number {number}")
                self.made += 1
                self.moved.release()
                yield number
        finally:
            self.closed.set()

    def wait_for(self, made: int) -> None:
        """Until the thread has made that many."""
        while self.made < made:
            assert self.moved.acquire(timeout=10), f"{self.made} were made, {made} were expected"


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode"]


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_everything_arrives_once_and_in_order(depth: int) -> None:
    assert list(prefetched(Source(100), depth)) == list(range(100))
    assert list(prefetched(Source(0), depth)) == []
    assert decoding_threads() == []


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_the_thread_runs_ahead_by_depth_and_one_in_hand_at_most(depth: int) -> None:
    source = Source(60)
    items = prefetched(source, depth)
    for received in range(1, 40):
        next(items)
        source.wait_for(received + depth)  # it does run ahead
        assert source.made <= received + depth + 1
    items.close()


def test_a_slow_consumer_makes_the_thread_wait() -> None:
    source = Source(1000)
    items = prefetched(source, 3)
    next(items)
    source.wait_for(1 + 3)
    threading.Event().wait(0.5)
    assert source.made <= 1 + 3 + 1
    items.close()


@pytest.mark.parametrize("place", [0, 1, 5, 20])
def test_an_error_in_the_thread_is_raised_where_its_item_would_have_been(place: int) -> None:
    received: list[int] = []
    with pytest.raises(OverflowError, match=f"number {place}"):
        received.extend(number for number in prefetched(Source(50, fail_at=place), 4))
    assert decoding_threads() == []


def test_items_before_an_error_still_arrive() -> None:
    items = prefetched(Source(50, fail_at=7), 4)
    assert [next(items) for _ in range(7)] == list(range(7))
    with pytest.raises(OverflowError):
        next(items)


@pytest.mark.parametrize("taken", [1, 5])
def test_the_thread_ends_when_its_consumer_does(taken: int) -> None:
    source = Source(1_000_000)
    items = prefetched(source, 4)
    for _ in range(taken):
        next(items)
    items.close()
    assert decoding_threads() == []
    made = source.made
    threading.Event().wait(0.05)
    assert source.made == made <= taken + 4 + 1


def test_the_thread_ends_when_its_consumer_fails() -> None:
    def consume(source: Source) -> None:
        for number in prefetched(source, 4):
            if number == 3:
                raise KeyError("the consumer")

    source = Source(1_000_000)
    with pytest.raises(KeyError, match="the consumer"):
        consume(source)
    assert source.closed.wait(10)
    assert decoding_threads() == []


def test_pictures_under_way_are_bounded(made: Made, tmp_path: Path) -> None:
    clip = made(media.ntsc_59_94)
    index = read_packets(clip.path)
    submitted, finished = 0, []
    with ProxyWriter(ProxyMaker(FramesOptions(format="png"), None), tmp_path / "proxies", "png") as writer:
        for frame in walk(clip.path, index, Walk()):
            submitted += 1
            finished += [proxy.pts for proxy in writer.submit(frame)]
            assert submitted - len(finished) <= IN_FLIGHT
        finished += [proxy.pts for proxy in writer.drain()]
    assert finished == list(clip.pts)
    assert {file.name for file in (tmp_path / "proxies").iterdir()} == {f"{pts}.png" for pts in clip.pts}


def test_a_picture_that_cannot_be_written_fails_the_stage(made: Made, tmp_path: Path) -> None:
    clip = made(media.b_frames)
    (tmp_path / "proxies" / f"{clip.pts[5]}.png").mkdir(parents=True)
    with (
        pytest.raises(OSError, match=r"directory|Permission"),
        ProxyWriter(ProxyMaker(FramesOptions(format="png"), None), tmp_path / "proxies", "png") as writer,
    ):
        for frame in walk(clip.path, read_packets(clip.path), Walk()):
            for _ in writer.submit(frame):
                pass
        list(writer.drain())
    assert [thread for thread in threading.enumerate() if thread.name.startswith("proxy")] == []


SCHEMA = pa.schema([("pts", pa.int64()), ("noise", pa.binary())])


def batch(first: int, rows: int = 100, size: int = 10_000) -> pa.RecordBatch:
    noise = [np.random.default_rng(first + row).bytes(size) for row in range(rows)]
    return pa.RecordBatch.from_pydict({"pts": list(range(first, first + rows)), "noise": noise}, SCHEMA)


def test_many_rows_wait_in_a_file_and_are_read_again_and_again(tmp_path: Path) -> None:
    output = Output(tmp_path)
    total = 0
    while total * 10_000 <= SPILL_BYTES:
        output.write("frames", batch(total))
        total += 100
    assert output.rows("frames") == total
    assert output.tables()["frames"].schema == SCHEMA
    for _ in range(2):
        read = output.tables()["frames"].read_all()
        assert read["pts"].to_pylist() == list(range(total))
    assert read.slice(0, 100).to_batches()[0].equals(batch(0))
    output.close()
    assert output.rows("frames") == 0


def test_a_spool_keeps_little_in_memory() -> None:
    before = pa.total_allocated_bytes()
    spool = Spool(SCHEMA)
    for first in range(0, 3000, 100):
        spool.write(batch(first))
    assert spool.file.tell() > SPILL_BYTES
    assert pa.total_allocated_bytes() - before < SPILL_BYTES
    assert sum(part.num_rows for part in spool.reader()) == spool.rows == 3000
    spool.file.close()


def test_tables_keep_apart_and_unknown_ones_have_no_rows(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.write("frames", batch(0, 3, 1))
    output.write("shots", batch(10, 2, 1))
    output.write("frames", batch(3, 2, 1))
    tables = {name: reader.read_all()["pts"].to_pylist() for name, reader in output.tables().items()}
    assert tables == {"frames": [0, 1, 2, 3, 4], "shots": [10, 11]}
    assert (output.rows("frames"), output.rows("shots"), output.rows("faces")) == (5, 2, 0)
