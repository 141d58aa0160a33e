"""How long work says how far it is: the domain reports, whoever runs it decides where that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Receives the state of the work in hand. Calls are cheap and come from one thread."""

    def start(self, what: str, total: int | None, unit: str) -> None:
        """A new piece of work, e.g. ("juggle-1a2b3c4d frames", 247, "frame"); total None when unknown."""

    def advance(self, done: int) -> None:
        """`done` units of the current piece are finished, counted from its start."""

    def finish(self) -> None:
        """A stage of a video is over, however it went."""

    def note(self, sentence: str) -> None:
        """Something a person should know, once."""


class Silent:
    """Progress that nobody watches."""

    def start(self, what: str, total: int | None, unit: str) -> None: ...
    def advance(self, done: int) -> None: ...
    def finish(self) -> None: ...
    def note(self, sentence: str) -> None: ...


_current: ContextVar[Progress | None] = ContextVar("progress", default=None)


def watcher() -> Progress | None:
    """The progress display of the process, when one was set by `shown_on`."""
    return _current.get()


@contextmanager
def shown_on(progress: Progress) -> Iterator[Progress]:
    """Everything that runs inside this block reports to `progress`."""
    token = _current.set(progress)
    try:
        yield progress
    finally:
        _current.reset(token)
