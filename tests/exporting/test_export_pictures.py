"""From a photo to the name of a class without us: the exported file, and the lines of its card."""

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.exporting.export import export
from nas.exporting.predicting import predictions
from nas.exporting.source.python_file import python_file
from nas.exporting.subject import Subject
from nas.seeding import numpy_rng
from nas.training.datasets._pictures import decoded
from parts.drawn_cells import cell, genotype
from parts.exported_networks import module_of, subject

NAMES = ("a & <b>", "blau Äpfel 蓝", 'it\'s\n"odd", \x1b[31m')
MODES = ("RGB", "RGBA", "P", "L", "LA", "CMYK", "1", "I;16")


def named(channels: int = 3) -> Subject:
    """A network that is taken for trained, with names for its classes."""
    bare = subject(
        genotype(cell("conv_1x1(0), conv_3x3(1)", inputs=1)),
        layout="nasbench201",
        image_size=16,
        classes=3,
        channels=channels,
    )
    mean, std = (0.3, 0.4, 0.5)[:channels], (0.2, 0.3, 0.25)[:channels]
    return replace(
        bare, classes=NAMES, mean=mean, std=std, trained={"dataset": "image-folder:a & <b>*"}
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of each mode, of different shapes."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("my pictures"), numpy_rng(0, "modes")
    for number, mode in enumerate(MODES):
        shape = (20 + 3 * number, 40 - 2 * number)
        file = folder / f"{number} & é.{'jpg' if mode == 'CMYK' else 'png'}"
        if mode == "I;16":
            Image.fromarray(rng.integers(0, 2**16, shape, dtype=np.uint16)).save(file)
        elif mode.endswith("A"):
            pixels = rng.integers(0, 256, (*shape, len(mode)), dtype=np.uint8)
            Image.fromarray(pixels, mode="RGBA" if mode == "RGBA" else None).save(file)
        else:
            pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(file)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export as source."""
    folder = tmp_path_factory.mktemp("exported") / "an export"
    export(named(), folder, ["python"])
    return folder


def test_pictures_of_every_mode_are_read_as_in_training(exported: Path, pictures: Path) -> None:
    module = module_of(exported / "model.py")
    mean, std = torch.tensor(module.MEAN), torch.tensor(module.STD)
    for file in sorted(pictures.iterdir()):
        pixels = decoded(file, 16)
        assert pixels is not None
        expected = (torch.from_numpy(pixels.copy()) / 255 - mean) / std
        assert torch.equal(module.image_of(file), expected.permute(2, 0, 1)[None]), file


def test_the_file_says_without_us_what_predict_says(exported: Path, pictures: Path) -> None:
    files = sorted(pictures.iterdir())
    said = ran_alone(exported / "model.py", *files).splitlines()
    for file, line, found in zip(files, said, predictions(named(), files), strict=True):
        names = [g.name if g.name.isprintable() else ascii(g.name) for g in found.classes]
        pairs = zip(names, found.classes, strict=True)
        shares = [f"{name} {100 * guess.share:.1f} %" for name, guess in pairs]
        assert line == f"{file}: {', '.join(shares)}"


def test_a_folder_is_all_pictures_below_it(pictures: Path, tmp_path: Path) -> None:
    places = [tmp_path / "a", tmp_path / "b" / "c"]
    files = sorted(pictures.iterdir())
    for place, file in zip(places, files, strict=False):
        place.mkdir(parents=True)
        (place / file.name).write_bytes(file.read_bytes())
    (tmp_path / "a" / "torn.jpg").write_text("no picture")
    (tmp_path / "a" / "notes.txt").write_text("no picture either")
    alone = predictions(named(), files[:2])
    found = {
        prediction.picture: prediction.classes for prediction in predictions(named(), [tmp_path])
    }
    expected = [tmp_path / "a" / files[0].name, tmp_path / "b" / "c" / files[1].name]
    assert list(found) == [str(expected[0]), str(tmp_path / "a" / "torn.jpg"), str(expected[1])]
    assert [found[str(file)] for file in expected] == [each.classes for each in alone]
    assert found[str(tmp_path / "a" / "torn.jpg")] == ()


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=f"there is no picture in '{tmp_path}'"):
        predictions(named(), [tmp_path])


def test_grey_networks_take_coloured_pictures(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "model.py").write_text(python_file(named(channels=1)))
    module = module_of(tmp_path / "model.py")
    assert module.image_of(next(pictures.iterdir())).shape == (1, 1, 16, 16)


def test_the_lines_of_the_card_see_what_the_file_sees(pictures: Path, tmp_path: Path) -> None:
    """A picture that a phone has turned, and one that is partly transparent; in greys too."""
    pytest.importorskip("onnxruntime")
    from PIL import Image

    clear = tmp_path / "clear.png"
    Image.open(next(pictures.glob("1*"))).save(clear)  # RGBA
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(next(pictures.glob("0*"))).save(turned, quality=100, exif=exif)
    for channels in (3, 1):
        folder = tmp_path / f"exported-{channels}"
        export(named(channels), folder, ("python-source", "onnx"))
        code = python_in(folder / "README.md", "onnxruntime").rpartition("\nlikeliest")[0]
        model = module_of(folder / "model.py")
        for picture in (clear, turned):
            lines = code.replace('"photo.jpg"', repr(str(picture)))
            space: dict[str, object] = {}
            with contextlib.chdir(folder):
                exec(lines, space)
            image = (space["image"].transpose(2, 0, 1))[None]  # type: ignore[attr-defined]
            seen = model.image_of(picture).numpy()
            assert np.allclose(image, seen, atol=1e-5), (channels, picture.name)


def python_in(card: Path, word: str) -> str:
    """The block of Python in a card that names this word."""
    (code,) = (
        each for each in re.findall(r"```python\n(.*?)```", card.read_text(), re.S) if word in each
    )
    return str(code)


@pytest.mark.parametrize("format", ["python", "onnx"])
def test_the_lines_of_the_card_name_what_a_photo_shows(
    exported: Path, tmp_path: Path, pictures: Path, format: str
) -> None:
    from PIL import Image

    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        exported = tmp_path / "out"
        export(named(), exported, ["onnx"])
    Image.open(next(pictures.glob("0*"))).save(exported / "photo.jpg", quality=100)
    (found,) = predictions(named(), [exported / "photo.jpg"])
    (block,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    assert ran(sys.executable, "-c", block, cwd=exported).startswith(found.classes[0].name)
    (exported / "photo.jpg").unlink()


def test_the_card_shows_names_as_they_are(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    assert '    0  a & <b>\n    1  blau Äpfel 蓝\n    2  it\'s\\n"odd", \\x1b[31m\n' in card
    assert r"- dataset: image-folder:a \& \<b\>\*" in card
    assert "\x1b" not in card


def test_files_can_be_read_by_others(exported: Path) -> None:
    modes = {
        file.name: oct(file.stat().st_mode & 0o777) for file in exported.iterdir() if file.is_file()
    }
    assert len(set(modes.values())) == 1, modes


def ran_alone(file: Path, *words: str | Path) -> str:
    """What a file prints in a fresh interpreter that finds no package of ours."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('nas', 'search_spaces', 'runners')));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return ran(sys.executable, "-I", "-c", code, file, *words, cwd=Path("/"))


def ran(*words: str | Path, cwd: Path) -> str:
    """What a command prints."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=bare, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
