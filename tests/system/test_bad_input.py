"""Whatever is given as a source: frames, or one plain sentence, and the rest of the batch goes on."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import pytest

from tests.conftest import REAL_CLIPS
from tests.media import Clip
from tests.system.contents import assert_whole
from tests.system.files import distinct, no_video
from tests.system.program import Answer, call

DAMAGED = {"decord_corrupted.mp4": "corrupt", "derived_truncated_juggle.mp4": "truncated"}
NO_VIDEOS = {
    "derived_empty.mp4": "empty",
    "derived_random_bytes.mp4": "not a video",
    "derived_truncated_header_only.mp4": "not a video",
    "tc_audio_only.mp3": "no video stream",
    "manifest.csv": "video",
}
REAL = sorted(path.name for path in REAL_CLIPS.iterdir()) if REAL_CLIPS.is_dir() else ["absent"]


@pytest.fixture(scope="module")
def real(media_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """All real clips, given as files to one run."""
    root = tmp_path_factory.mktemp("real") / "store"
    answer = call("run", *[media_folder / name for name in REAL], "--store", root, "--json")
    assert_whole(root)
    return answer


def shown(path: Path) -> tuple[list[int], Fraction]:
    """pts of the frames that a plain decode shows before its first error, and their time base."""
    found: list[int] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        with suppress(av.FFmpegError):
            for frame in container.decode(stream):
                found.append(cast(int, frame.pts))
        return found, Fraction(stream.time_base or 1)


def each_second(pts: list[int], time_base: Fraction) -> int:
    """How many frames are nearest to a full second after the first; the earlier one of two, each once."""
    last_gap = pts[-1] - pts[-2] if len(pts) > 1 else 0
    chosen, point = set(), Fraction(pts[0])
    while point <= pts[-1] + Fraction(last_gap, 2):
        chosen.add(min(pts, key=lambda at: (abs(at - point), at)))
        point += 1 / time_base
    return len(chosen)


@pytest.mark.media
@pytest.mark.parametrize("name", [name for name in REAL if name not in {**DAMAGED, **NO_VIDEOS}])
def test_a_real_clip_gives_a_frame_for_each_second(name: str, real: Answer, media_folder: Path) -> None:
    video = real.videos[name]
    assert (video["status"], video["error"]) == ("ok", None)
    expected = each_second(*shown(media_folder / name))
    assert [video["stages"][stage]["rows"] for stage in ("frames", "metrics")] == [expected, expected]


@pytest.mark.media
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_clip_keeps_what_is_there_and_says_what_is_not(name: str, real: Answer, media_folder: Path) -> None:
    video = real.videos[name]
    assert video["status"] == "ok"
    assert DAMAGED[name] in video["error"]
    assert video["stages"]["frames"]["rows"] >= each_second(*shown(media_folder / name)) >= 2
    assert video["stages"]["metrics"]["rows"] == video["stages"]["frames"]["rows"]


@pytest.mark.media
@pytest.mark.parametrize("name", NO_VIDEOS)
def test_what_is_no_video_is_refused_in_one_sentence(name: str, real: Answer) -> None:
    video = real.videos[name]
    assert video["status"] == "failed"
    assert NO_VIDEOS[name] in video["error"]
    assert "\n" not in video["error"]
    assert {entry["rows"] for entry in video["stages"].values()} <= {0}


@pytest.mark.media
def test_a_batch_with_what_is_no_video_goes_on_without_a_traceback(real: Answer, media_folder: Path) -> None:
    assert real.code == 1
    assert "Traceback" not in real.stderr
    assert len(real.json["videos"]) == len(list(media_folder.iterdir()))


def _loop(folder: Path) -> Path:
    (folder / "a.mp4").symlink_to(folder / "b.mp4")
    (folder / "b.mp4").symlink_to(folder / "a.mp4")
    return folder / "a.mp4"


def _broken_link(folder: Path) -> Path:
    (folder / "link.mp4").symlink_to(folder / "nothing.mp4")
    return folder / "link.mp4"


def _empty_file(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def _text_folder(folder: Path) -> Path:
    for name in ("notes.txt", "list.csv", ".hidden.mp4"):
        (folder / name).write_text("text")
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def _socket(folder: Path) -> Path:
    os.chdir(folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.mp4")
    return folder / "s.mp4"


def _playlist(folder: Path) -> Path:
    (folder / "text.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n")
    return folder / "text.mp4"


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing file": (lambda folder: folder / "missing.mp4", "there is no such file or folder"),
    "missing folder": (lambda folder: folder / "a" / "b", "there is no such file or folder"),
    "below a file": (lambda folder: _empty_file(folder) / "clip.mp4", "cannot be read"),
    "name too long": (lambda folder: folder / ("x" * 300), "file name too long"),
    "empty folder": (lambda folder: folder, "holds no video files"),
    "folder of text": (_text_folder, "holds no video files"),
    "empty file": (_empty_file, "the file is empty"),
    "loop of links": (_loop, "symbolic links"),
    "broken link": (_broken_link, "the link leads nowhere"),
    "text": (lambda folder: no_video(folder / "text.mp4"), "not a video"),
    "text without suffix": (lambda folder: no_video(folder / "text"), "not a video"),
    "playlist": (_playlist, "text.mp4"),
    "pipe": (_pipe, "neither a file nor a folder"),
    "socket": (_socket, "neither a file nor a folder"),
    "device": (lambda _: Path(os.devnull), "neither a file nor a folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_source_is_one_sentence_and_the_good_one_beside_it_is_done(
    case: str, short: Clip, tmp_path: Path
) -> None:
    make, words = BAD[case]
    folder = tmp_path / "films"
    folder.mkdir()
    bad = make(folder)

    answer = call("run", bad, short.path, "--store", tmp_path / "store", "--json")

    assert answer.code == 1
    [failed, good] = sorted(answer.json["videos"], key=lambda video: video["status"])
    assert (failed["status"], failed["source"]) == ("failed", str(bad))
    assert words in failed["error"]
    assert "\n" not in failed["error"]
    assert "unforeseen" not in failed["error"]
    assert (good["status"], good["source"]) == ("ok", str(short.path))
    if failed["video_id"] is None:
        assert answer.sentences == [failed["error"]]


@pytest.mark.parametrize("case", ["loop of links", "broken link", "empty file", "pipe", "text"])
def test_a_folder_that_holds_something_bad_gives_what_is_good(case: str, short: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    good = [distinct(short, folder / name, number) for number, name in enumerate(["0.mp4", "c/m.mov", "z.mkv"])]
    BAD[case][0](folder)

    answer = call("run", folder, "--store", tmp_path / "store", "--json", "--upto", "frames")

    assert answer.code == 1
    done = {video["source"] for video in answer.json["videos"] if video["status"] == "ok"}
    assert done == {str(path) for path in good}


def test_a_bad_file_is_said_once_on_stderr_without_json(short: Clip, tmp_path: Path) -> None:
    answer = call("run", no_video(tmp_path / "bad.mp4"), short.path, tmp_path / "absent", "--store", tmp_path / "store")
    assert answer.code == 1
    assert [line.split(":")[0] for line in answer.sentences] == [str(tmp_path / "absent"), str(tmp_path / "bad.mp4")]


def test_a_failed_video_is_tried_again_when_asked_again(short: Clip, tmp_path: Path) -> None:
    words = ["run", no_video(tmp_path / "bad.mp4"), "--store", tmp_path / "store", "--json"]
    first, second = call(*words), call(*words)
    assert first.statuses() == second.statuses() == {
        "raw_video": {"failed"}, "frames": {"skipped"}, "metrics": {"skipped"},
    }  # fmt: skip
    assert first.json == {**second.json, "videos": first.json["videos"]}
    assert first.json["videos"][0]["error"] == second.json["videos"][0]["error"]


def test_a_folder_that_links_to_itself_is_walked_once(short: Clip, tmp_path: Path) -> None:
    film = distinct(short, tmp_path / "films" / "deep" / "film.mp4", 1)
    (film.parent / "up").symlink_to(tmp_path / "films")
    (film.parent / "again").symlink_to(film.parent)
    answer = call("run", tmp_path / "films", "--store", tmp_path / "store", "--json", "--upto", "raw_video")
    assert (answer.code, answer.sentences) == (0, [])
    assert [video["source"] for video in answer.json["videos"]] == [str(film)]


def test_the_store_inside_the_folder_is_not_searched(short: Clip, tmp_path: Path) -> None:
    distinct(short, tmp_path / "films" / "film.mp4", 1)
    distinct(short, tmp_path / "films" / "store" / "downloads" / "other.mp4", 2)
    answer = call("run", tmp_path / "films", "--store", tmp_path / "films" / "store", "--json", "--upto", "raw_video")
    assert [Path(video["source"]).name for video in answer.json["videos"]] == ["film.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_one_sentence(short: Clip, tmp_path: Path) -> None:
    film = distinct(short, tmp_path / "film.mp4", 1)
    film.chmod(0)
    answer = call("run", film, short.path, "--store", tmp_path / "store", "--json")
    assert answer.code == 1
    assert answer.sentences == [f"{film}: cannot be read: permission denied"]


NAMES = [
    "with space.mp4", " .mp4", "it's.mp4", 'say "cheese".mp4', "größe-日本語-🎬.mp4", "100%.mp4", "%d.mp4",
    "%03d.jpg.mp4", "#1.mp4", "a:b.mp4", "file:c.mp4", "http:x.mp4", "concat:a|b.mp4", "new\nline.mp4", "tab\t.mp4",
    "back\\slash.mp4", "$HOME.mp4", "-rf.mp4", "a;b&c.mp4", "[red]x.mp4", "[bold].mp4", "{0}.mp4", "*?.mp4", "~.mp4",
    "UPPER.MP4", "x" * 200 + ".mp4", "y" * 251 + ".mp4", "e\u0301.mp4", "\u202egpj.mp4", "é.mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def named(short: Clip, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """Videos with such names, alone in a folder with such a name."""
    folder = tmp_path_factory.mktemp("named") / "it's 100% [bold]#ü\n"
    for number, name in enumerate(NAMES):
        distinct(short, folder / name, number)
    store = folder.parent / "store 'of' 100% #ü\n"
    return call("run", folder, "--store", store, "--json", "--upto", "frames")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_may_be_anything(name: str, named: Answer) -> None:
    assert named.videos[name]["status"] == "ok", named.videos[name]["error"]
    assert named.videos[name]["stages"]["frames"]["rows"] >= 1


def test_the_store_with_an_odd_name_is_whole(named: Answer) -> None:
    assert (named.code, named.sentences) == (0, [])
    assert assert_whole(Path(named.json["store"])) == 2 * len(NAMES)


@pytest.mark.parametrize("json", [True, False], ids=["json", "table"])
def test_a_name_that_is_no_text_does_not_stop_the_batch(json: bool, short: Clip, tmp_path: Path) -> None:
    films = tmp_path / "films"
    distinct(short, films / os.fsdecode(b"caf\xe9.mp4"), 1)
    distinct(short, films / "good.mp4", 2)
    answer = call("run", films, "--store", tmp_path / "store", "--upto", "frames", *["--json"] * json)
    assert "Traceback" not in answer.stderr
    assert "Unicode" not in answer.stderr
    assert "good" in answer.stdout
    assert assert_whole(tmp_path / "store") >= 2


@pytest.mark.parametrize("name", ["new\nline.mp4", "[red]x.mp4", "e\x1b[31mred.mp4"], ids=ascii)
def test_a_bad_file_with_an_odd_name_is_one_sentence(name: str, tmp_path: Path) -> None:
    answer = call("run", no_video(tmp_path / name), "--store", tmp_path / "store")
    assert answer.code == 1
    assert len(answer.sentences) == 1
    assert "not a video" in answer.stderr
