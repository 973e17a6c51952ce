"""Folders in the layouts of published benchmarks, through `giftune tune` on a random SD 1.x in miniature."""

import csv
import json

import pytest
from PIL import Image

from giftune.cli.main import main
from giftune.data.loveu_tgve import EDITS, NAME, TABLE
from giftune.data.sheet import Edit, Entry, read_sheet, write_sheet
from giftune.io.masks import read_masks
from giftune.io.read import probe
from tests import miniature
from tests.davis_folders import HEIGHT, WIDTH, write_davis, write_prompts

pytestmark = pytest.mark.slow

CAPTION = "Our GT caption"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return miniature.build(tmp_path_factory.mktemp("miniature"))


@pytest.fixture
def tune(checkpoint, tmp_path, capsys):
    """One run of one step; returns its folder and its records."""

    def call(*data):
        given = [
            "backbone=local", f"backbone.source={checkpoint}", "backbone.device=cpu", "loss=[reconstruction]",
            f"paths.runs={tmp_path / 'runs'}", f"paths.cache={tmp_path / 'cache'}",
            "metric=[background_psnr]", "data.size=32", "data.multiple=8",
            "trainer.max_steps=1", "edit.num_steps=2", "edit.batch_size=2",
        ]  # fmt: skip
        assert main(["tune", *given, *map(str, data)]) == 0, capsys.readouterr().err
        (run,) = (tmp_path / "runs").iterdir()
        lines = (run / "records.jsonl").read_text().splitlines()
        return run, [json.loads(line) for line in lines]

    return call


def shape(path):
    header = probe(path)
    return header.num_frames, header.height, header.width


def test_a_folder_like_davis(tune, tmp_path):
    write_davis(tmp_path / "DAVIS", "bear")
    write_davis(tmp_path / "DAVIS", "bus", num_frames=4)
    write_prompts(tmp_path / "DAVIS" / "prompts.yaml", "bear", "bus")
    path = f"data.path={tmp_path / 'DAVIS'}"
    run, records = tune("data=davis42", path, "data.sheet=prompts.yaml", "data.clip=bear")
    assert [record["prompt"] for record in records] == ["a fox like a bear", "a bear is moving, sketch"]
    assert {(record["clip"], record["source_prompt"]) for record in records} == {("bear", "a bear is moving")}
    assert all("background_psnr" in record["scores"] for record in records), "its masks are used"
    for file in ("source.gif", *(record["file"] for record in records)):
        assert shape(run / file) == (6, HEIGHT, WIDTH), "restored to the size of the frames on disk"


def test_the_offline_twin_written_like_davis(tune, tmp_path):
    """EmojiDAVIS-42 from disk, its masks included, as DAVIS would be: one clip, all of its edits."""
    name, folder = "car-pan-run", tmp_path / "twin"
    given = [f"data.clip={name}", "data.num_frames=3", "data.size=64"]
    assert main(["export", f"folder={folder}", *given]) == 0
    run, records = tune("data=davis42", f"data.path={folder}", "data.sheet=prompts.yaml", f"data.clip={name}")
    (entry,) = read_sheet(folder / "prompts.yaml")
    assert [record["prompt"] for record in records] == list(entry.prompts)
    assert all(shape(run / record["file"]) == (3, 64, 64) for record in records)
    assert all("background_psnr" in record["scores"] for record in records)
    assert read_masks(folder / "Annotations" / "480p" / name, ["00000", "00002"]).max() == 1


def test_a_folder_like_loveu_tgve(tune, tmp_path):
    root = tmp_path / "loveu-tgve-2023"
    frames = root / "DAVIS_480p" / "480p_frames" / "gold-fish"
    frames.mkdir(parents=True)
    for index in range(4):
        Image.new("RGB", (48, 48), (60 * index, 0, 90)).save(frames / f"{index:05d}.jpg")
    prompts = [f"a panda, {kind}" for kind in EDITS.values()]
    with (root / TABLE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([NAME, CAPTION, *EDITS])
        writer.writerow(["DAVIS Videos:", *[""] * 5])
        writer.writerow(["gold-fish", "a red ball", *prompts])
    run, records = tune("data=loveu_tgve", f"data.path={root}", "data.clip=gold-fish")
    assert [record["prompt"] for record in records] == prompts
    assert all(shape(run / record["file"]) == (4, 48, 48) for record in records)
    assert all("needs mask" in record["skipped"]["background_psnr"] for record in records)


@pytest.mark.parametrize("name", ["man-skiing"])
def test_a_real_clip_with_a_sheet(tune, tmp_path, shared_folder, name):
    folder = shared_folder / "videos"
    if not (folder / f"{name}.mp4").is_file():
        pytest.skip("the real clips are not here")
    edits = (Edit("a panda runs on the beach", "multiple"),)
    write_sheet([Entry(name, "a cat runs", edits)], tmp_path / "sheet.yaml")
    run, records = tune(
        "data=folder", f"data.path={folder}", f"data.sheet={tmp_path / 'sheet.yaml'}", f"data.clip={name}",
        "data.num_frames=3",
    )  # fmt: skip
    real = probe(folder / f"{name}.mp4")
    assert [(record["clip"], record["prompt"]) for record in records] == [(name, "a panda runs on the beach")]
    assert shape(run / records[0]["file"]) == (3, real.height, real.width)
