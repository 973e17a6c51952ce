"""The map of the code, checked: who imports whom, which library belongs in which room, how long a file is."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "giftune"
FILES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# A file imports from its own room and from lower layers. `errors` lies under all of them.
LAYERS = (
    {"errors", "__init__"},
    {"clip", "io", "diffusion"},
    {"attention", "unet", "losses", "metrics", "emojiworld"},
    {"backbone", "sampling"},
    {"methods"},
    {"training", "data"},
    {"benchmark", "report"},
    {"cli"},
)
LAYER = {room: height for height, rooms in enumerate(LAYERS, start=-1) for room in rooms}
SIDEWAYS = {("io", "clip"), ("unet", "attention"), ("training", "data")}

EVERYWHERE = {"torch", "numpy", "einops", "jaxtyping"}
LIBRARIES = {
    "errors": set(),
    "__init__": set(),
    "clip": set(),
    "io": {"PIL", "av", "decord", "imageio", "safetensors"},
    "diffusion": set(),
    "attention": {"diffusers"},
    "unet": {"diffusers", "safetensors"},
    "losses": set(),
    "metrics": {"PIL", "open_clip", "safetensors", "torchmetrics", "torchvision", "transformers"},
    "emojiworld": {"PIL", "safetensors"},
    "emojiworld/pretrain": {"PIL", "diffusers", "open_clip", "pytorch_lightning", "rich", "safetensors",
                            "tokenizers", "transformers"},
    "backbone": {"diffusers", "huggingface_hub", "peft", "safetensors", "transformers"},
    "sampling": set(),
    "methods": {"diffusers", "skimage"},
    "training": {"PIL", "psutil", "pytorch_lightning", "tensorboard"},
    "data": {"omegaconf"},  # which reads YAML, for prompt sheets
    "benchmark": {"filelock", "psutil"},
    "report": {"PIL", "jinja2", "matplotlib", "scipy"},
    "cli": {"filelock", "huggingface_hub", "hydra", "omegaconf", "packaging", "rich", "wandb"},
}  # fmt: skip
LOADERS = {"from_pretrained", "from_single_file"}
MAY_LOAD = ("backbone/", "metrics/features.py", "emojiworld/pretrain/")
RANDOM = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "normal", "bernoulli"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager"}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "open_clip": "open-clip-torch",
    "hydra": "hydra-core",
    "skimage": "scikit-image",
}
UNTESTED = {"errors.py"}  # a name without behaviour


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything imported anywhere in the file, under TYPE_CHECKING and in functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: write the import in full, from giftune"
            # `from giftune import clip` names a room, `from giftune.clip import Clip` is one already
            if node.module == "giftune":
                yield from (f"giftune.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def each_file(test):
    return pytest.mark.parametrize("path", FILES, ids=name_of)(test)


@each_file
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    assert room in LAYER, f"the room {room} has no place in the layers"
    for name in imports(path):
        if not name.startswith("giftune."):
            continue
        other = name.split(".")[1]
        if other == "__version__" or other == room or (room, other) in SIDEWAYS:
            continue
        assert LAYER[other] < LAYER[room], f"{room} (layer {LAYER[room]}) may not import {name}"


@each_file
def test_libraries_belong_to_their_room(path: Path) -> None:
    room = "emojiworld/pretrain" if name_of(path).startswith("emojiworld/pretrain") else room_of(path)
    allowed = sys.stdlib_module_names | EVERYWHERE | LIBRARIES[room] | {"giftune"}
    foreign = {name.split(".")[0] for name in imports(path)} - allowed
    assert not foreign, f"{room} may not import {sorted(foreign)}"


@each_file
def test_models_are_loaded_in_few_places(path: Path) -> None:
    calls = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)} & LOADERS
    assert not calls or name_of(path).startswith(MAY_LOAD), f"{calls} outside {MAY_LOAD}"


@each_file
def test_randomness_is_an_argument(path: Path) -> None:
    if name_of(path).startswith("emojiworld/pretrain/"):
        pytest.skip("a training from one global seed, under Lightning")
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RANDOM:
            owner = ast.unparse(node.func.value)
            given = {keyword.arg for keyword in node.keywords}
            call = f"line {node.lineno}: torch.{node.func.attr}"
            assert owner != "torch" or "generator" in given, f"{call} without a generator"


@each_file
def test_diffusion_is_pure(path: Path) -> None:
    if room_of(path) == "diffusion":
        nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute | ast.Name)]
        names = {ast.unparse(node) for node in nodes}
        assert not names & {"nn.Module", "torch.nn.Module", "open", "Path", "torch.cuda"}


@pytest.mark.parametrize("path", FILES + TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250
    if SOURCE in path.parents:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{node.name} is longer than 60 lines"


@each_file
def test_names_say_something(path: Path) -> None:
    assert not BANNED_NAMES & set(path.relative_to(SOURCE).with_suffix("").parts)


@each_file
def test_every_file_has_its_test(path: Path) -> None:
    if path.name == "__init__.py":
        assert path.parent == SOURCE or not path.read_text(), "only giftune/__init__.py says anything"
    elif not path.name.startswith("_") and name_of(path) not in UNTESTED:  # private ones through their users
        mirror = ROOT / "tests" / path.relative_to(SOURCE).with_name(f"test_{path.name}")
        assert mirror.exists(), f"{mirror.relative_to(ROOT)} is missing"


def test_every_library_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {Requirement(line).name.lower().replace("_", "-") for line in project["dependencies"]}
    used = {name.split(".")[0] for path in FILES for name in imports(path)} - sys.stdlib_module_names
    distributions = {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in used}
    assert not distributions - declared - {"giftune"}
