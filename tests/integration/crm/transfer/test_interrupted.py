"""Imports that are interrupted, done by two workers at once, or undone after people went on working."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Import
from mailcrm.services.crm import deals, people
from mailcrm.services.crm.linking import link
from mailcrm.services.crm.transfer import how, imports, passes, reading, run
from mailcrm.services.db import reading as reads
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.builders import a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_a_worker_that_lost_its_lease_writes_no_batch_again() -> None:
    """Two workers over one file, the first slower than its lease: each line is written and counted once."""
    actor = a_user()
    view = imports.upload(actor, "deal", "x.csv", b"Title,Value\nOne,1\nTwo,2\n")
    imports.start(actor, view.id)
    with transaction() as session:
        row = session.get_one(Import, view.id)
        said, shape = how.reading_of(session, actor, row), how.shape_of(row)
    (part,) = passes.batches(reading.lines(how.path_of(view.id), shape))
    run.run_import(view.id)
    with transaction() as session:  # the slow one comes back while the other has not said yet that it is done
        session.get_one(Import, view.id).state = "running"
    run._batch(view.id, actor, part, said)  # pyright: ignore[reportPrivateUsage]
    done = imports.get_import(actor, view.id)
    assert (done.done, done.made, done.same) == (2, 2, 0)


def test_undoing_an_import_lets_the_rules_look_again() -> None:
    """M28: the deals that an import made stood in the way of the only other one."""
    actor = a_user()
    box = a_mailbox(actor, "aino@crm.test")
    person = a_person(actor, "Mika", "mika@saimaa.test")
    own = deals.create_deal(actor, title="Own", person_id=person.card.id)
    view = imports.upload(actor, "deal", "x.csv", b"Title,Contact person,Email\nOther,Mika,mika@saimaa.test\n")
    imports.start(actor, view.id)
    run.run_import(view.id)
    thread = a_message(box, link_pending=True).thread_id
    link.apply_rules()
    imports.undo(actor, view.id)
    link.apply_rules()
    assert [each.title for each in threads.open_thread(actor, thread).links if each.kind == "deal"] == ["Own"]
    with reads() as session:
        assert session.exec(select(Deal.title).where(col(Deal.deleted_at).is_(None))).all() == [own.card.title]


def test_undoing_an_import_leaves_what_people_changed_since() -> None:
    actor = a_user()
    view = imports.upload(actor, "person", "x.csv", b"Name,Email\nMika,mika@saimaa.test\nNoor,noor@saimaa.test\n")
    imports.start(actor, view.id)
    run.run_import(view.id)
    mika = people.find_by_address(actor, "mika@saimaa.test")
    assert mika is not None
    people.change_person(actor, mika.id, job_title="CEO")
    imports.undo(actor, view.id)
    assert [each.name for each in people.list_people(actor).rows] == ["Mika"]


def test_an_import_makes_no_fields_and_stages_for_who_may_not() -> None:
    """Custom fields, stages and pipelines are administrators' to make, whichever way."""
    actor = a_user()
    view = imports.upload(actor, "deal", "x.csv", b"Title,Stage,Shoe size\nOne,Mine,42\n")
    for said in ({"make_stages": True}, {"column": (2, "new:number")}, {"mapping": {"Shoe size": "new:text"}}):
        with pytest.raises(UserError) as caught:
            imports.change_import(actor, view.id, **said)  # type: ignore[arg-type]
        assert caught.value.code == "auth.admin_only"
    with transaction() as session:
        row = session.get_one(Import, view.id)
        row.settings = {**row.settings, "make_stages": True}
        session.add(row)
    imports.start(actor, view.id)
    run.run_import(view.id)
    done = imports.get_import(actor, view.id)
    assert (done.state, done.error, done.made) == ("stopped", "auth.admin_only", 0)
