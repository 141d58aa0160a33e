"""The stages run alone, without a store: what they leave in their output, as plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pyarrow as pa

from frame_pipeline.config import FramesOptions, RawVideoOptions
from frame_pipeline.media.frames import Frames
from frame_pipeline.media.raw_video import RawVideo
from frame_pipeline.progress import Silent
from frame_pipeline.quality.measures import sharpness
from frame_pipeline.stage import Output, Stage, Video
from tests.media import Image

Row = dict[str, Any]


class NoInputs:
    """Inputs of a stage that reads no rows of others; asking for some is an error."""

    def read(self, table: str, columns: list[str], batch_rows: int = 1024) -> Iterator[pa.RecordBatch]:
        raise LookupError(f"{columns} of {table} were read, {batch_rows} at a time")

    def count(self, table: str) -> int:
        raise LookupError(f"{table} was counted")

    def file(self, relative: str) -> Path:
        raise LookupError(f"{relative} was opened")


@dataclass(frozen=True)
class Extraction:
    """What the stage `frames` left for one video."""

    output: Output

    @cached_property
    def frames(self) -> list[Row]:
        return self._table("frames")

    @cached_property
    def shots(self) -> list[Row]:
        return self._table("shots")

    @property
    def pts(self) -> list[int]:
        return [row["pts"] for row in self.frames]

    @property
    def way(self) -> str:
        return cast(str, self.output.facts["way"])

    @property
    def starts(self) -> list[int]:
        """Source index of the first frame of each shot."""
        return [row["start_index"] for row in self.shots]

    def proxy(self, row: Row) -> Image:
        """The picture that a row's `path` names, RGB."""
        picture = cv2.imdecode(np.fromfile(self.output.folder / Path(row["path"]).name, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None, row["path"]
        return cast(Image, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def _table(self, name: str) -> list[Row]:
        tables = self.output.tables()
        return cast(list[Row], tables[name].read_all().to_pylist()) if name in tables else []


def extract(path: Path, folder: Path, **options: Any) -> Extraction:
    """The frames of a video under these options; proxies go to `folder`."""
    return Extraction(_computed(Frames(FramesOptions(**options), sharpness), path, folder))


def probe(path: Path, folder: Path) -> Output:
    """What `raw_video` says of a file; its row is `columns["videos"]`."""
    return _computed(RawVideo(RawVideoOptions()), path, folder)


def _computed(stage: Stage, path: Path, folder: Path) -> Output:
    output = Output(folder)
    stage.compute(Video("clip", "0" * 32, path), NoInputs(), output, Silent())
    return output
