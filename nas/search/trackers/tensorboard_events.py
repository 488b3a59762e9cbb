"""TensorBoard: event files, one folder a run; a folder is put in place when it is whole."""

from __future__ import annotations

import shutil
import struct
import time as clock
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

from nas.errors import NasError, shell_word
from nas.search.tracking.runs import Conclusion, Point, Run, Seen, Tracker, Whole, lacking
from search_spaces.cells.genotype import Genotype

_STUDY, _MARK, _HEADER = "study", "ended", 12
_WIDTH = 100  # of a drawing as text


@final
class TensorBoard(Tracker):
    """Event files for TensorBoard; its HParams page compares trials.

    Args:
        folder: where TensorBoard looks, for several studies too; none is `tensorboard/` in the
            study's own.
    """

    def __init__(self, *, folder: str | None = None) -> None:
        try:
            import tensorboardX  # type: ignore[import-untyped]  # noqa: F401
        except ImportError as problem:
            raise lacking("tensorboardX", "tensorboard") from problem
        self._given = folder
        self._home, self._title = Path(), ""

    def open(self, whole: Whole) -> Seen:
        """Look what lies in the study's folder of event files."""
        top = Path(self._given).expanduser() if self._given else whole.folder / "tensorboard"
        self._title = whole.title
        self._home = top / f"{whole.title.replace(' ', '-')}-{whole.identity}"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise NasError(f"{self._home} cannot be made: {problem.strerror}") from problem
        if not (self._home / _STUDY).exists():
            rows = "\n".join(f"| {name} | {value} |" for name, value in whole.parameters.items())
            text = f"| setting | value |\n|---|---|\n{rows}"
            self._write(_STUDY, [_Text("settings", text, whole.began)])
        return self._seen()

    def add(self, run: Run) -> None:
        """A folder with its curve, its parameters and its drawing."""
        from tensorboardX import summary

        parameters = {name: _plain(value) for name, value in run.parameters.items()}
        found: list[_Text | _Bytes | Point] = [
            *run.points,
            *(Point(name, 0, value, run.ended) for name, value in run.metrics.items()),
        ]
        labels = "".join(f"**{name}** {value}\n\n" for name, value in run.labels.items())
        found.append(_Text("about", f"{run.state}\n\n{labels}", run.ended))
        if run.genotype is not None and run.genotype.cells:
            found += _drawn(run.genotype, run.ended, as_picture=run.stands_out)
        first = sorted(run.metrics, key=lambda name: name != "score")  # in the order of the page
        hparams = summary.hparams(parameters, dict.fromkeys(first, 0.0))
        self._write(run.name, found, hparams)

    def extend(self, points: Sequence[Point]) -> None:
        """Another event file of the study's own."""
        self._append(points)

    def end(self, ending: Conclusion) -> None:
        """What it came to, and the card of its winner as text."""
        points = [Point(name, 0, value, ending.ended) for name, value in ending.metrics.items()]
        cards = [file for file in ending.files if file.name == "README.md"]
        names = ", ".join(str(file) for file in ending.files)
        texts = [
            *(_Text("winner", file.read_text(encoding="utf-8"), ending.ended) for file in cards),
            _Text("files", names or "none", ending.ended),
            _Text(_MARK, ending.mark, ending.ended),
        ]
        self._append([*points, *texts])

    def where(self) -> str:
        """The command that shows it."""
        return f"tensorboard --logdir {shell_word(str(self._home.parent))}"

    def _seen(self) -> Seen:
        names = [path.name for path in self._home.iterdir() if not path.name.startswith(".")]
        steps: dict[str, int] = {}
        mark = None
        for event in _events_of(self._home / _STUDY):
            for value in event.summary.value:
                if value.tag.startswith(_MARK):
                    mark = value.tensor.string_val[0].decode()
                steps[value.tag] = max(event.step, steps.get(value.tag, -1))
        return Seen(frozenset(names) - {_STUDY}, steps, mark)

    def _write(
        self, name: str, content: Sequence[_Text | _Bytes | Point], first: Sequence[Any] = ()
    ) -> None:
        """A folder of event files, in place at once: what a crash left half written is made
        anew."""
        draft = self._home / f".{name}"
        shutil.rmtree(draft, ignore_errors=True)
        _write_events(draft, content, first)
        draft.rename(self._home / name)

    def _append(self, content: Sequence[_Text | _Bytes | Point]) -> None:
        """One more file: a writer never goes on with an old one."""
        _write_events(self._home / _STUDY, content)


class _Text:
    def __init__(self, tag: str, text: str, time: float) -> None:
        self.tag, self.text, self.time = tag, text, time


class _Bytes:
    def __init__(self, tag: str, png: bytes, time: float) -> None:
        self.tag, self.png, self.time = tag, png, time


def _plain(value: Any) -> Any:
    """What TensorBoard's page of parameters takes."""
    return value if isinstance(value, str | bool) else float(value)


def _drawn(genotype: Genotype, time: float, *, as_picture: bool) -> list[_Text | _Bytes]:
    """The cells as text; as a picture where it stands out, for that takes a moment."""
    from nas.drawings.terminal import cells_text

    text = cells_text(genotype, _WIDTH, color=False, plain=False)
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    found: list[_Text | _Bytes] = [_Text("cells", lines, time)]
    if as_picture and (png := _picture(genotype)) is not None:
        found.append(_Bytes("cells", png, time))
    return found


def _picture(genotype: Genotype) -> bytes | None:
    """The drawing as PNG; None where pictures cannot be drawn here."""
    import tempfile

    from nas.drawings.cells import cells_drawing
    from nas.drawings.png import write_png

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cells.png"
        try:
            write_png(cells_drawing(genotype), file, scale=1.0)
        except NasError:
            return None
        return file.read_bytes()


def _write_events(
    folder: Path, content: Sequence[_Text | _Bytes | Point], first: Sequence[Any] = ()
) -> None:
    from tensorboardX import FileWriter, summary

    # a name of its own: two files of one second would be one
    writer = FileWriter(str(folder), filename_suffix=f".{clock.time_ns()}")
    time = content[0].time if content else None
    for each in first:
        writer.add_summary(each, 0, walltime=time)
    for entry in content:
        if isinstance(entry, Point):
            made = summary.scalar(entry.name, entry.value)
            writer.add_summary(made, entry.step, walltime=entry.time)
        elif isinstance(entry, _Text):
            writer.add_summary(summary.text(entry.tag, entry.text), 0, walltime=entry.time)
        else:
            writer.add_summary(_image(entry), 0, walltime=entry.time)
    writer.close()


def _image(entry: _Bytes) -> Any:
    from tensorboardX.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

    width, height = struct.unpack(">II", entry.png[16:24])  # as every PNG begins
    image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=entry.png)
    return Summary(value=[Summary.Value(tag=entry.tag, image=image)])


def _events_of(folder: Path) -> Iterator[Any]:
    """Every event in the files of a folder; what was torn off at the end of one never was."""
    from tensorboardX.proto.event_pb2 import Event  # type: ignore[import-untyped]

    for file in sorted(folder.glob("*tfevents*")):
        with file.open("rb") as stream:
            while len(header := stream.read(_HEADER)) == _HEADER:
                length = struct.unpack("<Q", header[:8])[0]
                record = stream.read(length + 4)
                if len(record) < length + 4:
                    break
                yield Event.FromString(record[:-4])
