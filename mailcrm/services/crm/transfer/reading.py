"""From the bytes of a CSV file to lines of cells: encoding, delimiter, quotes, line ends, header.

Pure but for the file it is given. Holds one line at a time; limits keep a hostile file from costing more. The encoding
is recognised or said to be unknown with the line that shows it: wrong letters in names are worse than a question.
Does not know what columns mean (fields.py).
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mailcrm.errors import UserError
from mailcrm.services.crm.transfer import fields
from mailcrm.services.crm.transfer.formulas import original
from mailcrm.services.mail.parse import guess

MOST_BYTES = 20_000_000
MOST_ROWS = 100_000
MOST_COLUMNS = 200
MOST_CELL = 20_000  # characters; longer cells are quotes that never close
LOOKED_AT = 60  # rows that show the delimiter
#: What can be chosen by hand: name -> Python's codec.
ENCODINGS = {
    "UTF-8": "utf-8-sig",
    "UTF-16 LE": "utf-16-le",
    "UTF-16 BE": "utf-16-be",
    "Shift_JIS": "cp932",
    "EUC-JP": "euc_jp",
    "Windows-1252": "cp1252",
    "Windows-1250": "cp1250",
    "Windows-1251": "cp1251",
    "Windows-1253": "cp1253",
    "Windows-1254": "cp1254",
    "Windows-1255": "cp1255",
    "Windows-1256": "cp1256",
    "KOI8-U": "koi8_u",
    "GB18030": "gb18030",
    "Big5": "cp950",
    "EUC-KR": "cp949",
    "Windows-874": "cp874",
    "Macintosh": "mac_roman",
}
_NAME_OF = {codec: name for name, codec in ENCODINGS.items()}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_KANJI_OF_EVERY_DAY = re.compile(rb"[\xb0-\xcf]")  # rows 16 to 47 of JIS X 0208: level 1
_KANA = re.compile("[\u3005\u3041-\u30ff\u3001\u3002\u300c\u300d\uff01-\uff5e\u3000]")
_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n?', re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")  # what a header has none of; a column may be called "@home"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written. `names`: of the columns, "" where the header has none; `rows`: lines with data."""

    encoding: str
    delimiter: str
    header: bool
    names: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Line:
    """One record; `number` is where it begins in the file, counted from 1. `problem`: an error's code and parameters."""

    number: int
    cells: tuple[str, ...]
    problem: tuple[str, dict[str, object]] | None = None


def shape_of(path: Path, encoding: str = "", delimiter: str = "", header: bool | None = None) -> Shape:
    """Recognise how a file is written; what is given is taken as it is. Reads the whole file once.

    Raises UserError("import.…") when it can't be read so.
    """
    size = path.stat().st_size
    if not size:
        raise UserError("import.empty")
    if size > MOST_BYTES:
        raise UserError("import.too_large", most=MOST_BYTES // 1_000_000)
    encoding = encoding if encoding in ENCODINGS else encoding_of(path.read_bytes())
    delimiter = delimiter if delimiter in DELIMITERS else _delimiter(path, encoding)
    first: tuple[str, ...] = ()
    count = 0
    for _number, cells in _records(path, encoding, delimiter):
        if not count:
            first = cells
        count += 1
    if not count:
        raise UserError("import.empty")
    if header is None:
        header = not any(_ADDRESS.search(cell) for cell in first) or fields.is_own(first) or fields.is_pipedrive(first)
    names = tuple(original(name) for name in first) if header else ("",) * len(first)
    rows = count - header
    if rows < 1:
        raise UserError("import.only_header")
    if rows > MOST_ROWS:
        raise UserError("import.too_many_rows", most=MOST_ROWS)
    return Shape(encoding, delimiter, header, tuple(" ".join(name.split())[:200] for name in names), rows)


def lines(path: Path, shape: Shape, after: int = 0) -> Iterator[Line]:
    """Give the lines with data behind line `after`, each with as many cells as there are columns."""
    width, skipped = len(shape.names), not shape.header
    for number, cells in _records(path, shape.encoding, shape.delimiter):
        if not skipped:
            skipped = True
            continue
        if number <= after:
            continue
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            yield Line(number, cells, ("import.ragged", {"found": len(cells), "wanted": width}))
        else:
            yield Line(number, tuple(original(cell) for cell in (*cells, *("",) * width)[:width]))


def encoding_of(data: bytes) -> str:
    """Return the name of the encoding; UserError("import.encoding") with the line where it can't be told."""
    for mark, name in (
        (codecs.BOM_UTF8, "UTF-8"),
        (codecs.BOM_UTF16_LE, "UTF-16 LE"),
        (codecs.BOM_UTF16_BE, "UTF-16 BE"),
    ):
        if data.startswith(mark):
            return name
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UserError("import.workbook")
    zeros_even, zeros_odd = data[0::2].count(0), data[1::2].count(0)
    if zeros_odd * 40 > len(data) and not zeros_even:  # commas and line ends at least; fewer are stray NULs
        return "UTF-16 LE"
    if zeros_even * 40 > len(data) and not zeros_odd:
        return "UTF-16 BE"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = error.start
    else:
        return "UTF-8"
    for name in ("EUC-JP", "Shift_JIS"):
        if _is_japanese(data, ENCODINGS[name]):
            return name
    found = _NAME_OF.get(guess.guess(data) or "")
    if found:
        return found
    if _is_western(data):
        return "Windows-1252"
    raise UserError("import.encoding", line=data.count(b"\n", 0, place) + 1)


def _is_japanese(data: bytes, codec: str) -> bool:
    """Whether most of what is beyond ASCII is kana, full-width signs or one of the 3,000 commonest kanji."""
    try:
        beyond = [char for char in data.decode(codec) if char > "\x7f"]
    except UnicodeDecodeError:
        return False
    if not beyond:
        return False
    usual = 0
    for char in beyond:
        if _KANA.match(char):
            usual += 1
        elif "\u4e00" <= char <= "\u9fff":
            usual += bool(_KANJI_OF_EVERY_DAY.match(char.encode("euc_jp", "replace")))
    return usual >= len(beyond) * 0.8


def _is_western(data: bytes) -> bool:
    """Whether the bytes beyond ASCII stand in words, as the accented letters of European names do."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    beyond = [char for char in text if char > "\x7f"]
    controls = sum(char < " " and char not in "\t\r\n" for char in text)
    fine = sum(char.isalpha() or char in "€£°§«»–—‘’“”…·®©™²³½¼ \xa0" for char in beyond)
    letters = sum(char.isascii() and char.isalpha() for char in text)
    return not controls and fine >= len(beyond) * 0.9 and len(beyond) * 2 <= letters


def _delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that gives the header most columns and later rows as many."""
    best, best_score = "comma", (0.0, 0)
    for name in DELIMITERS:
        if (said := _said(path, encoding)) is not None:
            return said
        widths: list[int] = []
        try:
            for _number, cells in _records(path, encoding, name):
                widths.append(len(cells))
                if len(widths) >= LOOKED_AT:
                    break
        except UserError as error:
            if error.code in ("import.quote", "import.cell", "import.too_many_columns"):
                continue
            raise
        if widths and widths[0] > 1:
            alike = Counter(widths)[widths[0]] / len(widths)
            best, best_score = max((best, best_score), (name, (round(alike, 1), widths[0])), key=lambda pair: pair[1])
    return best


def _said(path: Path, encoding: str) -> str | None:
    """Excel's own hint in the first line."""
    with path.open(encoding=ENCODINGS[encoding], errors="replace", newline="") as handle:
        found = _SEP_LINE.fullmatch(handle.readline(20))
    return next((name for name, char in DELIMITERS.items() if found and char == found[1]), None)


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Give each record that is not blank, with the line where it begins."""
    number = begins = 1
    with path.open(encoding=ENCODINGS[encoding], newline="") as handle:
        reader = csv.reader(_counted(handle), delimiter=DELIMITERS[delimiter])
        try:
            while True:
                begins = number
                cells = next(reader, None)
                if cells is None:
                    return
                number = reader.line_num + 1
                if begins == 1 and cells:
                    cells[0] = cells[0].removeprefix("\ufeff")
                    if len(cells) <= 2 and re.fullmatch("sep=.?", cells[0], re.IGNORECASE):
                        continue
                if len(cells) > MOST_COLUMNS:
                    raise UserError("import.too_many_columns", line=begins, most=MOST_COLUMNS)
                if any(len(cell) > MOST_CELL for cell in cells):
                    raise UserError("import.cell", line=begins, most=MOST_CELL)
                if any(cell.strip() for cell in cells):
                    yield begins, tuple(cells)
        except UnicodeDecodeError as error:
            # The reader decodes in blocks; count on from where they begin to name the line itself.
            raise UserError("import.undecodable", line=_line_of(path, encoding), encoding=encoding) from error
        except csv.Error as error:
            raise UserError("import.quote", line=begins) from error


def _counted(handle: Iterator[str]) -> Iterator[str]:
    """Give the lines of a file; one without an end costs no more than the longest record may have."""
    for line in handle:
        if len(line) > MOST_CELL * 20:
            raise csv.Error
        yield line


def _line_of(path: Path, encoding: str) -> int:
    """Return the line of the first byte that the encoding does not have."""
    data = path.read_bytes()
    try:
        data.decode(ENCODINGS[encoding])
    except UnicodeDecodeError as error:
        return data[: error.start].decode(ENCODINGS[encoding], "replace").count("\n") + 1
    return 1
