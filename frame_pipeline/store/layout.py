"""Where things lie inside a store's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STORE = "store"
STORE_VARIABLE = "FRAME_PIPELINE_STORE"


def store_root(path: str | os.PathLike[str] | None = None) -> Path:
    """The store's folder: what was asked for, else FRAME_PIPELINE_STORE, else ./store."""
    return Path(path or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE).expanduser().absolute()


@dataclass(frozen=True)
class Layout:
    """The paths of one store. `proxies` paths in rows are relative to `root`, so a store can be moved."""

    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.sqlite"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def proxies(self) -> Path:
        return self.root / "proxies"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    def result_folder(self, video_id: str, config_hash: str) -> Path:
        """The folder for the files of one result."""
        return self.proxies / video_id / config_hash
