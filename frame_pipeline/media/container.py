"""Opening video files: local ones only, with every failure as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from frame_pipeline.errors import UnreadableVideo

# A playlist in a file with a video's name must not make the reader open other files or addresses.
LOCAL_ONLY = {"protocol_whitelist": "file"}


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first real video stream. Raises UnreadableVideo."""
    try:
        container = av.open(f"file:{path}", options=LOCAL_ONLY, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnreadableVideo(path, f"is not a video that can be opened: {reason(error)}") from None
    with container:
        streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        if not streams:
            hint = "audio files are not supported" if container.streams.audio else ""
            raise UnreadableVideo(path, "has no video stream", hint=hint)
        stream = streams[0]
        if stream.codec_context is None:
            raise UnreadableVideo(path, "its video codec is not supported by this build of PyAV")
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        # AUTO allows frame threads. They may swallow the error at the end of a cut-off file, which is why every
        # full decode is compared with the packets in the file (see media.damage).
        stream.thread_type = "AUTO"
        yield container, stream


def reason(error: BaseException) -> str:
    """FFmpeg's own words without numbers and file name."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words[0].lower() + words[1:]
