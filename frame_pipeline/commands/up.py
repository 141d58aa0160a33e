"""`frame-pipeline up`: the Dagster UI and daemon of a store, on this machine only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import click

from frame_pipeline.automation.instance import dagster_home
from frame_pipeline.store.lake import open_lake
from frame_pipeline.store.layout import STORE_VARIABLE

HOST = "127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 20


def up_command(root: Path, dagster_port: int) -> int:
    """Runs until Ctrl-C, SIGTERM or the end of a process. Returns the exit code."""
    lake = open_lake(root)
    environment = {**os.environ, "DAGSTER_HOME": str(dagster_home(lake.layout)), STORE_VARIABLE: str(root)}
    location = ["-m", "frame_pipeline.definitions"]
    commands = [
        [sys.executable, "-m", "dagster_webserver", *location, "-h", HOST, "-p", str(dagster_port)],
        [sys.executable, "-m", "dagster._daemon", "run", *location],
    ]
    # SIGTERM, as a service manager sends it, ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    try:
        address = f"http://{HOST}:{dagster_port}"
        if _answers(address, processes):
            click.echo(f"Dagster: {address}   store: {root}   (Ctrl-C stops)")
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        click.echo("a Dagster process ended by itself; see its last lines above", err=True)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(processes)


def _answers(address: str, processes: list[subprocess.Popen[bytes]]) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return False


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
