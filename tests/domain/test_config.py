"""A config hash changes with exactly what a stage reads, and stays what it was otherwise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from frame_pipeline.config import FramesOptions, MetricsOptions, PipelineOptions, RawVideoOptions, config_hash
from frame_pipeline.stages import plan


def key(**options: Any) -> str:
    return config_hash("frames", "1", FramesOptions(**options), {}, {})


# Left and right have the same effect.
SAME: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({}, {"method": "interval", "interval_s": 1.0, "shots": "auto", "format": "jpg", "quality": 90}),
    ({}, {"interval_s": 1}),
    ({}, {"shots": "adaptive"}),
    ({}, {"nth": 9}),
    ({}, {"per_shot": 9}),
    ({"method": "every_frame"}, {"method": "every_frame", "interval_s": 9.0, "nth": 9, "per_shot": 9}),
    ({"method": "every_nth"}, {"method": "every_nth", "interval_s": 9.0, "per_shot": 9}),
    ({"method": "scene"}, {"method": "scene", "interval_s": 9.0, "nth": 9}),
    ({"method": "keyframes"}, {"method": "keyframes", "shots": "off"}),
    ({"method": "keyframes"}, {"method": "keyframes", "shot_threshold": 9.0, "min_shot_frames": 9}),
    ({"shots": "off"}, {"shots": "off", "shot_threshold": 9.0, "min_shot_frames": 9}),
    ({"format": "png"}, {"format": "png", "quality": 10}),
    ({"start_s": 0}, {"end_s": None}),
)
# Each differs in effect from the defaults and from every other one.
DIFFERENT: tuple[dict[str, Any], ...] = (
    {}, {"interval_s": 2.0}, {"method": "every_frame"}, {"method": "every_nth"}, {"method": "every_nth", "nth": 9},
    {"method": "keyframes"}, {"method": "keyframes", "shots": "content"}, {"method": "scene"},
    {"method": "scene", "per_shot": 9}, {"shots": "off"}, {"shots": "content"}, {"shot_threshold": 9.0},
    {"min_shot_frames": 9}, {"start_s": 1.0}, {"end_s": 9.0}, {"long_side": 0}, {"format": "png"}, {"quality": 80},
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_options_that_are_not_read_do_not_change_the_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert key(**one) == key(**other)
    assert FramesOptions(**one).effective() == FramesOptions(**other).effective()


def test_options_that_are_read_change_the_hash() -> None:
    keys = [key(**options) for options in DIFFERENT]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        ({}, []),
        ({"interval_s": 2.0}, []),
        ({"nth": 3}, ["nth"]),
        ({"method": "scene", "interval_s": 2.0, "nth": 3}, ["interval_s", "nth"]),
        ({"method": "keyframes", "shot_threshold": 9.0}, ["shot_threshold"]),
        ({"method": "keyframes", "shots": "content", "shot_threshold": 9.0}, []),
        ({"format": "png", "quality": 50}, ["quality"]),
    ],
    ids=str,
)
def test_options_set_in_vain_are_named(options: dict[str, Any], idle: list[str]) -> None:
    assert FramesOptions(**options).idle() == idle


def test_stage_version_models_and_upstream_enter_the_hash() -> None:
    options = RawVideoOptions()
    keys = {
        config_hash("metrics", "1", options, {}, {}),
        config_hash("frames", "1", options, {}, {}),
        config_hash("metrics", "2", options, {}, {}),
        config_hash("metrics", "1", options, {"det.onnx": "ab"}, {}),
        config_hash("metrics", "1", options, {"det.onnx": "cd"}, {}),
        config_hash("metrics", "1", options, {}, {"frames": "ab"}),
        config_hash("metrics", "1", options, {}, {"frames": "cd"}),
        config_hash("metrics", "1", options, {}, {"faces": "ab"}),
    }
    assert len(keys) == 8


def test_hashes_are_the_same_in_every_process_and_release() -> None:
    assert config_hash("raw_video", "1", RawVideoOptions(), {}, {}) == "8d0e1067cb511a24"
    assert config_hash("frames", "1", FramesOptions(), {}, {}) == "e13c29187c927719"
    assert (
        config_hash("metrics", "1", MetricsOptions(), {"b": "2", "a": "1"}, {"frames": "0" * 16}) == "a88415ebb57871b8"
    )


def test_the_order_of_models_and_upstream_does_not_matter() -> None:
    one = config_hash("x", "1", MetricsOptions(), {"a": "1", "b": "2"}, {"c": "3", "d": "4"})
    assert one == config_hash("x", "1", MetricsOptions(), {"b": "2", "a": "1"}, {"d": "4", "c": "3"})


def keys_of(**options: Any) -> dict[str, str]:
    return {stage.name: stage.config_hash for stage in plan(PipelineOptions.model_validate(options))}


def test_an_option_changes_its_own_stage_and_those_that_read_it() -> None:
    plain = keys_of()
    sampled, measured = keys_of(frames={"interval_s": 2.0}), keys_of(metrics={"long_side": 100})
    assert {name for name in plain if plain[name] != sampled[name]} == {"frames", "metrics"}
    assert {name for name in plain if plain[name] != measured[name]} == {"metrics"}
    assert keys_of(frames={"nth": 9}) == plain


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_two_intervals_have_one_hash_only_when_they_are_equal(one: float, other: float) -> None:
    assert (key(interval_s=one) == key(interval_s=other)) == (one == other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_s": 0}, {"interval_s": -1}, {"interval_s": float("inf")}, {"interval_s": float("nan")}, {"nth": 0},
        {"per_shot": 0}, {"start_s": -0.1}, {"end_s": 0}, {"start_s": 2, "end_s": 2}, {"start_s": 3, "end_s": 2},
        {"quality": 0}, {"quality": 101}, {"long_side": -1}, {"method": "sometimes"}, {"shots": "perhaps"}, {"fps": 1},
        {"shot_threshold": 0}, {"min_shot_frames": 0}, {"format": "bmp"},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FramesOptions(**wrong)


def test_options_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        FramesOptions().nth = 3  # type: ignore[misc]
