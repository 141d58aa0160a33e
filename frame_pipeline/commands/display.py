"""Progress on a terminal: all videos and the piece in hand, each with rate and time left. Silent elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

REDRAW_SECONDS = 0.1


class Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        unit = task.fields.get("unit", "")
        return Text(f"{task.speed:,.0f} {unit}s/s" if task.speed and unit else "", style="cyan")


class Display:
    """A `Progress` of the domain drawn with rich on stderr."""

    def __init__(self, stages: int) -> None:
        """stages: how many (video, stage) pairs there are to do."""
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        self._rich = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._rich.add_task("all", total=stages)
        self._current = self._rich.add_task("", total=None, visible=False)
        self._drawn = 0.0

    def __enter__(self) -> Display:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()

    def start(self, what: str, total: int | None, unit: str) -> None:
        """A new piece."""
        self._rich.reset(self._current, total=total, description=what, unit=unit, visible=True)

    def advance(self, done: int) -> None:
        """Drawn a few times a second, however often it is called."""
        now = time.monotonic()
        if now - self._drawn > REDRAW_SECONDS:
            self._drawn = now
            self._rich.update(self._current, completed=done)

    def finish(self) -> None:
        """One stage of one video less to do."""
        self._rich.advance(self._all)

    def note(self, sentence: str) -> None:
        """Warnings are printed with the result, once."""
