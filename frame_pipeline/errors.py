"""One exception class per cause; each prints as one plain sentence that says what to do."""

from __future__ import annotations

import errno
import shutil
from os import PathLike

_FULL = ("no space left on device", "database or disk is full", "disk quota exceeded")
NO_ROOM_BYTES = 2**20
_READ_ONLY = ("read-only file system", "readonly database", "permission denied", "read-only")


class FramePipelineError(Exception):
    """`subject: what (hint)`, where the subject is the input, option or folder that it happened to."""

    def __init__(self, subject: str | PathLike[str], what: str, *, hint: str = "") -> None:
        # A file may be called anything; what a terminal would act on is shown as an escape.
        self.subject = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(subject))
        self.what, self.hint = what, hint
        super().__init__(f"{self.subject}: {what} ({hint})" if hint else f"{self.subject}: {what}")


class SettingsError(FramePipelineError):
    """A wrong option, value, preset or statement: the person has to ask differently."""


class UnreadableSource(FramePipelineError):
    """A path that is missing, forbidden, empty or leads nowhere."""


class UnreadableVideo(FramePipelineError):
    """A file that can be read but not decoded as a video."""


class EmptyRange(FramePipelineError):
    """The wanted part of a video lies outside it."""


class SourceChanged(FramePipelineError):
    """The file of a known video has moved away or holds something else now."""


class MissingInput(FramePipelineError):
    """A stage was asked for whose upstream rows are not in the store."""


class StoreUnavailable(FramePipelineError):
    """The store cannot be opened or written; nothing else in the batch can succeed either."""


class StoreFull(StoreUnavailable):
    """The disk of the store is full."""


def _has_no_room(store: str | PathLike[str]) -> bool:
    try:
        return shutil.disk_usage(store).free < NO_ROOM_BYTES
    except OSError:
        return False


def first_line(error: BaseException) -> str:
    """What an error of somebody else says, as one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def storage_error(store: str | PathLike[str], error: BaseException) -> StoreUnavailable | None:
    """The store's sentence for an error whose chain of causes is a full or read-only disk, else None.

    SQLite, DuckDB, Dagster and the operating system each have their own exception for the same event, so
    the chain is searched for errno values and for the words they all use.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, StoreUnavailable):
            return cause
        text, code = str(cause).lower(), getattr(cause, "errno", None)
        full = code in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in _FULL)
        # SQLite says no more than this when its shared memory file finds no room.
        if full or ("disk i/o error" in text and _has_no_room(store)):
            return StoreFull(store, "the disk is full", hint="make room and run again; finished videos are kept")
        if code == errno.EROFS or any(words in text for words in _READ_ONLY):
            return StoreUnavailable(store, "cannot be written", hint="choose a writable folder with --store")
        cause = cause.__cause__ or cause.__context__
    return None
