"""`giftune doctor` against faults made on purpose."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import huggingface_hub.constants
import pytest
from packaging.version import Version

from giftune.cli import doctor
from giftune.cli.doctor import Check


def no_import(name: str):
    raise RuntimeError("operator torchvision::nms does not exist")


def no_torch(name: str):
    raise ImportError(name)


@pytest.mark.parametrize(("statuses", "code"), [("ok note", 0), ("ok fail ok", 1)])
def test_only_failures_change_the_exit_status(statuses, code, monkeypatch, capsys) -> None:
    checks = [Check(status, "subject", "found", "mend it") for status in statuses.split()]
    monkeypatch.setattr(doctor, "diagnose", lambda: iter(checks))
    assert doctor.main([]) == code
    assert capsys.readouterr().out.count("-> mend it") == len(checks)


def test_packages_missing_or_out_of_bounds_come_with_their_command() -> None:
    requirements = [
        "numpy>=1",
        "pytest>=999",
        "no-such-package-here>=2",
        "decord>=0.1; platform_machine == 'no such machine'",
        "other-missing; extra == 'dev'",
    ]
    old, missing, fitting = doctor.check_packages(requirements)
    assert (old.status, old.remedy) == ("note", 'pip install "pytest>=999"')
    assert (missing.status, missing.remedy) == ("fail", 'pip install "no-such-package-here>=2"')
    assert fitting == Check("ok", "packages", "1 within their bounds")


def test_the_pair_of_torchvision_and_torch_is_the_installed_one(monkeypatch) -> None:
    assert doctor.check_torchvision().status == "ok"
    monkeypatch.setattr(doctor, "import_module", no_import)
    check = doctor.check_torchvision()
    installed = {name: Version(metadata.version(name)).base_version for name in ("torch", "torchvision")}
    assert check.status == "fail"
    assert check.remedy.endswith(f"torch=={installed['torch']} torchvision=={installed['torchvision']}")


def test_a_torchvision_made_for_another_torch_is_named(monkeypatch) -> None:
    versions = {"torch": "2.11.0+cpu", "torchvision": "0.28.0"}
    monkeypatch.setattr(metadata, "version", versions.__getitem__)
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy", "torch (==2.13.0)"])
    check = doctor.check_torchvision()
    assert check.status == "fail"
    assert check.remedy == "pip install torch==2.11.0 torchvision==0.26.0"


def test_torch_is_imported_and_described() -> None:
    import torch

    checks = list(doctor.check_torch())
    assert torch.__version__ in checks[0].found
    devices = [check.subject for check in checks if check.subject.startswith("cuda:")]
    assert len(devices) == torch.cuda.device_count()


def test_video_needs_only_one_reader(monkeypatch) -> None:
    assert "PyAV" in doctor.check_video().found
    monkeypatch.setattr(doctor, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    assert doctor.check_video().remedy == "pip install av"


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor.check_folder("cache", tmp_path / "new" / "deep", "move").status == "ok"
    assert doctor.check_folder("cache", tmp_path / "file" / "deep", "move").status == "note"
    assert not (tmp_path / "new").exists()


def test_every_embedded_file_is_needed(tmp_path: Path) -> None:
    files = [tmp_path / pattern.replace("*", "model") for pattern in doctor.EMBEDDED]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"content")
    assert doctor.check_embedded(tmp_path).status == "ok"
    for file, pattern in zip(files, doctor.EMBEDDED, strict=True):
        file.unlink()
        assert doctor.check_embedded(tmp_path).status == "fail"
        assert f"lacks {pattern}" in doctor.check_embedded(tmp_path).found
        file.write_bytes(b"content")


def test_optional_weights_are_looked_for_in_the_cache_of_the_hub(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    look = ("CLIP", "someone/clip", "config.json")
    assert doctor.check_optional(*look).status == "note"
    snapshot = tmp_path / "models--someone--clip" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--someone--clip" / "refs").mkdir()
    (tmp_path / "models--someone--clip" / "refs" / "main").write_text("abc")
    assert doctor.check_optional(*look).status == "note", "a configuration without weights is not a model"
    (snapshot / "model.safetensors").write_bytes(b"weights")
    assert doctor.check_optional(*look).status == "ok"


def test_optional_weights_of_torch_are_those_that_the_scores_ask_for(tmp_path: Path, monkeypatch) -> None:
    import torch
    from torchvision.models import AlexNet_Weights
    from torchvision.models.optical_flow import Raft_Small_Weights

    wanted = [Raft_Small_Weights.DEFAULT.url, AlexNet_Weights.IMAGENET1K_V1.url]
    assert list(doctor.OPTIONAL_OF_TORCH.values()) == [url.rpartition("/")[2] for url in wanted]
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    for file in doctor.OPTIONAL_OF_TORCH.values():
        assert doctor.check_optional_of_torch("network", file).status == "note"
        (tmp_path / "checkpoints").mkdir(exist_ok=True)
        (tmp_path / "checkpoints" / file).touch()
        assert doctor.check_optional_of_torch("network", file).status == "ok"
    monkeypatch.setattr(doctor, "import_module", no_torch)
    assert doctor.check_optional_of_torch("network", "x.pth").status == "note"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom giftune.cli.doctor import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'hydra', 'huggingface_hub'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "giftune doctor" in result.stdout


def test_launchers_are_optional(monkeypatch) -> None:
    assert doctor.check_launchers().status == "ok"
    version = doctor.metadata.version

    def without_ray(name: str) -> str:
        if name == "hydra-ray-launcher":
            raise doctor.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor.metadata, "version", without_ray)
    check = doctor.check_launchers()
    assert check.status == "note" and check.found.endswith("optional: ray") and "launchers" in check.remedy
