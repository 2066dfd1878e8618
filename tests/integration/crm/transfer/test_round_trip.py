"""Exports: what the actor may see, harmless in spreadsheets, and imported again they change nothing (security.md 25)."""

from __future__ import annotations

import csv
import io
import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from mailcrm.models import CustomField, CustomValue, Label, LabelUse, Lead, Organization, Person, RoleAccess
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, organizations, people
from mailcrm.services.crm.transfer import imports, run
from mailcrm.services.crm.transfer.export import BOM, export
from mailcrm.services.db import reading, transaction
from tests.builders import a_user

HOSTILE = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "=cmd|' /C calc'!A0", "'=1", "''+2", "＝1+1", "＋1", "－1", "＠x",
    '=HYPERLINK("http://evil.example","x")', ";=1+1", 'a";=1', "=DDE(\"cmd\";\"/C calc\")", "-2+3+cmd|' /C calc'!A0",
]  # fmt: skip
KINDS = ("person", "organization", "deal", "lead")


def rows_of(actor: Actor, kind: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(export(actor, kind)).decode())))


def again(actor: Actor, kind: str) -> tuple[int, int, int, int]:
    """Import an export; what it made, changed, left and could not read."""
    view = imports.upload(actor, kind, f"{kind}.csv", b"".join(export(actor, kind, bom=True)))
    look = imports.preview(actor, view.id)
    imports.start(actor, view.id)
    run.run_import(view.id)
    done = imports.get_import(actor, view.id)
    assert (done.made, done.changed, done.same, done.wrong) == (look.made, look.changed, look.same, look.wrong)
    return done.made, done.changed, done.same, done.wrong


def a_workspace(actor: Actor) -> None:
    """Rows of every kind with everything they can have."""
    mika = people.create_person(
        actor, name="Mika =Aaltonen", addresses=["mika@saimaa.test", "m@home.test"], phones=["+358 40 1", "09, ext. 2"],
        organization="Saimaa, “Instruments”", job_title="-CEO",
    )  # fmt: skip
    people.create_person(actor, name="Mika =Aaltonen", addresses=["mika@saimaa.test"])
    people.create_person(actor, name="山田 太郎")
    organizations.create_organization(actor, name="=Evil", domains=["evil.test", "other.test"])
    for title, minor, code in (("One", -123456, "EUR"), ("Two", 70000, "JPY"), ("Three", 1234, "KWD")):
        made = deals.create_deal(
            actor,
            title=f"@{title}",
            value_minor=minor,
            currency=code,
            person_id=mika.card.id,
            expected_close=date(2027, 1, 2),
        )
        if title == "Two":
            deals.lose(actor, made.card.id, "=Too dear")
    leads.create_lead(actor, title="+lead", value_minor=5, currency="USD", person_id=mika.card.id)
    leads.archive(actor, leads.create_lead(actor, title="No value").id)
    with transaction() as session:
        label = Label(kind="person", name="Hot; very, =hot")
        fields = [CustomField(kind="person", type=type_, name=f"Own {type_}", options=[{"id": 1, "name": "=A"}] if type_ == "choice" else []) for type_ in ("text", "number", "money", "date", "choice")]  # fmt: skip
        for row in (label, *fields):
            session.add(row)
        session.flush()
        session.add(LabelUse(label_id=label.id or 0, person_id=mika.card.id))
        values = (
            {"text": "=x"},
            {"number": -1.5e-7},
            {"minor": -5, "currency": "USD"},
            {"day": date(2026, 5, 6)},
            {"option": 1},
        )
        for field, value in zip(fields, values, strict=True):
            session.add(CustomValue(field_id=field.id or 0, person_id=mika.card.id, **value))  # type: ignore[arg-type]


def test_an_export_imported_again_changes_nothing(db: str) -> None:
    actor = a_user()
    a_workspace(actor)
    for kind, count in (("person", 3), ("organization", 2), ("deal", 3), ("lead", 2)):
        before = rows_of(actor, kind)
        assert again(actor, kind) == (0, 0, count, 0), kind
        assert rows_of(actor, kind) == before
        assert len(before) == count


def test_no_cell_begins_as_a_formula(db: str) -> None:
    actor = a_user()
    a_workspace(actor)
    for name in HOSTILE:
        people.create_person(actor, name=name, organization=name, job_title=name, phones=[name])
    deals.create_deal(actor, title=HOSTILE[0])
    for kind in KINDS:
        for row in rows_of(actor, kind):
            for head, cell in row.items():
                number = re.fullmatch(r"-?\d+(\.\d+)?( [A-Z]{3})?", cell)
                assert number or not re.match("[=+\\-@\t\r＝＋－＠]", cell), (head, cell)
    assert again(actor, "person")[1:] == (0, 3 + len(HOSTILE), 0)


def test_another_workspace_takes_no_row_for_its_own(db: str) -> None:
    """IDs carry the workspace they are of: the same number there is another row."""
    actor = a_user()
    people.create_person(actor, name="Mika", addresses=["mika@saimaa.test"])
    text = b"".join(export(actor, "person")).decode()
    other = re.sub(r'"[0-9a-f]{8}-1"', '"00000000-1"', text).replace("Mika", "Sana").replace("mika@", "sana@")
    for expected in ((1, 0), (0, 0)):  # and again it is known by that ID
        view = imports.upload(actor, "person", "x.csv", other.encode())
        imports.start(actor, view.id)
        run.run_import(view.id)
        done = imports.get_import(actor, view.id)
        assert (done.made, done.changed) == expected
    assert {row["Name"] for row in rows_of(actor, "person")} == {"Mika", "Sana"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_has_what_the_actor_may_see(db: str, kind: str) -> None:
    """M24's rows: with the scope "own" a colleague's rows are in no export, nor are they changed by an import."""
    aino, sana = a_user("Aino"), a_user("Sana")
    a_workspace(sana)
    with transaction() as session:
        for each in KINDS:
            session.add(RoleAccess(role="member", kind=each, scope="own"))
    with reading() as session:
        aino = access.actor_for(session, aino.user_id)
        sana = access.actor_for(session, sana.user_id)
    assert rows_of(sana, kind)
    assert rows_of(aino, kind) == []
    theirs = b"".join(export(sana, kind))
    view = imports.upload(aino, kind, "x.csv", theirs.replace(rows_of(sana, kind)[0]["Owner"].encode(), b"nobody"))
    imports.start(aino, view.id)
    run.run_import(view.id)
    assert imports.get_import(aino, view.id).changed == 0
    assert b"".join(export(sana, kind)) == theirs  # a copy of Aino's own was made, Sana's rows are as they were


def test_the_mark_for_excel(db: str) -> None:
    actor = a_user()
    assert b"".join(export(actor, "person", bom=True)).startswith(BOM)
    assert not b"".join(export(actor, "person")).startswith(BOM)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5))
def test_whatever_people_type_comes_back(sqlite_db: object, found: list[tuple[str, str, str]]) -> None:
    """A round trip of names, organizations and telephone numbers of any characters."""
    actor = a_user()
    for name, organization, phone in found:
        if name.strip().strip("".join(map(chr, range(32)))) and "".join(name.split()):
            try:
                people.create_person(actor, name=name, organization=organization, phones=[phone])
            except Exception:  # refused when typed: a name of control characters
                continue
    for kind in ("person", "organization"):
        before = rows_of(actor, kind)
        made, changed, _same, wrong = again(actor, kind)
        assert (made, changed, wrong) == (0, 0, 0)
        assert rows_of(actor, kind) == before


def test_what_is_in_the_trash_is_not_exported(db: str) -> None:
    actor = a_user()
    a_workspace(actor)
    with transaction() as session:
        for model in (Person, Organization, Lead):
            for row in session.exec(select(model)):
                row.deleted_at = row.created_at
                session.add(row)
    assert rows_of(actor, "person") == []
    assert [row["Contact person"] for row in rows_of(actor, "deal")] == ["", "", ""]


def test_heads_reasons_and_other_delimiters_bring_no_formula(db: str) -> None:
    """security.md threat 25: fields and columns that are called so, and programs that cut lines at ";" or tabs."""
    actor = a_user()
    with transaction() as session:
        session.add(CustomField(kind="person", type="text", name="=1+1"))
    text = 'split;=1+1\t=1+1\n=1+1\r=1+1;"=1+1'
    people.create_person(actor, name="split;=1+1", organization="a;\"'=1+1", phones=["1", "+358 1"])
    organizations.create_organization(actor, name="Evil", address=text)
    view = imports.upload(actor, "person", "x.csv", b'Name,=2+2,Email\n"b;=1+1",=3,nobody\nc,,+a@' + b"crm.test\n")
    imports.preview(actor, view.id)
    files = [b"".join(export(actor, kind)) for kind in KINDS] + [b"".join(imports.bad_lines(actor, view.id))]
    assert b"=2+2" in files[-1]
    for data in files:
        for delimiter in ",;\t":
            for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter):
                assert not [cell for cell in row if re.match("[=+@＝]", cell)], (delimiter, row)
    assert again(actor, "person") == (0, 0, 1, 0)
    assert again(actor, "organization") == (0, 0, 2, 0)
    with reading() as session:
        assert session.exec(select(CustomField.name)).all() == ["=1+1"]
