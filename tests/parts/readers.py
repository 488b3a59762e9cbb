"""Every reader of the toolkit, each with good input that hypothesis damages: it must answer with
exit code 0, 2 or 3 and a sentence, within seconds, and touch no other folder."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st

from nas.errors import NasError
from parts.command_line import nas
from parts.damage import changed_bytes, changed_json, changed_text

Words = Sequence[str | Path]
Call = Callable[[], object]
Reader = Callable[[st.DataObject, Path], Words | Call]

CORPUS = Path(__file__).parents[1] / "corpus"
STUDIES = ("random-search", "early-stopping", "policy-gradient")
STUDY_VERBS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--check"),
    ("best", "--top", "3"),
    ("events",),
    ("trial", "1"),
    ("inspect",),
    ("report", "--json"),
    ("export", "--to", "json"),
    ("resume", "--trials", "1"),
)
_TABLE = "d_op,d_width,acc,seconds\na,1,0.5,10\na,2,0.6,20\nb,1,0.7,30\nb,2,0.8,40\n"
_DECISIONS = {"op": ["a", "b"], "width": ["1", "2"]}
_DARTS = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
_BENCH = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
_CONFIG = """[study]
space = "nasbench201"
strategy = "evolution"
seed = 3
trials = 4
workers = 1
[strategy]
population = 5
sample = 3
[evaluator]
seed = 7
[rules]
duplicates = "reuse"
retries = 1
[limits]
params = 100000000
"""


def study(data: st.DataObject, place: Path) -> Words:
    """`study.json` and logs, by every verb that reads a study."""
    source = CORPUS / data.draw(st.sampled_from(STUDIES), label="study") / "study"
    verb, *words = data.draw(st.sampled_from(STUDY_VERBS), label="verb")
    for name in ("study.json", "events.jsonl"):
        shutil.copyfile(source / name, place / name)
    file = place / data.draw(st.sampled_from(("study.json", "events.jsonl")), label="file")
    if file.name == "study.json":
        file.write_bytes(changed_json(data, file.read_text()))
    else:
        lines = file.read_bytes().split(b"\n")
        number = data.draw(st.integers(0, len(lines) - 2), label="line")
        lines[number] = changed_json(data, lines[number].decode())
        file.write_bytes(b"\n".join(lines))
    return (verb, place, *words)


def comparison(data: st.DataObject, place: Path) -> Words:
    """`compare.json`, by the verbs that read a comparison."""
    folder = place / "comparison"
    shutil.copytree(CORPUS / "comparison" / "study", folder)
    file = folder / "compare.json"
    file.write_bytes(changed_json(data, file.read_text()))
    verbs: tuple[tuple[str, ...], ...] = (("status",), ("report", "--json"), ("best",))
    verb, *words = data.draw(st.sampled_from(verbs), label="verb")
    return (verb, folder, *words)


def genotype(data: st.DataObject, place: Path) -> Words:
    """Genotypes as JSON files."""
    file = place / "genotype.json"
    file.write_bytes(changed_json(data, (CORPUS / "trained/study/best/genotype.json").read_text()))
    return _by_a_verb_of_genotypes(data, file)


def spoken_genotype(data: st.DataObject, place: Path) -> Words:
    """Genotypes as DARTS and NAS-Bench-201 write them, as a word or in a file."""
    good = data.draw(st.sampled_from((_DARTS, _BENCH)), label="text")
    parts = ("'none'", "|", "+", "~9", "[2, 3]", "('skip_connect', 99)", "Genotype", "\ud800")
    text = changed_text(data, good, parts)
    if data.draw(st.booleans(), label="in a file"):
        file = place / "genotype.txt"
        file.write_bytes(text.encode(errors="surrogatepass"))
        return _by_a_verb_of_genotypes(data, file)
    return _by_a_verb_of_genotypes(data, text.replace("\0", ""))


def _by_a_verb_of_genotypes(data: st.DataObject, source: str | Path) -> Words:
    verbs: tuple[tuple[str, ...], ...] = (
        ("show",),
        ("convert", "--to", "json"),
        ("evaluate", "--evaluator", "landscape"),
        ("export", "--to", "json", "--out", "exported"),
    )
    verb, *words = data.draw(st.sampled_from(verbs), label="verb")
    return (verb, *words, "--", source)


def config(data: st.DataObject, place: Path) -> Words:
    """TOML files of settings; never more than four trials."""
    names = ("[strategy]", "trials = 2", "= [", "{ x = 1 }", "true", '"""', "2020-01-01", "[[a]]")
    file = place / "config.toml"
    text = changed_text(data, _CONFIG, names)
    file.write_bytes(text.encode(errors="surrogatepass"))
    words = ("--evaluator", "landscape", "--trials", "4", "--workers", "1", "--to", "none")
    return ("search", "--config", file, *words, "--out", "searched")


def table(data: st.DataObject, place: Path) -> Words:
    """Tables as CSV, gzipped CSV and Parquet."""
    good = data.draw(st.sampled_from(sorted(_tables())), label="table")
    file = place / f"table.{good}"
    if good == "csv":
        text = changed_text(data, _TABLE, ("acc", "a,2", "\r\n", '"', "inf", "=1+1"))
        file.write_bytes(text.encode(errors="surrogatepass"))
    else:
        file.write_bytes(changed_bytes(data, _tables()[good]))
    spaces = ("--space", "table", "--set", f"space.decisions={json.dumps(_DECISIONS)}")
    words = (*spaces, "--evaluator", "table", "--set", f"evaluator.table={file}")
    ends = ("--set", "evaluator.score=acc", "--strategy", "random-search", "--trials", "3")
    return ("search", *words, *ends, "--workers", "1", "--to", "none", "--out", "searched")


def records(data: st.DataObject, place: Path) -> Words:
    """What `nas tabulate` wrote, to be learnt from or to be added to."""
    file = place / "records.csv"
    junk = ("score_seed0", "nan", "1e999", "-1", "identity,", "\r\n", '"', "0.5 inf", "é")
    file.write_bytes(changed_text(data, _records(), junk).encode(errors="surrogatepass"))
    ends = ("--workers", "1")
    if data.draw(st.booleans(), label="learnt from"):
        judge = ("--evaluator", "surrogate", "--set", f"evaluator.records={file}")
        rest = ("--strategy", "random-search", "--trials", "3", "--to", "none")
        return ("search", "--space", "ladder", *judge, *rest, *ends, "--out", "searched")
    words = ("--evaluator", "landscape", "--seeds", "1", "--folder", "studies")
    return ("tabulate", "--space", "ladder", *words, *ends, "--out", str(file))


@cache
def _records() -> str:
    from nas.evaluators._record_rows import TableRow
    from nas.registry import load
    from nas.search.tabulation import distinct_architectures, write_table

    space, file = load("space", "ladder")(), Path(mkdtemp(prefix="nas-readers-")) / "records.csv"
    choices = distinct_architectures(space).values()
    rows = [
        TableRow(space.decode(each), (number / 9, None), 1.0, {"params": number}, (0.25, 0.5))
        for number, each in enumerate(choices)
    ]
    write_table(file, space, rows, "0123456789ab")
    return file.read_text()


@cache
def _tables() -> dict[str, bytes]:
    import pyarrow
    import pyarrow.parquet

    header, *rows = (line.split(",") for line in _TABLE.splitlines())
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), written)
    packed = gzip.compress(_TABLE.encode(), mtime=0)
    return {"csv": _TABLE.encode(), "csv.gz": packed, "parquet": written.getvalue()}


@cache
def _trained() -> Path:
    """A small export with weights, made once."""
    from dataclasses import replace

    from nas.exporting.export import export
    from parts.drawn_cells import cell
    from parts.drawn_cells import genotype as drawn
    from parts.exported_networks import subject

    small = subject(
        drawn(cell("conv_1x1(0), conv_3x3(1)", inputs=1)),
        layout="nasbench201",
        image_size=16,
        classes=3,
        channels=3,
    )
    named = replace(
        small, classes=("a", "b", "c"), mean=(0.3, 0.4, 0.5), std=(0.2, 0.3, 0.2), trained={}
    )
    folder = Path(mkdtemp(prefix="nas-readers-")) / "export"
    export(named, folder, ["python"])
    return folder


def weights(data: st.DataObject, place: Path) -> Words:
    """Weights as safetensors, at the end of an export."""
    folder = place / "export"
    shutil.copytree(_trained(), folder)
    file = folder / "weights.safetensors"
    file.write_bytes(changed_bytes(data, file.read_bytes(), begin=3_000))
    _write_picture(place / "picture.png")
    if data.draw(st.booleans(), label="predict"):
        return ("predict", folder, place / "picture.png")
    source = folder if data.draw(st.booleans(), label="the folder") else file
    return ("export", source, "--to", "json", "--out", "exported")


def export_record(data: st.DataObject, place: Path) -> Words:
    """`export.json`, by those that read an export or write over one."""
    folder = place / "export"
    shutil.copytree(_trained(), folder)
    file = folder / "export.json"
    file.write_bytes(changed_json(data, file.read_text()))
    _write_picture(place / "picture.png")
    if data.draw(st.booleans(), label="predict"):
        return ("predict", folder, place / "picture.png")
    return ("export", folder, "--to", "json", "--out", folder)


def picture(data: st.DataObject, place: Path) -> Words:
    """Pictures of the usual kinds."""
    kind = data.draw(st.sampled_from(("png", "jpg", "bmp", "webp", "gif", "tiff")), label="kind")
    file = place / f"picture.{kind}"
    _write_picture(file)
    file.write_bytes(changed_bytes(data, file.read_bytes(), begin=64))
    return ("predict", _trained(), file)


def _write_picture(file: Path) -> None:
    from PIL import Image

    Image.new("RGB", (24, 20), (200, 30, 90)).save(file)


def folder_of_pictures(data: st.DataObject, place: Path) -> Call:
    """Folders of pictures, one of which is damaged, as a dataset."""
    from nas.training.datasets import open_dataset
    from parts.dataset_files import write_pictures

    root = write_pictures(place / "photos", per_class=6)
    file = root / "cat" / "000.png"
    file.write_bytes(changed_bytes(data, file.read_bytes(), begin=64))
    skips = data.draw(st.booleans(), label="skip")
    return lambda: open_dataset(f"image-folder:{root}", skip_corrupt=skips)


def archive(data: st.DataObject, place: Path) -> Call:
    """The archive of CIFAR-10, in which labels and pixels are pickles."""
    from nas.training.datasets import open_dataset

    good = _archives()[data.draw(st.sampled_from(("packed", "bare", "files")), label="how")]
    if isinstance(good, Path):
        folder = shutil.copytree(good, place / good.name)
        file = folder / "test_batch"
        file.write_bytes(changed_bytes(data, file.read_bytes(), begin=400))
    else:
        (place / "cifar-10-python.tar.gz").write_bytes(changed_bytes(data, good))
    return lambda: open_dataset("cifar10", place).read("test", place)


@cache
def _archives() -> dict[str, bytes | Path]:
    from parts.dataset_files import write_cifar

    folder = write_cifar(Path(mkdtemp(prefix="nas-readers-")), "cifar10", images=50)
    made: dict[str, bytes | Path] = {"files": folder}
    for how, mode in (("packed", "w:gz"), ("bare", "w:")):
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode=mode) as tar:  # type: ignore[call-overload]
            tar.add(folder, folder.name)
        made[how] = written.getvalue()
    return made


def checkpoint(data: st.DataObject, place: Path) -> Call:
    """A half-finished training, which is put back or begun anew."""
    import torch

    from nas.training.checkpoint import restore_progress, save_progress

    file = place / "progress.safetensors"
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_progress(file, layer, optimizer, {"epoch": 3})
    file.write_bytes(changed_bytes(data, file.read_bytes(), begin=900))
    return lambda: restore_progress(file, layer, optimizer, {})


def snapshot(data: st.DataObject, place: Path) -> Call:
    """The memory of a controller beside its log, which is used or told anew."""
    from nas.registry import load
    from nas.study.snapshots import Snapshot, Snapshots, write_snapshot

    log = place / "events.jsonl"
    log.write_bytes(b"{}\n")
    strategy = load("strategy", "policy-gradient")(load("space", "nasbench201")(), 0)
    arrays = strategy.snapshot()
    assert arrays is not None
    write_snapshot(log, Snapshot(arrays, 3, 0))
    file = log.with_name("strategy.safetensors")
    file.write_bytes(changed_bytes(data, file.read_bytes(), begin=3_000))
    return lambda: Snapshots(log, strategy).restore()


_VERBS_TYPED = (
    *("status", "best", "events", "trial", "inspect", "report", "export", "show", "convert"),
    *("evaluate", "predict", "sample", "describe", "list", "search", "tabulate", "retrain"),
)
_WORDS_TYPED = (
    *("nasbench201", "nasnet", "landscape", "table", "train", "random-search", "evolution", ":x"),
    *("study", "study/best", "nasnet-a", "json", "--json", "-1", "0", "1", "3", "1e9", "", "-"),
    *("--trials", "--space", "--strategy", "--evaluator", "--set", "--to", "--top", "--out"),
    *("--seed", "--check", "--last", "--limit", "--workers", "--preset", "--dataset", "-h", "--"),
    *("strategy.population=5", "space.x=1", "=", "a.b.c=1", "evaluator.seed=-1", "rules.retries=1"),
    *("--runner", "local", "--processes", "--hours", "--patience", "--min-seconds", "digits"),
)


def command_line(data: st.DataObject, place: Path) -> Words:
    """Words in any order; a search has four trials on a landscape, and no training begins."""
    shutil.copytree(CORPUS / "random-search" / "study", "study")
    verb = data.draw(st.sampled_from(_VERBS_TYPED), label="verb")
    words = data.draw(
        st.lists(st.sampled_from(_WORDS_TYPED) | st.text(max_size=5), max_size=6), label="words"
    )
    ends = {
        "search": ("--evaluator", "landscape", "--trials", "4", "--workers", "1", "--to", "none"),
        "evaluate": ("--evaluator", "landscape"),
        "tabulate": ("--evaluator", "nothing"),
        "retrain": ("--set", "recipe.epochs=none"),
        "export": ("--to", "json"),
    }
    return [word.replace("\0", "") for word in (verb, *words, *ends.get(verb, ()))]


READERS: dict[str, Reader] = {
    reader.__name__.replace("_", "-"): reader
    for reader in (
        study,
        comparison,
        genotype,
        spoken_genotype,
        config,
        table,
        records,
        weights,
        export_record,
        picture,
        folder_of_pictures,
        archive,
        checkpoint,
        snapshot,
        command_line,
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with one input: a short name for the place, and the whole of it."""

    name: str
    whole: str


def fault_of(reader: str, data: st.DataObject, base: Path) -> Fault | None:
    """Give one damaged input to a reader, in a folder of its own below `base`; None if it held."""
    given, out = base / "in", base / "out"
    for folder in (given, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    there = {path.name for path in base.iterdir()}

    with chdir(out):
        words = READERS[reader](data, given)
        fault = _tried(words)
    new = {path.name for path in base.iterdir()} - there
    return Fault(f"a file outside: {sorted(new)}", repr(words)) if new else fault


def _tried(words: Words | Call) -> Fault | None:
    try:
        if callable(words):
            with suppress(NasError):
                words()
            return None
        answer = nas(*words)
    except Exception as problem:
        frame = traceback.extract_tb(problem.__traceback__)[-1]
        name = f"{type(problem).__name__} in {Path(frame.filename).name}:{frame.lineno}"
        return Fault(name, f"{words}\n{traceback.format_exc(limit=-5)}")
    if answer.code not in (0, 2, 3) or "Traceback" in answer.err:
        return Fault(f"exit code {answer.code}", f"{words}\n{answer.err}")
    return None
