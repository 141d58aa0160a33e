"""The store as a Dagster resource."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from frame_pipeline.store.lake import Lake, open_lake
from frame_pipeline.store.layout import store_root


class StoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folder of results. One connection a process serves every step."""

    root: str = Field("", description="folder of the store; empty takes FRAME_PIPELINE_STORE, else ./store")

    def lake(self) -> Lake:
        """The open store. Raises StoreUnavailable."""
        return open_lake(store_root(self.root))
