"""Datasets beyond the contract: where files are looked for, what is refused and in which words."""

import hashlib
import io
import os
import pickle
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.errors import NasError
from nas.registry import allow
from nas.training.datasets import Dataset, DatasetError, _cifar, open_dataset
from nas.training.datasets._cifar import Cifar
from nas.training.datasets._pictures import decoded
from nas.training.datasets.cifar10 import cifar10
from nas.training.datasets.digits import digits
from nas.training.datasets.digits_hard import digits_hard
from nas.training.final_split import FinalSplit
from parts.dataset_files import write_cifar, write_pictures


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(dataset: Dataset, split: str) -> set[bytes]:
    images = dataset.read(split, None)
    return {image.tobytes() for image in images.pixels}


# ------------------------------------------------------------------ digits


def test_digits_are_all_there_once() -> None:
    assert [len(digits.read(split, None)) for split in ("train", "val", "test")] == [997, 400, 400]
    assert len(rows(digits, "train") | rows(digits, "val") | rows(digits, "test")) == 1797


def test_digits_hard_shares_the_test_split_and_hides_it() -> None:
    assert [len(digits_hard.read(split, None)) for split in ("train", "val", "test")] == [
        200,
        1197,
        400,
    ]
    assert rows(digits_hard, "test") == rows(digits, "test")
    assert not rows(digits_hard, "test") & (rows(digits_hard, "train") | rows(digits_hard, "val"))


# ------------------------------------------------------------------ CIFAR


def test_cifar_is_found_as_its_folder_the_folder_above_and_in_the_cache(
    tmp_path: Path, own_cache: Path
) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    above = open_dataset("cifar10", tmp_path)
    inside = open_dataset("cifar10", folder)
    own_cache.mkdir()
    shutil.copytree(folder, own_cache / folder.name)
    assert above.fingerprint == inside.fingerprint == open_dataset("cifar10").fingerprint


def test_cifar_is_read_from_its_tarball(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path / "unpacked", "cifar10")
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=folder.name)
    unpacked = open_dataset("cifar10", tmp_path / "unpacked")
    packed = open_dataset("cifar10", tmp_path)
    assert packed.fingerprint == unpacked.fingerprint
    assert FinalSplit(packed).load().pixels.shape == (50, 32, 32, 3)


def test_cifar_planes_become_pixels(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    row = np.concatenate([np.full(1024, value, dtype=np.uint8) for value in (10, 20, 30)])
    content = {b"data": np.stack([row] * 50), b"labels": [3] * 50}
    (folder / "test_batch").write_bytes(pickle.dumps(content, protocol=2))
    images = FinalSplit(open_dataset("cifar10", tmp_path)).load()
    assert images.pixels[0, 5, 7].tolist() == [10, 20, 30]
    assert images.labels.tolist() == [3] * 50


def test_a_search_never_reads_the_test_file(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    (folder / "test_batch").unlink()
    dataset = open_dataset("cifar10", tmp_path)
    assert len(dataset.load("train")) == 1_000
    assert len(dataset.load("val")) == 5_000
    with pytest.raises(
        DatasetError,
        match=r"test_batch of cifar10 cannot be read .* hold data_batch_1, .*: get http",
    ):
        FinalSplit(dataset).load()


def test_a_batch_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    (folder / "data_batch_2").unlink()
    with pytest.raises(DatasetError, match="data_batch_2 of cifar10 cannot be read"):
        open_dataset("cifar10", tmp_path).load("train")


class Unreachable:
    def __call__(self, address: str, timeout: float) -> Any:
        raise OSError("no route to host")


def test_missing_cifar_says_where_to_get_it_and_how_to_lay_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", Unreachable())
    with pytest.raises(DatasetError) as raised:
        open_dataset("cifar10", tmp_path / "nowhere").load("train")
    text = str(raised.value)
    assert "could not be downloaded (no route to host)" in text
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in text
    assert "--data-dir DIR (or NAS_DATA=DIR)" in text
    assert "cifar-10-batches-py with data_batch_1" in text
    assert not (tmp_path / "nowhere").exists()


def test_a_download_is_kept_only_with_the_right_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_cifar(tmp_path / "unpacked", "cifar10")
    with tarfile.open(tmp_path / "archive", "w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=folder.name)
    content = (tmp_path / "archive").read_bytes()
    monkeypatch.setattr("urllib.request.urlopen", lambda address, timeout: io.BytesIO(content))
    place = tmp_path / "place"
    with pytest.raises(
        DatasetError, match=r"came with the checksum .* but 6d958be074577803\.\.\. was expected"
    ):
        open_dataset("cifar10", place).load("train")
    assert list(place.iterdir()) == []

    reader = cifar10.read
    assert isinstance(reader, Cifar)
    mine = Cifar(
        **{name: getattr(reader, name) for name in Cifar.__slots__} | {"sha256": _sha256(content)}
    )
    assert len(mine("train", place)) == 1_000
    assert [file.name for file in place.iterdir()] == ["cifar-10-python.tar.gz"]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Nasty:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch owned",)


class Vast:
    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, ((10**11,), "u1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps(Nasty()), r"damaged \(it wants to call posix.system\)"),
        (b"no pickle at all", "damaged"),
        # 13 bytes for which Python's unpickler takes four GiB
        (b"\x80\x02}r\xff\xff\xff\x0f.", r"damaged \(it numbers an object 268435455\)"),
        (pickle.dumps({b"data": Vast()}, protocol=2), "rows of 3,072 bytes"),
        (pickle.dumps({b"data": np.array([1, "a"], object)}, protocol=2), "an array of 'O8'"),
        (pickle.dumps([1, 2]), "should hold a dictionary"),
        (pickle.dumps({b"data": [1, 2, 3], b"labels": [1]}, protocol=2), "rows of 3,072 bytes"),
    ],
)
def test_damaged_cifar_is_refused_and_never_run(tmp_path: Path, content: bytes, words: str) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    (folder / "data_batch_3").write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        open_dataset("cifar10", tmp_path).load("train")
    assert not Path("owned").exists()


def test_labels_may_be_an_array_of_any_byte_order(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    batch = folder / "test_batch"
    content = pickle.loads(batch.read_bytes())
    expected = open_dataset("cifar10", tmp_path).read("test", tmp_path).labels
    name = next(key for key in content if key in ("labels", b"labels"))
    content[name] = np.array(content[name], ">i8")
    batch.write_bytes(pickle.dumps(content, protocol=2))
    assert (open_dataset("cifar10", tmp_path).read("test", tmp_path).labels == expected).all()


@pytest.mark.parametrize("packed", [False, True])
def test_no_more_is_read_of_a_file_than_a_cifar_may_have(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_cifar(tmp_path, "cifar10")
    with (folder / "data_batch_3").open("ab") as file:
        file.truncate(8 << 30)  # takes no room on most disks
    if packed:
        (folder / "data_batch_3").write_bytes(bytes(9 << 20))
        monkeypatch.setattr(_cifar, "_LARGEST_FILE", 8 << 20)
        with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz", compresslevel=1) as tar:
            tar.add(folder, folder.name)
        shutil.rmtree(folder)
    with pytest.raises(DatasetError, match=r"data_batch_3 of cifar10 has more than [0-9,]+ bytes"):
        open_dataset("cifar10", tmp_path).load("train")


def test_a_file_that_is_no_tarball_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"<html>moved</html>")
    with pytest.raises(DatasetError, match="is not the archive https://"):
        open_dataset("cifar10", tmp_path).load("train")


# ------------------------------------------------------------------ image folders


@pytest.mark.parametrize(
    ("parts", "train", "val", "test"),
    [
        ((), 32, 4, 4),
        (("train",), 32, 4, 4),
        (("train", "val"), 36, 4, 40),
        (("train", "test"), 36, 4, 40),
        (("train", "val", "test"), 40, 40, 40),
    ],
)
def test_missing_parts_are_taken_from_train(
    tmp_path: Path, parts: tuple[str, ...], train: int, val: int, test: int
) -> None:
    root = write_pictures(tmp_path / "pictures", parts)
    dataset = open_dataset(f"image-folder:{root}")
    sizes = [len(dataset.load("train")), len(dataset.load("val")), len(FinalSplit(dataset).load())]
    assert sizes == [train, val, test]
    pictures = [rows(dataset, split) for split in ("train", "val", "test")]
    assert len(set.union(*pictures)) == sum(len(part) for part in pictures)


def test_the_size_is_the_median_of_the_shorter_sides_unless_given(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures")
    assert open_dataset(f"image-folder:{root}").image_size == 12
    assert open_dataset(f"image-folder:{root}", image_size=24).load("val").pixels.shape[1:] == (
        24,
        24,
        3,
    )
    with pytest.raises(DatasetError, match="image_size is 4; expected 8 or more"):
        open_dataset(f"image-folder:{root}", image_size=4)


def test_every_kind_of_picture_becomes_three_bytes(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures")
    red = {
        "RGB": (200, 40, 40),
        "CMYK": (0, 200, 200, 40),
        "RGBA": (200, 40, 40, 255),
        "L": 90,
        "LA": (90, 128),
    }
    for mode, colour in red.items():
        Image.new(mode, (20, 20), colour).save(
            root / "cat" / f"z{mode}.{'jpg' if mode == 'CMYK' else 'png'}"
        )
    Image.new("P", (9, 30), 3).save(root / "cat" / "zP.gif")
    Image.new("RGB", (1, 1), (9, 9, 9)).save(root / "cat" / "ztiny.png")
    Image.fromarray(np.full((20, 20), 300 * 128, dtype=np.uint16)).save(root / "cat" / "zdeep.png")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / "cat" / "notes.txt").write_text("not a picture")
    dataset = open_dataset(f"image-folder:{root}", image_size=12)
    total = sum(len(dataset.read(split, None)) for split in ("train", "val", "test"))
    assert total == 40 + len(red) + 3
    pixels = np.concatenate(
        [dataset.read(split, None).pixels for split in ("train", "val", "test")]
    )
    flat = {tuple(image[0, 0]) for image in pixels if (image == image[0, 0]).all()}
    assert {(200, 40, 40), (90, 90, 90), (9, 9, 9), (150, 150, 150)} <= flat


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures")
    Image.new("RGBA", (12, 12), (0, 0, 0, 0)).save(root / "cat" / "glass.png")
    dataset = open_dataset(f"image-folder:{root}")
    assert any(b"\xff" * 12 * 12 * 3 in rows(dataset, split) for split in ("train", "val", "test"))


def test_corrupt_pictures_are_listed_or_skipped(tmp_path: Path, own_cache: Path) -> None:
    root = write_pictures(tmp_path / "pictures")
    (root / "dog" / "broken.jpg").write_bytes(b"\xff\xd8 not much of a picture")
    whole = (root / "dog" / "000.png").read_bytes()
    (root / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        DatasetError, match=r"2 images cannot be decoded: .*broken\.jpg, .*cut\.png; mend or remove"
    ):
        open_dataset(f"image-folder:{root}")
    assert list((own_cache / "image-folder").iterdir()) == []
    dataset = open_dataset(f"image-folder:{root}", skip_corrupt=True)
    assert sum(len(dataset.read(split, None)) for split in ("train", "val", "test")) == 40
    (listed,) = (own_cache / "image-folder").glob("*/corrupt.txt")
    assert len(listed.read_text().splitlines()) == 2


RAMP = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)


def with_pgm(file: Path, most: int) -> None:
    levels = (RAMP.astype(np.int64) * most // 65535).astype(">u2")
    file.write_bytes(b"P5 8 8 %d\n" % most + levels.tobytes())


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.pgm", lambda file: with_pgm(file, 65535)),
        ("b.pgm", lambda file: with_pgm(file, 4095)),
        (
            "c.pgm",
            lambda file: file.write_text("P2 8 8 65535\n" + " ".join(map(str, RAMP.ravel()))),
        ),
        ("d.png", lambda file: Image.fromarray(RAMP).save(file)),
        ("e.tif", lambda file: Image.fromarray(RAMP).save(file)),
    ],
)
def test_sixteen_bits_become_eight(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name)
    found = decoded(tmp_path / name, 8)
    assert found is not None
    np.testing.assert_allclose(found[:, :, 0], RAMP >> 8, atol=1)
    assert (found == found[:, :, :1]).all()


@pytest.mark.parametrize("kind", [np.int32, np.float32])
@pytest.mark.parametrize("most", [1, 255, 65535, 1e9])
def test_pictures_that_do_not_say_what_is_white_count_as_corrupt(
    tmp_path: Path, kind: Any, most: float
) -> None:
    root = write_pictures(tmp_path / "pictures")
    file = root / "dog" / "deep.tif"
    Image.fromarray((RAMP / 65535 * most).astype(kind)).save(file)
    with pytest.raises(
        DatasetError, match=r"1 image cannot be decoded: .*deep\.tif; mend or remove"
    ):
        open_dataset(f"image-folder:{root}")


@pytest.mark.parametrize(
    "side", [8_001, 12_000, 60_000]
)  # Pillow warns of the second, refuses the third
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    root = write_pictures(tmp_path / "pictures")
    Image.new("1", (side, 8_001)).save(root / "dog" / "large.png")  # some kilobytes
    with pytest.raises(DatasetError, match=r"large\.png; .*more than 64,000,000 pixels"):
        open_dataset(f"image-folder:{root}")


def test_pictures_are_decoded_once_until_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_pictures(tmp_path / "pictures")
    first = open_dataset(f"image-folder:{root}")
    monkeypatch.setattr(
        "nas.training.datasets.image_folder.decoded",
        lambda file, size: pytest.fail("decoded again"),
    )
    assert open_dataset(f"image-folder:{root}") == first
    monkeypatch.undo()
    os.utime(root / "cat" / "000.png", (1, 1))
    assert open_dataset(f"image-folder:{root}") != first


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "is no folder"),
        (
            lambda root: (root / "only").mkdir(parents=True),
            "holds 1 class folders; expected two or more",
        ),
        (lambda root: write_pictures(root, per_class=2), "'cat' of .* has fewer than three images"),
        (
            lambda root: [
                write_pictures(root, ("train",)),
                (root / "val" / "fox").mkdir(parents=True),
            ],
            "class 'fox'",
        ),
    ],
)
def test_folders_that_are_no_dataset_are_refused(tmp_path: Path, make: Any, words: str) -> None:
    make(tmp_path / "pictures")
    with pytest.raises(DatasetError, match=words):
        open_dataset(f"image-folder:{tmp_path / 'pictures'}")


def test_image_folder_without_a_folder_says_how() -> None:
    with pytest.raises(DatasetError, match="say image-folder:DIR"):
        open_dataset("image-folder")


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("size", ["7", "2000", "x", "-9", "9" * 50, "٣٢"])
def test_noise_refuses_sizes_that_are_none(size: str) -> None:
    with pytest.raises(DatasetError, match="is no image size; expected a number from 8 to 1024"):
        open_dataset(f"noise:{size}")


def test_an_unknown_dataset_is_answered_with_the_known() -> None:
    with pytest.raises(
        NasError, match=r"no dataset is called 'cifar11'; there are .*did you mean 'cifar10'"
    ):
        open_dataset("cifar11")


def test_own_datasets_come_from_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_pictures.py").write_text(
        "from nas.training.datasets.noise import noise\n"
        "RECORD = noise('9')\n"
        "def made(data_dir=None): return noise('10')\n"
        "def greedy(colour): return noise('10')\n"
        "def wrong(): return 3\n"
        "NUMBER = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    allow(*(f"my_pictures:{name}" for name in ("RECORD", "made", "greedy", "wrong", "NUMBER")))
    try:
        assert open_dataset("my_pictures:RECORD").image_size == 9
        assert open_dataset("my_pictures:made").image_size == 10
        with pytest.raises(DatasetError, match="asks for colour, which nothing here can give"):
            open_dataset("my_pictures:greedy")
        for name in ("wrong", "NUMBER"):
            with pytest.raises(
                DatasetError,
                match=r"should be a nas\.training\.datasets\.Dataset or a function",
            ):
                open_dataset(f"my_pictures:{name}")
    finally:
        sys.modules.pop("my_pictures", None)
