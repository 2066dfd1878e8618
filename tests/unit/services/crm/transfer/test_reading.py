"""How a CSV is written: encodings, delimiters, quotes, line ends, limits (issue 4, "Bad input"). Pure but for a file."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcrm.errors import UserError
from mailcrm.services.crm.transfer import reading
from mailcrm.services.crm.transfer.reading import ENCODINGS, encoding_of, lines, shape_of

JAPANESE = (
    "氏名,会社,メール\r\n山田 太郎,東京計器株式会社,yamada@tokyo.test\r\n髙橋 花子,㈱高島屋,hanako@tokyo.test\r\n"
)
PLAIN_JAPANESE = JAPANESE.replace("髙", "高").replace("㈱", "（株）")
WESTERN = (
    "Name,Organization,Email\r\nHélène Müller,Société Générale,helene@exemple.test\r\nBjörn Åberg,Øresund,b@o.test\r\n"
)


def cells(path: Path, data: bytes, **said: object) -> list[tuple[str, ...]]:
    path.write_bytes(data)
    return [line.cells for line in lines(path, shape_of(path, **said))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (JAPANESE, "utf-8", "UTF-8"),
        (JAPANESE, "utf-8-sig", "UTF-8"),
        (JAPANESE, "utf-16", "UTF-16 LE"),
        (JAPANESE, "utf-16-le", "UTF-16 LE"),
        (JAPANESE, "utf-16-be", "UTF-16 BE"),
        (JAPANESE, "cp932", "Shift_JIS"),
        (PLAIN_JAPANESE, "euc_jp", "EUC-JP"),
        (WESTERN, "cp1252", "Windows-1252"),
        (WESTERN, "utf-8", "UTF-8"),
        ("Name\nAnn\n", "ascii", "UTF-8"),
        ("Имя,Компания\n" + "Иван Петров,Северная верфь\n" * 20, "cp1251", "Windows-1251"),
    ],
)
def test_encodings_are_recognised(tmp_path: Path, text: str, codec: str, name: str) -> None:
    data = text.encode(codec)
    assert encoding_of(data) == name
    expected = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    assert cells(tmp_path / "x.csv", data) == expected


@pytest.mark.parametrize("name", list(ENCODINGS))
def test_every_encoding_can_be_chosen(tmp_path: Path, name: str) -> None:
    data = "Name,Email\nAnn,a@b.test\n".encode(ENCODINGS[name])
    assert cells(tmp_path / "x.csv", data, encoding=name) == [("Ann", "a@b.test")]


def test_big_endian_mark() -> None:
    assert encoding_of(codecs.BOM_UTF16_BE + "Name".encode("utf-16-be")) == "UTF-16 BE"


def test_an_encoding_that_can_not_be_told_is_asked_for() -> None:
    with pytest.raises(UserError) as error:
        encoding_of(b"Name\nAnn\nBob \x81\x8d\x8f\xfe\xff\n")
    assert (error.value.code, error.value.params["line"]) == ("import.encoding", 3)


def test_a_wrong_choice_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"Name\nAnn\n" + "Hélène".encode("cp1252") + b"\n")
    with pytest.raises(UserError) as error:
        shape_of(path, "UTF-8")
    assert (error.value.code, error.value.params["line"]) == ("import.undecodable", 3)


@pytest.mark.parametrize("delimiter", reading.DELIMITERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    sign = reading.DELIMITERS[delimiter]
    rows = [["Name", "Value", "Note"], ["Ann, B; C", "1,5", 'a "quoted" word'], ["Bob", "2", f"two{end}lines"]]
    text = end.join(sign.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows) + end
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    shape = shape_of(path)
    assert (shape.delimiter, shape.names, shape.rows) == (delimiter, ("Name", "Value", "Note"), 2)
    assert [line.cells[0] for line in lines(path, shape)] == ["Ann, B; C", "Bob"]


def test_decimal_commas_are_no_delimiters(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Titel;Wert\nA;1,5\nB;2,75\n")
    assert shape_of(path).delimiter == "semicolon"


def test_excels_hint_is_heard_and_no_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("sep=;\nName;Email\nAnn;a@b.test\n")
    shape = shape_of(path)
    assert (shape.delimiter, shape.names) == ("semicolon", ("Name", "Email"))


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('Name,Note\n\nAnn,"a\nb"\n , \nBob,c\n')
    assert [(line.number, line.cells[0]) for line in lines(path, shape_of(path))] == [(3, "Ann"), (6, "Bob")]
    assert [line.number for line in lines(path, shape_of(path), after=3)] == [6]


def test_ragged_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Name,Email\nAnn\nBob,b@c.test,,\nCid,c@d.test,more\n")
    found = list(lines(path, shape_of(path)))
    assert [line.cells for line in found[:2]] == [("Ann", ""), ("Bob", "b@c.test")]
    assert found[2].problem == ("import.ragged", {"found": 3, "wanted": 2})


def test_a_file_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Ann,a@b.test\nBob,b@c.test\n")
    shape = shape_of(path)
    assert (shape.header, shape.rows, shape.names) == (False, 2, ("", ""))
    assert len(list(lines(path, shape))) == 2
    assert shape_of(path, header=True).rows == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "import.empty"),
        (b"\n\n , \n", "import.empty"),
        (b"Name,Email\n", "import.only_header"),
        (b"PK\x03\x04 a workbook", "import.workbook"),
        (b"\xd0\xcf\x11\xe0 an old one", "import.workbook"),
        (b"Name,Note\nAnn,b\nBob,\"" + b"x" * 30_000, "import.cell"),
        (b"Name,Note\nBob,\"" + b"x,y\n" * 100_000, "import.quote"),
        (b"Name\n" + b"x" * 600_000 + b"\n", "import.quote"),
        (b"a," * 300 + b"\nb\n", "import.too_many_columns"),
        (b"N\n" + b"x\n" * 100_001, "import.too_many_rows"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_said(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        shape_of(path)
    assert error.value.code == code
    assert str(error.value)


def test_a_stray_nul_is_no_utf_16(tmp_path: Path) -> None:
    data = b"Name,Email\n" + b"Ann,a@b.test\n" * 20 + b"Bo\x00b,b@c.test\n"
    assert encoding_of(data) == "UTF-8"
    assert cells(tmp_path / "x.csv", data)[-1][1] == "b@c.test"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    """Never an exception that has no sentence."""
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    try:
        shape = shape_of(path)
        found = list(lines(path, shape))
    except UserError:
        return
    assert len(found) == shape.rows
    assert all(line.problem or len(line.cells) == len(shape.names) for line in found)
