"""A pass over the lines of an import: cut into batches, read, decided about, and what is wrong with them kept."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import delete
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import Import, ImportProblem
from mailcrm.services.crm.transfer import decide, drafts, fields, reading
from mailcrm.services.crm.transfer.directory import Directory
from mailcrm.services.crm.transfer.drafts import Draft, Reading
from mailcrm.services.crm.transfer.formulas import neutral
from mailcrm.services.crm.transfer.how import path_of, shape_of
from mailcrm.services.crm.transfer.reading import Line
from mailcrm.services.rows import chunks, run, table_of

BATCH = 200  # lines written in one transaction: tens of milliseconds


def batches(found: Iterable[Line], size: int = BATCH) -> Iterator[list[Line]]:
    """Cut lines into lists."""
    part: list[Line] = []
    for line in found:
        part.append(line)
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part


def read_drafts(part: Iterable[Line], said: Reading) -> tuple[list[Draft], list[tuple[int, UserError]]]:
    """Read lines; what is wrong with the others is in the second list."""
    made: list[Draft] = []
    errors: list[tuple[int, UserError]] = []
    for line in part:
        try:
            made.append(drafts.draft(line, said))
        except UserError as error:
            errors.append((line.number, error))
    return made, errors


def decided(
    made: Iterable[Draft], known: Directory, rules: decide.Rules, counts: Counter[str]
) -> list[tuple[int, UserError]]:
    """Decide about drafts and count what they become; return the lines that can't be imported."""
    errors: list[tuple[int, UserError]] = []
    for draft in made:
        try:
            counts[decide.decide(draft, known, rules)] += 1
        except UserError as error:
            errors.append((draft.line, error))
    return errors


def keep_problems(
    session: Session, import_id: int, wrong: Iterable[tuple[int, UserError]], *, anew: bool = False
) -> None:
    """Keep what is wrong with lines; `anew` forgets what was kept before."""
    if anew:
        run(session, delete(ImportProblem).where(col(ImportProblem.import_id) == import_id))
    table = [
        {"import_id": import_id, "line": line, "code": error.code, "params": dict(error.params)}
        for line, error in wrong
    ]
    for part in chunks(table):
        session.connection().execute(table_of(ImportProblem).insert(), part)


def bad_csv(row: Import, why: Mapping[int, str]) -> Iterator[bytes]:
    """Give the lines that `why` has a reason for."""
    yield b"\xef\xbb\xbf"
    shape = shape_of(row)
    heads = (neutral(name) for name in shape.names) if shape.header else ("",) * len(shape.names)
    yield _csv((*heads, fields.BAD_LINE, fields.BAD_REASON))
    for line in reading.lines(path_of(row.id or 0), shape):
        if line.number in why:
            cells = (*line.cells, *("",) * len(shape.names))[: max(len(shape.names), len(line.cells))]
            yield _csv((*(neutral(cell) for cell in cells), str(line.number), neutral(why[line.number])))


def _csv(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow(cells)
    return out.getvalue().encode("utf-8", "replace")
