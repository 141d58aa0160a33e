"""The process behind `program.Forge`: imports everything once, then forks a child for each command it is sent."""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """A request a line on stdin, a number a line on stdout."""
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = os.fork()
            if answer == 0:
                _command(request["start"], Path(request["said"]))
        elif "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            _warm()
            answer = 0
        print(answer, flush=True)


def _warm() -> None:
    import cv2
    import numpy as np

    import frame_pipeline.commands.display
    import frame_pipeline.commands.run
    import frame_pipeline.launch  # noqa: F401
    from frame_pipeline.quality.measures import measure

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # threads would be missing in the children
    measure(np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8))
    cv2.setNumThreads(threads)


def _command(words: list[str], said: Path) -> None:
    from frame_pipeline.cli import main as frame_pipeline

    for number, end in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(said.with_suffix(end), os.O_WRONLY | os.O_CREAT, 0o644), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["frame-pipeline", *words]
    try:
        frame_pipeline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
