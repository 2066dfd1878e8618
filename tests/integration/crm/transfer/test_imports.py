"""Importing CSV files into a database: mapping, dry run, idempotence, errors by line, undo (issue 4, Deliver 6; B14)."""

from __future__ import annotations

import csv
import io

import pytest
from sqlmodel import col, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import (
    CustomField,
    CustomValue,
    Deal,
    DealStage,
    Import,
    Lead,
    Message,
    Organization,
    Person,
    PersonAddress,
    Stage,
)
from mailcrm.services.access import Actor
from mailcrm.services.crm import consent, deals, leads, organizations, people
from mailcrm.services.crm.transfer import imports, passes, run
from mailcrm.services.crm.transfer.views import ImportView, PreviewView
from mailcrm.services.db import reading, transaction
from tests.builders import a_mailbox, a_message, a_user

PEOPLE = """Person - Name,Person - Email - Work,Person - Email - Home,Person - Phone - Work,Person - Organization,Person - Owner,Person - Label,Person - ID
Mika Aaltonen,mika@saimaa.test,mika@home.test,+358 40 123 4567,Saimaa Instruments,boss@crm.test,"Hot, Customer",11
山田 太郎,yamada@tokyo.test,,03-1234-5678,東京計器株式会社,,,12
No Address,,,,Saimaa Instruments,,,13
"""
DEALS = """Deal - Title,Deal - Value,Deal - Currency of Value,Deal - Pipeline,Deal - Stage,Deal - Status,Deal - Contact person,Person - Email - Work,Deal - Organization,Deal - Deal created,Deal - Won time,Deal - Lost time,Deal - Lost reason,Deal - Expected close date,Deal - ID
Calibration,"1,234.50",EUR,Main pipeline,Demo,Open,Mika Aaltonen,mika@saimaa.test,Saimaa Instruments,2025-11-03 09:15:00,,,,2026-12-24,1
Scales,900,USD,Main pipeline,Qualified,Won,Mika Aaltonen,mika@saimaa.test,Saimaa Instruments,2025-01-02 10:00:00,2025-02-03 11:00:00,,,,2
Lost one,70000,JPY,Main pipeline,Proposal,Lost,山田 太郎,yamada@tokyo.test,東京計器株式会社,2025-01-02 10:00:00,,2025-03-04 12:00:00,Too dear,,3
"""


def imported(actor: Actor, kind: str, text: str | bytes, **said: object) -> ImportView:
    """Upload, look, start and run; the dry run has to be right about what happens."""
    data = text.encode() if isinstance(text, str) else text
    view = imports.upload(actor, kind, "file.csv", data)
    if said:
        imports.change_import(actor, view.id, **said)  # type: ignore[arg-type]
    expected = imports.preview(actor, view.id)
    imports.start(actor, view.id)
    run.run_import(view.id)
    done = imports.get_import(actor, view.id)
    assert (done.state, done.error) == ("done", "")
    assert (done.made, done.changed, done.same, done.wrong) == counts(expected)
    assert done.done == done.rows
    return done


def counts(view: PreviewView | ImportView) -> tuple[int, int, int, int]:
    return (view.made, view.changed, view.same, view.wrong)


def count(model: type) -> int:
    with reading() as session:
        return session.exec(select(func.count()).select_from(model).where(col(model.deleted_at).is_(None))).one()


def test_people_of_pipedrive_come_with_all_they_have(db: str) -> None:
    actor, boss = a_user("Aino"), a_user("Boss", email="boss@crm.test")
    done = imported(actor, "person", PEOPLE)
    assert counts(done) == (3, 0, 0, 0)
    assert done.source == "pipedrive"
    mika = people.get_person(actor, people.list_people(actor, "Mika").rows[0].id)
    assert mika.addresses == ("mika@saimaa.test", "mika@home.test")
    assert mika.phones == ("+358 40 123 4567",)
    assert mika.organization is not None
    assert mika.organization.name == "Saimaa Instruments"
    with reading() as session:
        owners = {row.name: row.owner_id for row in session.exec(select(Person))}
    assert owners == {"Mika Aaltonen": boss.user_id, "山田 太郎": actor.user_id, "No Address": actor.user_id}
    assert count(Organization) == 2


def test_imported_people_are_what_their_addresses_chose(db: str) -> None:
    """T09: who turned tracking off before is not a stranger again because a file names them."""
    actor = a_user("Aino")
    with transaction() as session:
        consent.choose(session, "MIKA@home.test", "refused", None)
    imported(actor, "person", PEOPLE)
    with reading() as session:
        found = {row.name: row.consent for row in session.exec(select(Person))}
    assert found == {"Mika Aaltonen": "refused", "山田 太郎": "unknown", "No Address": "unknown"}


@pytest.mark.parametrize(
    "text",
    [PEOPLE, PEOPLE.replace(",Person - ID", "").replace(",11\n", "\n").replace(",12\n", "\n").replace(",13\n", "\n")],
)
def test_again_changes_nothing(db: str, text: str) -> None:
    """By ID, and by address or name and organization without one."""
    actor = a_user()
    imported(actor, "person", text)
    assert counts(imported(actor, "person", text)) == (0, 0, 3, 0)
    assert count(Person) == 3
    assert count(Organization) == 2


def test_again_with_other_cells_changes_these(db: str) -> None:
    actor = a_user()
    imported(actor, "person", PEOPLE)
    other = PEOPLE.replace("Mika Aaltonen", "Mikael Aaltonen").replace("mika@home.test", "mika@new.test")
    assert counts(imported(actor, "person", other)) == (0, 1, 2, 0)
    mika = people.get_person(actor, people.list_people(actor, "Mikael").rows[0].id)
    assert mika.addresses == ("mika@saimaa.test", "mika@home.test", "mika@new.test")  # none is taken away
    assert counts(imported(actor, "person", PEOPLE, change=False)) == (0, 0, 3, 0)
    assert people.list_people(actor, "Mikael").rows


def test_deals_of_pipedrive(db: str) -> None:
    actor = a_user()
    imported(actor, "person", PEOPLE)
    assert counts(imported(actor, "deal", DEALS)) == (3, 0, 0, 0)
    assert count(Person) == 3
    found = {card.title: card for card in deals.list_deals(actor, status="all")}
    assert (found["Calibration"].value_minor, found["Calibration"].currency, found["Calibration"].stage) == (
        123450,
        "EUR",
        "Demo",
    )
    assert str(found["Calibration"].expected_close) == "2026-12-24"
    assert (found["Lost one"].value_minor, found["Lost one"].status) == (70000, "lost")
    assert found["Scales"].person == "Mika Aaltonen"
    with reading() as session:
        won = session.exec(select(Deal).where(Deal.title == "Scales")).one()
        assert won.closed_at is not None
        assert won.closed_at.isoformat() == "2025-02-03T11:00:00+00:00"
        assert session.exec(select(func.count()).select_from(DealStage)).one() == 3
    assert counts(imported(actor, "deal", DEALS)) == (0, 0, 3, 0)
    moved = DEALS.replace("Demo,Open", "Negotiation,Won")
    assert counts(imported(actor, "deal", moved)) == (0, 1, 2, 0)
    assert (
        next(card for card in deals.list_deals(actor, status="won") if card.title == "Calibration").stage
        == "Negotiation"
    )


def test_missing_stages_are_made_when_asked(db: str) -> None:
    actor = a_user(admin=True)
    text = "Title,Pipeline,Stage\nA,Partners,Signed\nB,Partners,Signed\nC,Main pipeline,Demo\n"
    view = imports.upload(actor, "deal", "d.csv", text.encode())
    look = imports.preview(actor, view.id)
    assert counts(look) == (1, 0, 0, 2)
    assert "Signed" in look.problems[0].sentence
    assert counts(imported(actor, "deal", text, make_stages=True)) == (3, 0, 0, 0)
    with reading() as session:
        assert session.exec(select(func.count()).select_from(Stage).where(Stage.name == "Signed")).one() == 1


def test_leads_and_organizations(db: str) -> None:
    actor = a_user()
    text = 'Name,Address,Website,Owner\nSaimaa,"Kauppakatu 1, Lappeenranta",https://www.saimaa.test/fi,\n'
    assert counts(imported(actor, "organization", text)) == (1, 0, 0, 0)
    found = organizations.list_organizations(actor)[0]
    assert found.domains == ("saimaa.test",)
    text = 'Title,Value,Contact person,Organization\nA lead,"1 200,50 €",Mika,Saimaa\n'
    assert counts(imported(actor, "lead", text)) == (1, 0, 0, 0)
    lead = leads.list_leads(actor)[0]
    assert (lead.value_minor, lead.currency, lead.person, lead.organization) == (120050, "EUR", "Mika", "Saimaa")
    assert counts(imported(actor, "lead", text)) == (0, 0, 1, 0)


def test_lines_with_errors_do_not_stop_the_others(db: str) -> None:
    actor = a_user()
    text = (
        "Name,Email\nMika,mika@saimaa.test\n,\nBad,not an address\n=cmd(),x@y\nOk,ok@saimaa.test\nRagged,a@b.test,c,d\nLong "
        + "x" * 300
        + ",l@b.test\n"
    )
    done = imported(actor, "person", text)
    assert (done.made, done.wrong) == (3, 3)
    listed = imports.problems(actor, done.id)
    assert [each.line for each in listed] == sorted(each.line for each in listed)
    bad = b"".join(imports.bad_lines(actor, done.id)).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(bad)))
    assert lines[0][:2] == ["Name", "Email"]
    assert lines[1][:2] == ["Bad", "not an address"]
    assert "not an address" in lines[1][-1]
    mended = bad.replace("not an address", "bad@saimaa.test", 1)
    again = imported(actor, "person", mended)
    assert again.made == 1


def test_undo_puts_all_of_it_into_the_trash(db: str) -> None:
    actor = a_user()
    people.create_person(actor, name="Mika Aaltonen", addresses=["mika@saimaa.test"])
    done = imported(actor, "person", PEOPLE)
    assert counts(done) == (2, 1, 0, 0)
    assert imports.undo(actor, done.id).state == "undone"
    assert [row.name for row in people.list_people(actor).rows] == ["Mika Aaltonen"]
    assert count(Organization) == 0
    imports.undo(actor, done.id)
    assert counts(imported(actor, "person", PEOPLE))[0] == 2  # and again is as the first time


def test_what_is_in_the_trash_stays_there(db: str) -> None:
    actor = a_user()
    imported(actor, "person", PEOPLE)
    people.delete(actor, people.list_people(actor, "Mika").rows[0].id)
    done = imported(actor, "person", PEOPLE)
    assert counts(done) == (0, 0, 2, 1)
    assert "trash" in imports.problems(actor, done.id)[0].sentence


def test_an_import_is_its_users_alone(db: str) -> None:
    """M25's spirit for files: neither a colleague nor an administrator sees what somebody uploaded."""
    actor, boss = a_user("Aino"), a_user("Boss", admin=True)
    done = imported(actor, "person", PEOPLE)
    for verb in (
        imports.get_import, imports.columns, imports.preview, imports.start, imports.undo, imports.discard, imports.problems,
        imports.bad_lines, lambda who, which: imports.change_import(who, which, change=False),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            verb(boss, done.id)
        with pytest.raises(NotFound):
            verb(actor, 999)
    assert imports.list_imports(boss) == ()


def test_a_stop_in_between_loses_and_doubles_nothing(db: str) -> None:
    actor, total = a_user(), passes.BATCH * 3 + 50
    text = "Name,Email\n" + "".join(f"P{n},p{n}@many.test\n" for n in range(total))
    view = imports.upload(actor, "person", "p.csv", text.encode())
    imports.start(actor, view.id)
    stops = iter([False, False, True])
    run.run_import(view.id, lambda: next(stops))
    assert 0 < imports.get_import(actor, view.id).done < total
    run.run_import(view.id)
    assert imports.get_import(actor, view.id).made == count(Person) == total
    run.run_import(view.id)
    assert count(Person) == total


def test_earlier_mail_gets_linked(db: str) -> None:
    """M27: the rules look again at mail of addresses that became known."""
    actor = a_user()
    message = a_message(a_mailbox(actor), sender="Mika <mika@saimaa.test>", link_pending=False)
    imported(actor, "person", PEOPLE)
    with reading() as session:
        assert session.get_one(Message, message.id).link_pending


def test_an_address_of_two_lines_is_one_person(db: str) -> None:
    actor = a_user()
    text = "Name,Email,Phone\nMika,mika@saimaa.test,\nMika,MIKA@saimaa.test,+358 1\n"
    assert counts(imported(actor, "person", text)) == (1, 1, 0, 0)
    with reading() as session:
        assert len(session.exec(select(PersonAddress)).all()) == 1


def test_columns_can_be_chosen_by_hand(db: str) -> None:
    actor = a_user()
    view = imports.upload(actor, "person", "x.csv", b"Who,Where\nMika,mika@saimaa.test\n")
    assert view.unnamed == "Name"
    with pytest.raises(UserError):
        imports.start(actor, view.id)
    imports.change_import(actor, view.id, column=(0, "name"))
    assert imports.change_import(actor, view.id, mapping={"where": "address"}).unnamed == ""
    with pytest.raises(UserError):
        imports.change_import(actor, view.id, column=(0, "password_hash"))
    assert [column.key for column in imports.columns(actor, view.id)] == ["name", "address"]


def test_old_files_go_away(db: str) -> None:
    actor = a_user()
    done = imported(actor, "person", PEOPLE)
    draft = imports.upload(actor, "person", "x.csv", b"Name\nMika\n")
    assert imports.forget_old() == 0
    with transaction() as session:
        for row in session.exec(select(Import)):
            row.created_at -= imports.KEEP * 2
            session.add(row)
    assert imports.forget_old() == 2
    assert not imports.get_import(actor, done.id).has_file
    with pytest.raises(NotFound):
        imports.get_import(actor, draft.id)
    assert count(Lead) == 0


def test_columns_become_new_fields(db: str) -> None:
    """Of each type, named as the column is without its kind; again the same field takes them."""
    actor = a_user(admin=True)
    text = 'Person - Name,Person - Shoe size,Person - Budget,Person - Born,Person - Motto\nMika,43.5,1200.50 USD,31.1.1970,"a, b"\n'
    mapping = {
        "Person - Shoe size": "new:number",
        "Person - Budget": "new:money",
        "Person - Born": "new:date",
        "Person - Motto": "new:text",
    }
    assert counts(imported(actor, "person", text, mapping=mapping)) == (1, 0, 0, 0)
    with reading() as session:
        made = {row.name: row for row in session.exec(select(CustomField))}
        found = {row.field_id: row for row in session.exec(select(CustomValue))}
    assert list(made) == ["Shoe size", "Budget", "Born", "Motto"]
    assert found[made["Shoe size"].id or 0].number == 43.5
    assert (found[made["Budget"].id or 0].minor, found[made["Budget"].id or 0].currency) == (120050, "USD")
    assert str(found[made["Born"].id or 0].day) == "1970-01-31"
    assert found[made["Motto"].id or 0].text == "a, b"
    assert counts(imported(actor, "person", text)) == (0, 0, 1, 0)  # recognised by their names now
    assert counts(imported(actor, "person", text.replace("43.5", "44"))) == (0, 1, 0, 0)
