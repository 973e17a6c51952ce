"""The method that a configuration chooses: what it needs, and the object itself."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.cli._build import build, locate
from giftune.clip import Clip


def learns(config: Mapping[str, Any]) -> bool:
    """Whether the method is tuned on the clip before it draws."""
    return hasattr(_target(config), "prepare")


def has_backbone(config: Mapping[str, Any]) -> bool:
    """Whether the method works with the text-to-image model of `backbone=`, or brings its own."""
    return "backbone" in inspect.signature(_target(config)).parameters


def is_controlled(config: Mapping[str, Any]) -> bool:
    """Whether the method is given structure of the clip by another network."""
    control = config["method"].get("control") or {}
    return "weights" in control


def build_method(config: Mapping[str, Any]) -> Any:
    """The method, on its backbone if it has one, which is built once."""
    if not has_backbone(config):
        return build(config["method"], "method")
    return build(config["method"], "method", backbone=build(config["backbone"], "backbone"))


def offered_prompts(config: Mapping[str, Any], clip: Clip) -> list[str]:
    """The prompts of which a method has results already, if it is one of that kind."""
    return build_method(config).prompts_for(clip) if hasattr(_target(config), "prompts_for") else []


def loaded_method(config: Mapping[str, Any], weights: Path) -> Any:
    """The method with these weights, if it is one that learns."""
    method = build_method(config)
    if learns(config):
        method.load(weights)
    return method


def _target(config: Mapping[str, Any]) -> Any:
    return locate(config["method"]["_target_"], "method")
