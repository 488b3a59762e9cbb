"""A table with anything wrong is refused in one sentence that names file, row and column."""

import csv
import gzip
import io
import itertools
import math
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.errors import TableError
from nas.evaluators import _table_file
from nas.evaluators.table import Table, table_decisions
from nas.registry import load
from search_spaces.table import TableSpace


def _as_parquet(text):
    header, *rows = csv.reader(io.StringIO(text))
    written = io.BytesIO()
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), written)
    return written.getvalue()


GOOD = (
    "d_op,d_width,acc,seconds,test\n"
    "a,1,0.5,10,0.4\na,2,0.6,20,0.5\nb,1,0.7,30,0.6\nb,2,0.8,40,0.7\n"
)
GOOD_FILES = {
    "csv": GOOD.encode(),
    "gzip": gzip.compress(GOOD.encode(), mtime=0),
    "parquet": _as_parquet(GOOD),
}
SPACE = {"d_op": ("a", "b"), "d_width": ("1", "2")}


@pytest.fixture
def space():
    return TableSpace(decisions=SPACE)


@pytest.fixture
def refusal(tmp_path, space):
    """The sentence with which a file of this content is refused."""

    def refused(content, **options):
        file = tmp_path / "bad.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(TableError) as caught:
            Table(space, table=str(file), **{"score": "acc", **options})
        sentence = str(caught.value)
        assert str(file) in sentence
        assert "\n" not in sentence
        return sentence

    return refused


def test_the_good_table_is_good(tmp_path, space):
    file = tmp_path / "good.csv"
    file.write_text(GOOD)
    assert Table(space, table=str(file), score="acc").measured()["rows"] == 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty; expected a first line of column names"),
        ("\n\n", "is empty; expected a first line of column names"),
        (",,\n1,2,3\n", "is empty; expected a first line of column names"),
        ("d_op,d_width,acc\n", "has column names but no rows; expected one row per architecture"),
        (GOOD.replace("seconds", "acc"), "names column 'acc' more than once; rename one of them"),
        (GOOD.replace("0.7,30", "good,30"), "row 3: column 'acc' holds 'good'; expected a number"),
        (GOOD.replace("0.7,30", ",30"), "row 3: column 'acc' is empty; expected a number"),
        (
            GOOD.replace("0.7,30", "nan,30"),
            "row 3: column 'acc' holds nan; expected a finite number",
        ),
        (
            GOOD.replace("0.7,30", "inf,30"),
            "row 3: column 'acc' holds inf; expected a finite number",
        ),
        (
            GOOD.replace("0.7,30", "1e999,30"),
            "row 3: column 'acc' holds inf; expected a finite number",
        ),
        (GOOD.replace("b,1", "a,2"), "rows 2 and 3 are the same architecture; keep one of them"),
        (
            GOOD.replace("b,1,0.7,30,0.6\n", ""),
            "lacks 1 of the 4 architectures of space 'table'; complete it, or let",
        ),
        (
            GOOD.replace("b,1", "c,1"),
            "row 3: no option of decision 'd_op' is called 'c'; there are a, b",
        ),
        (GOOD.replace("b,1", "b,1,1"), "row 3: has 6 cells, but the first line names 5 columns"),
        (GOOD.replace("b,1,", "b,"), "row 3: has 4 cells, but the first line names 5 columns"),
        (GOOD.replace("b,1", '"b,1'), "row 3: no valid CSV"),
        ('"d_op\n', "does not begin with a line of column names"),
        (
            GOOD.replace("b,1", "é,1").encode("latin-1"),
            "line 4: not UTF-8 text; save it as CSV in UTF-8",
        ),
        (b"PK\x03\x04\xff\xfe", "line 1: not UTF-8 text"),
        (
            gzip.compress(GOOD.encode(), mtime=0)[:-12],
            "is a damaged or truncated gzip file; fetch it again",
        ),
        (b"\x1f\x8b\x07garbage", "is a damaged or truncated gzip file"),
        (
            gzip.compress(GOOD.encode(), mtime=0)[:12] + b"\xff" * 30,
            "is a damaged or truncated gzip file",
        ),
        (b"PAR1 and nothing else", "is a damaged or truncated Parquet file; fetch it again"),
        (GOOD.replace("acc", "accuracy"), "no name is called 'acc'; there are accuracy, "),
        (
            GOOD.replace("d_op", "op"),
            "does not say which architecture of space 'table' a row is; name its decision",
        ),
    ],
)
def test_bad_content(refusal, content, sentence):
    assert sentence in refusal(content)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"score": "ac"},
            (
                "no name is called 'ac'; there are acc, d_op, d_width, seconds, test; did you "
                "mean "
                "'acc'?"
            ),
        ),
        ({"score": "acc +"}, "cannot be read; it may hold numbers"),
        (
            {"score": None},
            (
                "has no column 'score'; name another one of d_op, d_width, acc, seconds, test with "
                "--score"
            ),
        ),
        ({"score": "1"}, "reads no column; name one of d_op, d_width, acc, seconds, test"),
        ({"final": "2 + 2"}, "reads no column; name one of d_op, d_width, acc, seconds, test"),
        ({"score": "d_op"}, "row 1: column 'd_op' holds 'a'; expected a number"),
        (
            {"score": "log(acc - 0.5)"},
            "row 1: expression 'log(acc - 0.5)' takes a logarithm, root or power",
        ),
        (
            {"score": "1 / (acc - 0.7)"},
            "row 3: expression '1 / (acc - 0.7)' divides by zero where acc = 0.7",
        ),
        ({"cost": "secnds"}, "cost of table"),
        ({"cost": "15 - seconds"}, "row 2: the cost is -5; expected 0 or more seconds"),
        (
            {"final": "tset"},
            (
                "no name is called 'tset'; there are acc, d_op, d_width, seconds, test; "
                "did you mean 'test'?"
            ),
        ),
        ({"metrics": ["flops"]}, "no column is called 'flops'"),
        ({"metrics": ["d_op"]}, "row 1: column 'd_op' holds 'a'; expected a number"),
        ({"decisions": "x_*"}, "no decision column is called 'x_*'"),
        ({"decisions": ""}, "no decision column is called ''"),
        ({"decisions": "d_op,d_wdth"}, "no decision column is called 'd_wdth'; there are acc, "),
        ({"decisions": "d_w*"}, "has 1 decisions in d_width, but space 'table' has 2"),
        (
            {"decisions": "acc,d_op"},
            "row 1: no option of decision 'd_width' is called '0.5'; there are 1, 2",
        ),
        (
            {"decisions": "seconds"},
            "row 1: no option of decision 'd_op' is called '1'; there are a, b",
        ),
    ],
)
def test_bad_options(refusal, options, sentence):
    assert sentence in refusal(GOOD, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"score": "test"},
        {"score": "acc + 0 * test"},
        {"cost": "test"},
        {"metrics": ["test"]},
        {"decisions": "d_op,test"},
    ],
)
def test_what_judges_winners_may_not_be_read_by_the_search(refusal, options):
    assert "column 'test' of table" in refusal(GOOD, final="100 * test", **options)


def test_texts_of_unequal_length_hold_no_decisions(tmp_path):
    file = tmp_path / "text.csv"
    file.write_text("ops,acc\n012,1\n01,2\n")
    with pytest.raises(
        TableError, match=r"row 2: column 'ops' has 2 characters and row 1 has 3, but .* 'd_\*'"
    ):
        table_decisions(file, "ops")


def test_decisions_are_never_guessed(tmp_path):
    file = tmp_path / "good.csv"
    file.write_text(GOOD)
    with pytest.raises(
        TableError,
        match=r"which columns of table .* are decisions\? name them, .*--decisions 'd_\*'",
    ):
        table_decisions(file, None)


def test_an_empty_text_holds_no_decisions(tmp_path):
    file = tmp_path / "text.csv"
    file.write_text("ops,acc\n,1\n,2\n")
    with pytest.raises(TableError, match="row 1: column 'ops' has 0 characters"):
        table_decisions(file, "ops")


def test_a_missing_file_is_named_with_one_that_is_alike(tmp_path, space):
    (tmp_path / "trained.csv.gz").write_bytes(b"")
    with pytest.raises(
        TableError, match=r"there is no table .*trained\.csv'; did you mean .*trained\.csv\.gz'\?"
    ):
        Table(space, table=str(tmp_path / "trained.csv"), score="acc")
    with pytest.raises(TableError, match=r"there is no table .*; expected a CSV or Parquet file"):
        Table(space, table=str(tmp_path / "nowhere" / "table.csv"), score="acc")


def test_a_folder_is_no_table(tmp_path, space):
    with pytest.raises(TableError, match="is a folder; expected a CSV or Parquet file"):
        Table(space, table=str(tmp_path), score="acc")


def test_an_unreadable_file(tmp_path, space):
    file = tmp_path / "circle.csv"
    file.symlink_to(file)
    with pytest.raises(TableError, match=r"cannot be read: .*circle\.csv"):
        Table(space, table=str(file), score="acc")


def test_a_path_that_is_none(space):
    with pytest.raises(TableError, match="cannot be read: embedded null byte"):
        Table(space, table="table\0.csv", score="acc")


def _unpacking_to(rows):
    """Small files that hold many rows, gzipped and in Parquet, there also with one text for all."""
    text = "d_op,d_width,acc\n" + "a,1,0.5\n" * rows
    written = io.BytesIO()
    columns = {"d_op": ["a"] * rows, "d_width": ["1"] * rows, "acc": [0.5] * rows}
    pyarrow.parquet.write_table(pyarrow.table(columns), written)
    named, once = io.BytesIO(), pyarrow.array(["a" * 300]).dictionary_encode()
    columns["d_op"] = pyarrow.DictionaryArray.from_arrays([0] * rows, once.dictionary)
    pyarrow.parquet.write_table(pyarrow.table(columns), named)
    packed = gzip.compress(text.encode())
    return {"gzip": packed, "parquet": written.getvalue(), "named": named.getvalue()}


@pytest.mark.parametrize("form", ["gzip", "parquet", "named"])
def test_what_unpacks_to_more_than_a_table_may_hold(form, refusal, monkeypatch):
    content = _unpacking_to(500_000)[form]
    monkeypatch.setattr(_table_file, "LARGEST_UNPACKED", 1 << 20)
    monkeypatch.setattr(_table_file, "_PIECE", 1 << 16)
    assert len(content) < 1 << 17
    tracemalloc.start()
    assert "unpacks to more than 1,048,576 bytes; expected a smaller table" in refusal(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20  # the texts alone would be more than that


def test_many_members_of_a_gzip_file_are_counted_together(refusal, monkeypatch):
    monkeypatch.setattr(_table_file, "LARGEST_UNPACKED", 1 << 16)
    monkeypatch.setattr(_table_file, "_PIECE", 1 << 12)
    member = gzip.compress(b"a,1,0.5\n" * 1000)
    assert "unpacks to more than" in refusal(member * 20)


def test_parquet_without_pyarrow(tmp_path, space, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(_table_file, "import_module", missing)
    file = tmp_path / "table.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(
        TableError,
        match="is a Parquet file, which needs pyarrow; install it with `pip install pyarrow`",
    ):
        Table(space, table=str(file), score="acc")


def test_a_final_that_is_no_number_names_its_row(tmp_path, space):
    file = tmp_path / "table.csv"
    file.write_text(
        GOOD.replace("0.6\n", "good\n").replace("0.5\n", "\n").replace("0.4\n", "inf\n")
    )
    evaluator = Table(space, table=str(file), score="acc", final="test")
    assert evaluator.final(space.decode([1, 1])) == {"test": 0.7}
    for choices, sentence in (
        ([1, 0], "row 3: column 'test' holds 'good'; expected a number"),
        ([0, 1], "row 2: column 'test' is empty; expected a number"),
        ([0, 0], "needs a finite number as 'test', not inf"),
    ):
        with pytest.raises(TableError, match=sentence):
            evaluator.final(space.decode(choices))


def test_one_key_twice(tmp_path):
    space = load("space", "ladder")()
    keys = [space.decode(choices).key for choices in itertools.product(*map(range, space.counts))]
    file = tmp_path / "keys.csv"
    file.write_text("key,acc\n" + "".join(f"{key},1\n" for key in [keys[0], keys[0]]))
    with pytest.raises(
        TableError, match="rows 1 and 2 are the same architecture; keep one of them"
    ):
        Table(space, table=str(file), score="acc")
    file.write_text(f"key,acc\n{keys[0]},1\n")
    with pytest.raises(TableError, match=r"lacks \d+ of the 27 architectures of space 'ladder'"):
        Table(space, table=str(file), score="acc")


def test_a_column_of_no_genotypes(tmp_path):
    file = tmp_path / "genotypes.csv"
    file.write_text("genotype,acc\nnothing,1\n")
    with pytest.raises(TableError, match="row 1: "):
        Table(load("space", "ladder")(), table=str(file), score="acc")


def _damaged(good):
    """Bytes of a good file with some of them changed, cut out or put in."""
    places = st.integers(0, len(good) - 1)
    edits = st.lists(
        st.tuples(places, st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4
    )

    def edited(changes):
        content = good
        for place, length, new in changes:
            content = content[:place] + new + content[place + length :]
        return content

    return edits.map(edited)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300
)
@given(data=st.data(), form=st.sampled_from(["csv", "gzip", "parquet"]))
def test_any_damage_is_one_sentence_or_none(data, form, tmp_path, space):
    content = data.draw(_damaged(GOOD_FILES[form]))
    file = tmp_path / "damaged"
    file.write_bytes(content)
    sentence = ""
    try:
        judged = Table(space, table=str(file), score="acc", cost="seconds")
        score = judged.evaluate(
            space.decode([1, 1]), seed=0, workdir=tmp_path, report=lambda step, metrics: True
        ).score
        assert math.isfinite(score)
    except TableError as problem:
        sentence = str(problem)
    assert "\n" not in sentence


def test_numbers_that_are_no_texts_make_decisions_too(tmp_path):
    file = tmp_path / "table.parquet"
    columns = {"normal.0.width": [8, 16], "normal.0.wide": [False, True], "acc": [0.5, None]}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    assert table_decisions(file, "normal.*") == {
        "normal.0.width": ("8", "16"),
        "normal.0.wide": ("False", "True"),
    }
    space = TableSpace(decisions=table_decisions(file, "normal.*"))
    with pytest.raises(TableError, match="row 2: column 'acc' is empty; expected a number"):
        Table(space, table=str(file), score="acc")
