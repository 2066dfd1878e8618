"""20,000 lines at once, and files made to hurt (issue 4, "Bad input")."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from sqlmodel import col, func, select

from mailcrm.errors import UserError
from mailcrm.models import AuditEntry, Import, ImportMade, Organization, Person, PersonAddress
from mailcrm.services.crm import people
from mailcrm.services.crm.transfer import how, imports, run
from mailcrm.services.crm.transfer.export import export
from mailcrm.services.db import reading
from tests.builders import a_user

LINES = 20_000
MOST_MEMORY = 60_000_000  # bytes over what stood before; one transaction of all lines took 190 MB


def count(model: type) -> int:
    with reading() as session:
        return session.exec(select(func.count()).select_from(model)).one()


@pytest.mark.slow
def test_twenty_thousand_lines(sqlite_db: object) -> None:
    """In batches: memory does not grow with the file, and again changes nothing."""
    actor = a_user()
    text = "Name,Email,Phone,Organization\n" + "".join(
        f"Person {n},p{n}@many{n % 900}.test,+49 {n},Organization {n % 900}\n" for n in range(LINES)
    )
    view = imports.upload(actor, "person", "many.csv", text.encode())
    imports.start(actor, view.id)
    del text
    gc.collect()
    tracemalloc.start()
    run.run_import(view.id)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    done = imports.get_import(actor, view.id)
    assert (done.made, done.wrong, done.state) == (LINES, 0, "done")
    assert (count(Person), count(PersonAddress), count(Organization)) == (LINES, LINES, 900)
    assert count(ImportMade) == LINES + 900
    assert peak < MOST_MEMORY
    assert sum(part.count(b"\r\n") for part in export(actor, "person")) == LINES + 1
    imports.undo(actor, view.id)
    assert people.list_people(actor).rows == ()


def test_every_change_is_in_the_audit_trail(db: str) -> None:
    actor = a_user()
    view = imports.upload(actor, "person", "x.csv", b"Name,Organization\nMika,Saimaa\n")
    imports.start(actor, view.id)
    run.run_import(view.id)
    with reading() as session:
        found = session.exec(select(AuditEntry.verb, AuditEntry.object_kind).order_by(col(AuditEntry.id))).all()
    assert ("create", "person") in found
    assert ("create", "organization") in found


@pytest.mark.parametrize("kind", ["person", "organization", "deal", "lead"])
@pytest.mark.parametrize(
    "cells",
    [
        ("x" * 5_000, "", ""),
        ("\x00\x01\x02", "", ""),
        ("ok", "\x00", "9" * 5000),
        ("\ud7ff\ufffe", "a@b.test" * 50, "1/1/1/1"),
        ("'; DROP TABLE persons; --", "a'@b.test", "=1"),
        ("ok", ", ".join(f"a{n}@b.test" for n in range(100)), "-"),
        ("<script>alert(1)</script>", "{name}", "{0}"),
        ("ok", "%s%n", "1" * 30 + ".5"),
        ("𠮷野家🍣", "ü@exämple.test", "٣"),
    ],
)
def test_hostile_cells_are_imported_or_refused_line_by_line(db: str, kind: str, cells: tuple[str, str, str]) -> None:
    """A line that can't be imported has a sentence, and the line behind it is imported."""
    actor = a_user()
    heads = {
        "person": "Name,Email,Phone",
        "organization": "Name,Domain,Address",
        "deal": "Title,Email,Value",
        "lead": "Title,Email,Value",
    }[kind]
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    last = {"organization": "Last,last.test,"}.get(kind, "Last,last@line.test,")
    view = imports.upload(actor, kind, "../../x\x00.csv", f"{heads}\n{line}\n{last}\n".encode())
    assert "/" not in view.filename
    look = imports.preview(actor, view.id)
    assert look.made + look.wrong + look.changed + look.same == 2 or (look.made, look.wrong) == (1, 0)
    assert all(each.sentence for each in look.problems)
    imports.start(actor, view.id)
    run.run_import(view.id)
    done = imports.get_import(actor, view.id)
    assert done.state == "done"
    assert (done.made, done.wrong) == (look.made, look.wrong)
    assert done.made >= 1
    b"".join(export(actor, kind))
    b"".join(imports.bad_lines(actor, view.id))


def test_a_file_that_can_not_be_read_leaves_nothing(db: str) -> None:
    actor = a_user()
    for data in (b"", b"PK\x03\x04", b"Name\n", b"\xff" * 300):
        with pytest.raises(UserError):
            imports.upload(actor, "person", "x.csv", data)
    assert count(Import) == 0
    assert not list(how.path_of(1).parent.glob("*.csv"))


def test_a_file_that_went_away_stops_the_import(db: str) -> None:
    actor = a_user()
    view = imports.upload(actor, "person", "x.csv", b"Name\nMika\n")
    imports.start(actor, view.id)
    how.path_of(view.id).unlink()
    run.run_import(view.id)
    done = imports.get_import(actor, view.id)
    assert (done.state, done.error) == ("stopped", "import.no_file")
