"""From words on a command line or in a preset file to options, with the nearest right name when one is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from frame_pipeline.config import PipelineOptions, StageOptions
from frame_pipeline.errors import SettingsError

STAGE_OPTIONS: dict[str, type[StageOptions]] = {
    name: field.annotation
    for name, field in PipelineOptions.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, StageOptions)
}


def preset_names() -> list[str]:
    """The presets that come with the project."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _shipped().iterdir() if entry.name.endswith(".yaml"))


def load_options(preset: str = "default", overrides: Iterable[str] = ()) -> PipelineOptions:
    """A preset (a shipped name or the path of a YAML file) with `stage.option=value` words applied over it.

    Raises SettingsError naming the nearest right name for an unknown preset, stage or option.
    """
    chosen = _preset(preset)
    for word in overrides:
        stage, option, value = _split(word)
        chosen.setdefault(stage, {})[option] = value
    return options_from(chosen)


def options_from(chosen: Mapping[str, Mapping[str, Any]]) -> PipelineOptions:
    """Options from {stage: {option: value}}; values may be text."""
    for stage, options in chosen.items():
        _known(stage, STAGE_OPTIONS, "stage")
        for option in options or {}:
            _known(option, STAGE_OPTIONS[stage].model_fields, "option", prefix=f"{stage}.")
    try:
        return PipelineOptions.model_validate({stage: options or {} for stage, options in chosen.items()})
    except ValidationError as error:
        raise _wrong_value(error) from None


def nearest(word: str, right: Iterable[str]) -> str:
    """The entry of `right` that looks most like `word`; the first of them when none does."""
    names = list(right)
    return (difflib.get_close_matches(word, names, n=1, cutoff=0.0) or names)[0]


def _shipped() -> Any:
    return files("frame_pipeline") / "presets"


def _preset(name: str) -> dict[str, dict[str, Any]]:
    if name in preset_names():
        text = (_shipped() / f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith((".yaml", ".yml")):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(name, f"the preset cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise SettingsError(name, "the preset is not UTF-8 text") from None
    else:
        hint = f"did you mean {nearest(name, preset_names())}? Presets: {', '.join(preset_names())}, or a .yaml file"
        raise SettingsError(f"--preset {name}", "there is no such preset", hint=hint)
    try:
        loaded = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(name, f"the preset is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict) or not all(isinstance(options or {}, dict) for options in loaded.values()):
        raise SettingsError(name, "a preset holds stages, each with its options", hint="see presets/dense.yaml")
    return {
        str(stage): {str(option): value for option, value in (options or {}).items()}
        for stage, options in loaded.items()
    }


def _split(word: str) -> tuple[str, str, Any]:
    name, equals, text = word.partition("=")
    stage, dot, option = name.strip().partition(".")
    if not (equals and dot and stage and option):
        raise SettingsError(f"--set {word}", "is not of the form stage.option=value", hint="e.g. frames.interval_s=2")
    value = text.strip()
    return stage, option, None if value.lower() in ("", "none", "null") else value


def _known(word: str, right: Mapping[str, object], kind: str, prefix: str = "") -> None:
    if word not in right:
        if not right:
            raise SettingsError(f"{prefix}{word}", f"there is no such {kind}", hint=f"{prefix[:-1]} has no options")
        near = nearest(word, right)
        raise SettingsError(f"{prefix}{word}", f"there is no such {kind}", hint=f"did you mean {prefix}{near}?")


def _wrong_value(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "options"
    message = str(first["msg"]).removeprefix("Value error, ")
    given = first.get("input")
    if isinstance(given, BaseModel | dict):
        return SettingsError(name, message)
    hint = ""
    if first["type"] == "literal_error" and isinstance(given, str):
        choices = str(first["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        hint = f"did you mean {nearest(given, choices)}?"
    return SettingsError(f"{name}={given}", message[0].lower() + message[1:], hint=hint)
