"""The wheel, built and run away from the repository: configurations and models must travel inside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = {".css", ".jinja", ".js", ".json", ".npz", ".png", ".safetensors", ".txt", ".yaml"}

pytestmark = pytest.mark.slow


def run(command: list[str | Path], **kwargs) -> subprocess.CompletedProcess:
    result = subprocess.run(command, capture_output=True, text=True, **kwargs)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], cwd=folder)
    (built,) = folder.glob("giftune-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel])
    return target


@pytest.fixture
def giftune(installed: Path, tmp_path: Path):
    """Runs a command with the wheel's giftune in an empty folder, and says what it printed."""

    def call(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        environment.pop("GIFTUNE_ROOT", None)
        command = [sys.executable, "-m", "giftune.cli.main", *arguments]
        return run(command, cwd=tmp_path, env=environment).stdout

    return call


def test_every_data_file_is_in_the_wheel(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    homes = {"src/giftune": "giftune", "conf": "giftune/_bundled/conf", "sweeps": "giftune/_bundled/sweeps"}
    for folder, home in homes.items():
        files = [file for file in (ROOT / folder).rglob("*") if file.suffix in DATA]
        names = {f"{home}/{file.relative_to(ROOT / folder).as_posix()}" for file in files}
        assert names, f"{folder} has no data files"
        assert not names - packed
    assert any(name.endswith("licenses/NOTICE") for name in packed)
    assert not any(name.startswith(("tests", "giftune/giftune")) for name in packed)


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import giftune; print(giftune.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    printed = run([sys.executable, "-c", code], cwd=tmp_path, env=environment).stdout.strip()
    assert Path(printed).is_relative_to(installed)


def test_help_and_info_answer(giftune) -> None:
    assert "tune" in giftune("--help")
    assert giftune("info")


def test_doctor_finds_the_embedded_models(giftune, installed: Path) -> None:
    assert "can run here" in giftune("doctor")


def test_tune_uses_the_configuration_in_the_wheel(giftune, tmp_path: Path) -> None:
    giftune("tune", "trainer.max_steps=2")
    assert list(tmp_path.rglob("weights.safetensors"))
