"""The Dagster instance that belongs to a store: its settings, and runs that died without saying so."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg
from filelock import FileLock

from frame_pipeline.automation.partitions import videos
from frame_pipeline.store.layout import Layout

PROCESS_TAG = "frame_pipeline/process"

# For one machine: SQLite, one run at a time, nothing sent anywhere, old ticks forgotten.
SETTINGS = """\
telemetry:
  enabled: false
nux:
  enabled: false
# Runs say what matters in their own log. Capturing stdout as well would start two helper processes per run.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    default_limit: 1
    granularity: run
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 90
"""


def dagster_home(layout: Layout) -> Path:
    """The store's DAGSTER_HOME, made with settings on first use; settings that are there are kept."""
    layout.dagster.mkdir(parents=True, exist_ok=True)
    settings = layout.dagster / "dagster.yaml"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    return layout.dagster


def open_instance(layout: Layout) -> dg.DagsterInstance:
    """The instance, with runs of dead processes of this machine marked as failed."""
    # Dagster makes its SQLite files on first use, and two processes that do so at once fail.
    with FileLock(layout.locks / "dagster.lock", is_singleton=False):
        instance = dg.DagsterInstance.from_config(str(dagster_home(layout)))
        instance.get_dynamic_partitions(str(videos.name))
        _end_dead_runs(instance)
    return instance


def _end_dead_runs(instance: dg.DagsterInstance) -> None:
    unended = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    for run in instance.get_runs(dg.RunsFilter(statuses=unended)):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and process.isdigit() and not _alive(int(process)):
            instance.report_run_failed(run, "The process of this run ended without a word; finished videos are kept.")


def process_tag() -> dict[str, str]:
    """The tag by which a later process finds out that this one is dead."""
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}"}


def _alive(process: int) -> bool:
    if os.name == "nt":
        # On Windows os.kill(pid, 0) ends the process; leave such runs to the monitor.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
