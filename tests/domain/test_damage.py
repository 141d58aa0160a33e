"""Damage is told, never passed over in silence; what cannot be decoded at all is refused in one sentence."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import OutputContainer
from av.stream import Disposition

from frame_pipeline.errors import UnreadableVideo
from tests import media
from tests.domain.conftest import Extracted, Made
from tests.domain.extraction import extract, probe
from tests.media import Clip, Recipe

CONTAINERS = (
    media.film_23_976, media.b_frames, media.edit_list, media.mkv_ms, media.vp9_webm, media.transport_stream,
    media.avi_mpeg4_b,
)  # fmt: skip
DECLARING = tuple(recipe for recipe in CONTAINERS if recipe is not media.transport_stream)
SPARSE: tuple[dict[str, Any], ...] = ({"shots": "off"}, {"method": "keyframes"})


@pytest.mark.parametrize("recipe", CONTAINERS, ids=str)
@pytest.mark.parametrize("harm", [media.truncated, media.corrupted], ids=lambda harm: str(harm.__name__))
def test_damage_is_told_by_a_full_decode(
    harm: Callable[[Clip, Path], Path], recipe: Recipe, made: Made, tmp_path: Path
) -> None:
    clip = made(recipe)
    path = harm(clip, tmp_path)
    if recipe is media.transport_stream and harm is media.truncated:
        # One time in 188 the cut lies between two packets of the transport stream, and nothing shows it.
        os.truncate(path, path.stat().st_size // 188 * 188 - 88)
    result = extract(path, tmp_path / "proxies", method="every_frame")
    assert 0 < len(result.pts) < len(clip.pts)
    assert result.output.columns["frames"]["damage"] in ("truncated", "corrupt")
    assert result.output.columns["videos"]["status"] == result.output.columns["frames"]["damage"]
    (sentence,) = result.output.warnings
    assert result.output.columns["videos"]["error"] == sentence
    assert sentence.startswith(path.name) and "\n" not in sentence


@pytest.mark.parametrize("recipe", DECLARING, ids=str)
@pytest.mark.parametrize("keep", [0.4, 0.75])
def test_a_file_that_ends_early_is_truncated_by_any_way_through_it(
    keep: float, recipe: Recipe, made: Made, tmp_path: Path
) -> None:
    path = media.truncated(made(recipe), tmp_path, keep)
    assert probe(path, tmp_path).columns["videos"]["status"] == "truncated"
    ways = ({"method": "every_frame"}, {"method": "scene"}, SPARSE[0])
    for number, options in enumerate(ways):
        result = extract(path, tmp_path / str(number), **options)
        assert result.output.columns["frames"]["damage"] == "truncated"
        assert result.output.columns["videos"]["status"] == "truncated"


# AVI counts instead of telling times, and after a corrupt part H.264 in a transport stream is shown concealed.
IDENTIFIED = [
    *((media.truncated, recipe) for recipe in CONTAINERS if recipe is not media.avi_mpeg4_b),
    *((media.corrupted, recipe) for recipe in (media.film_23_976, media.b_frames, media.mkv_ms, media.vp9_webm)),
]


@pytest.mark.parametrize(("harm", "recipe"), IDENTIFIED, ids=lambda of: getattr(of, "__name__", str(of)))
def test_what_is_left_of_a_damaged_file_keeps_its_identity(
    harm: Callable[[Clip, Path], Path], recipe: Recipe, made: Made, tmp_path: Path
) -> None:
    clip = made(recipe)
    result = extract(harm(clip, tmp_path), tmp_path / "proxies", method="every_frame")
    shown = dict(zip(clip.pts, clip.numbers, strict=True))
    assert clip.pts[0] in result.pts
    assert [media.number(result.proxy(row)) for row in result.frames] == [shown[pts] for pts in result.pts]


@pytest.mark.parametrize("options", [{"method": "every_frame"}, *SPARSE], ids=str)
@pytest.mark.parametrize("recipe", media.ALL, ids=str)
def test_a_whole_file_is_not_called_damaged(
    recipe: Recipe, options: dict[str, Any], made: Made, extracted: Extracted, tmp_path: Path
) -> None:
    path = made(recipe).path
    output = extracted(path, **options).output
    assert output.warnings == []
    assert output.columns["frames"] == {"damage": None}
    assert probe(path, tmp_path).columns["videos"]["status"] == "ok"


def mux_cover(container: OutputContainer) -> None:
    cover = container.add_stream("mjpeg", rate=25)
    cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
    cover.disposition = Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8)).reformat(format="yuvj420p")
    container.mux([*cover.encode(frame), *cover.encode(None)])


def audio_only(folder: Path, name: str = "talk.mp3", cover: bool = False) -> Path:
    path = folder / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp3", rate=44_100)
        if cover:
            mux_cover(container)
        for part in range(20):
            sound = np.full((1, 1152), part, np.int16)
            frame = av.AudioFrame.from_ndarray(sound, format="s16p", layout="mono")
            frame.sample_rate, frame.pts = 44_100, part * 1152
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def without_index(folder: Path) -> Path:
    """An mp4 whose header and index were never written: the process that wrote it was killed."""
    clip = media.b_frames(folder)
    whole = clip.path.read_bytes()
    return written("unfinished.mp4", whole[:32] + whole[whole.index(b"mdat") - 4 :])(folder)


def without_a_picture(folder: Path) -> Path:
    return media.truncated(media.b_frames(folder), folder, keep=0.0)


NOT_VIDEOS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "sound": (audio_only, "has no video stream (audio files are not supported)"),
    "a song with a cover": (lambda folder: audio_only(folder, "song.mp3", cover=True), "has no video stream"),
    "nothing": (written("empty.mp4", b""), "is not a video that can be opened"),
    "noise": (written("noise.mp4", np.random.default_rng(3).bytes(5000)), "is not a video that can be opened"),
    "text": (written("notes.mp4", b"a letter, not a film\n" * 50), ""),
    "no index": (without_index, "is not a video that can be opened"),
    "no picture": (without_a_picture, "no frame can be decoded|has no frames"),
    "a playlist": (written("list.mp4", b"#EXTM3U\n#EXTINF:9,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n"), ""),
    "missing": (lambda folder: folder / "gone.mp4", "is not a video that can be opened: no such file or directory"),
}


@pytest.mark.parametrize("kind", NOT_VIDEOS)
def test_what_is_not_a_video_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, words = NOT_VIDEOS[kind]
    path = make(tmp_path)
    for attempt in (
        lambda: probe(path, tmp_path / "probe"),
        lambda: extract(path, tmp_path / "full"),
        lambda: extract(path, tmp_path / "keyframes", method="keyframes"),
        lambda: extract(path, tmp_path / "seek", shots="off"),
    ):
        with pytest.raises(UnreadableVideo) as refused:
            attempt()
        sentence = str(refused.value)
        assert sentence.startswith(f"{path}: ") and "\n" not in sentence
        assert any(part in sentence for part in words.split("|"))


@pytest.mark.parametrize("options", [{}, {"method": "keyframes"}, {"shots": "off"}, {"method": "scene"}], ids=str)
def test_frames_without_timestamps_are_refused(options: dict[str, Any], made: Made, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideo, match=r"its frames carry no timestamps \(put it into a container first"):
        extract(made(media.raw_h264).path, tmp_path / "proxies", **options)


def test_an_avi_with_shuffled_times_is_refused_or_right(made: Made, tmp_path: Path) -> None:
    clip = made(media.avi_h264_b)
    try:
        result = extract(clip.path, tmp_path / "proxies", method="every_frame")
    except UnreadableVideo as refused:
        assert "timestamps" in str(refused)
    else:
        assert [media.number(result.proxy(row)) for row in result.frames] == list(clip.numbers)


def test_a_cover_picture_is_not_the_video(made: Made, tmp_path: Path) -> None:
    film, path = made(media.b_frames), tmp_path / "covered.mp4"
    with av.open(str(film.path)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        mux_cover(container)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                container.mux(packet)
    with av.open(str(path)) as container:
        assert {stream.codec_context.name for stream in container.streams.video} == {"mjpeg", "h264"}
    assert extract(path, tmp_path / "proxies", method="every_frame").pts == list(film.pts)


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "frames", "damage"),
    [("derived_truncated_juggle.mp4", 57, "truncated"), ("decord_corrupted.mp4", 28, "corrupt")],
)
def test_real_damaged_clips_give_what_is_left_of_them(
    name: str, frames: int, damage: str, media_folder: Path, tmp_path: Path
) -> None:
    result = extract(media_folder / name, tmp_path / "proxies", method="every_frame", long_side=64)
    assert len(result.pts) == frames
    assert result.output.columns["frames"] == {"damage": damage}
    assert result.output.facts["decoded"] == frames


@pytest.mark.media
@pytest.mark.parametrize("options", [{"method": "every_frame", "shots": "off"}, *SPARSE], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "tc_discard_first_keyframe.mp4", "psd_counter.mp4", "psd_delayed_start.mp4", "tc_nasa_13013.mp4", "tc_vp9.webm",
        "tc_av1.mkv", "tc_odd_hw_444.mp4", "tc_non_zero_start.mp4", "moviepy_no_duration.webm", "intel_asl_sister.mkv",
        "moviepy_failing_audio.mp4", "tc_bt2020_10bit.mp4", "decord_rot90.mov", "moviepy_chaplin.mp4",
    ],
)  # fmt: skip
def test_real_whole_clips_are_not_called_damaged(
    name: str, options: dict[str, Any], media_folder: Path, tmp_path: Path
) -> None:
    output = extract(media_folder / name, tmp_path / "proxies", long_side=64, **options).output
    assert output.warnings == []
    assert output.columns["frames"] == {"damage": None}


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tc_audio_only.mp3", "has no video stream (audio files are not supported)"),
        ("derived_empty.mp4", "is not a video that can be opened"),
        ("derived_random_bytes.mp4", "is not a video that can be opened"),
        ("derived_truncated_header_only.mp4", "is not a video that can be opened"),
    ],
)
def test_real_files_that_are_no_videos_are_refused(name: str, words: str, media_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideo) as refused:
        probe(media_folder / name, tmp_path)
    assert words in str(refused.value)
