"""Words of a person become options; a wrong one is answered with the nearest right name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frame_pipeline.config import FramesOptions, PipelineOptions
from frame_pipeline.errors import SettingsError
from frame_pipeline.settings import load_options, nearest, preset_names
from frame_pipeline.stages import plan


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_preset_loads_and_sets_nothing_in_vain(name: str) -> None:
    options = load_options(name)
    assert options.frames.idle() == options.metrics.idle() == []
    assert (options == PipelineOptions()) == (name == "default")


def test_the_shipped_presets_are_those_that_are_documented() -> None:
    assert set(preset_names()) >= {"default", "dense", "every-frame", "quick", "best-of-shot"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("frames.interval_s=0.5", FramesOptions(interval_s=0.5)),
        (" frames.nth = 3 ", FramesOptions(nth=3)),
        ("frames.method=scene", FramesOptions(method="scene")),
        ("frames.end_s=none", FramesOptions()),
        ("frames.end_s=", FramesOptions()),
        ("frames.shot_threshold=NULL", FramesOptions()),
        ("frames.long_side=0", FramesOptions(long_side=0)),
    ],
)
def test_words_set_options(word: str, expected: FramesOptions) -> None:
    assert load_options(overrides=[word]).frames == expected


def test_words_win_over_the_preset_and_later_words_over_earlier_ones() -> None:
    assert load_options("dense").frames.interval_s == 0.25
    words = ["frames.interval_s=3", "frames.interval_s=4"]
    assert load_options("dense", words).frames.interval_s == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["frame.nth=3"], "frame: there is no such stage (did you mean frames?)"),
        (["metric.long_side=3"], "metric: there is no such stage (did you mean metrics?)"),
        (["frames.intervall=3"], "frames.intervall: there is no such option (did you mean frames.interval_s?)"),
        (["frames.longside=3"], "frames.longside: there is no such option (did you mean frames.long_side?)"),
        (["raw_video.speed=3"], "raw_video.speed: there is no such option (raw_video has no options)"),
        (["frames.method=keyframe"], "did you mean keyframes?"),
        (["frames.method=every-nth"], "did you mean every_nth?"),
        (["frames.shots=adaptiv"], "did you mean adaptive?"),
        (["frames.nth=two"], "frames.nth=two: "),
        (["frames.interval_s=0"], "frames.interval_s=0: input should be greater than 0"),
        (["frames.interval_s=nan"], "frames.interval_s=nan: "),
        (["frames.interval_s="], "frames.interval_s"),
        (["frames.start_s=5", "frames.end_s=2"], "end_s must be greater than start_s"),
        (["frames.nth"], "--set frames.nth: is not of the form stage.option=value"),
        (["nth=3"], "--set nth=3: is not of the form stage.option=value"),
        (["=3"], "is not of the form stage.option=value"),
        ([".nth=3"], "is not of the form stage.option=value"),
    ],
    ids=lambda of: " ".join(of) if isinstance(of, list) else "",
)
def test_a_wrong_word_is_answered_in_one_sentence_with_the_right_name(words: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_options(overrides=words)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=40))
def test_no_word_raises_anything_but_a_settings_error(word: str) -> None:
    for text in (word, f"frames.{word}=1", f"frames.nth={word}", f"frames.method={word}", f"{word}.nth=1"):
        try:
            load_options(overrides=[text])
        except SettingsError as refused:
            assert str(refused)


def test_an_unknown_preset_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match=r"there is no such preset \(did you mean dense\? Presets: best-of-shot, "):
        load_options("dens")


def test_an_unknown_stage_to_stop_at_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="did you mean metrics"):
        plan(PipelineOptions(), upto="metrcs")
    assert [stage.name for stage in plan(PipelineOptions(), upto="frames")] == ["raw_video", "frames"]


def preset(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_preset_of_ones_own_is_a_file(tmp_path: Path) -> None:
    mine = preset(tmp_path, "frames:\n  method: every_nth\n  nth: 4\nmetrics:\n")
    assert load_options(mine).frames == FramesOptions(method="every_nth", nth=4)
    assert load_options(mine, ["frames.nth=8"]).frames.nth == 8
    assert load_options(preset(tmp_path, "")) == PipelineOptions()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("frames: [1, 2]", "a preset holds stages, each with its options"),
        ("- frames", "a preset holds stages, each with its options"),
        ("frames: {nth: 3", "the preset is not valid YAML"),
        ("frame: {nth: 3}", "frame: there is no such stage (did you mean frames?)"),
        ("frames: {nht: 3}", "frames.nht: there is no such option (did you mean frames.nth?)"),
        ("frames: {nth: [3]}", "frames.nth"),
        ("frames: {1: 3}", "there is no such option"),
        ("frames: {nth: \x07}", "the preset is not valid YAML"),
    ],
)
def test_a_wrong_preset_is_answered_in_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_options(preset(tmp_path, text))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_preset_that_cannot_be_read_is_answered_in_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path / "folder.yaml", tmp_path / "binary.yaml"):
        if path.stem == "folder":
            path.mkdir()
        if path.stem == "binary":
            path.write_bytes(b"\xff\xfe\x00\xd8" * 9)
        with pytest.raises(SettingsError, match=path.name):
            load_options(str(path))


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=5))
def test_the_nearest_name_is_always_one_of_the_right_ones(word: str, right: list[str]) -> None:
    assert nearest(word, right) in right
