"""The audit log: administrators only, by group and person, in pages, and never a word about mail (M25, threat 12)."""

from __future__ import annotations

import pytest

from mailcrm.errors import UserError
from mailcrm.services import audit, audit_log
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions, teams, users
from mailcrm.services.db import transaction
from tests.builders import a_deal, a_mailbox, a_message

PASSWORD = "correct horse battery"


@pytest.fixture
def root(sqlite_db: object) -> Actor:
    return users.set_up(name="Root", email="root@x.example", password=PASSWORD)[0]


@pytest.fixture
def ann(root: Actor) -> Actor:
    return users.by_email(users.create(name="Ann", email="ann@x.example", password=PASSWORD).email)


def lines(found: audit_log.AuditPage) -> list[tuple[str, str, str]]:
    return [(row.actor, row.verb, row.about or row.kind) for row in found.rows]


def test_administrators_only(ann: Actor) -> None:
    with pytest.raises(UserError, match="administrator"):
        audit_log.page(ann)


def test_who_did_what_by_group_and_person(root: Actor, ann: Actor) -> None:
    sessions.sign_in("ann@x.example", PASSWORD)
    deal = a_deal(ann, "Saimaa phase 2")
    everything = audit_log.page(root)
    assert lines(everything)[0] == ("Ann", "create", "deal")
    assert everything.rows[0].row_id == deal.card.id
    assert ("Ann", "sign_in", "Ann") in lines(audit_log.page(root, group="accounts"))
    assert {row.kind for row in audit_log.page(root, group="records").rows} == {"deal"}
    assert {row.actor for row in audit_log.page(root, actor_id=ann.user_id).rows} == {"Ann"}
    assert audit_log.page(root, actor_id=10**12).rows == ()
    assert lines(audit_log.page(root, group="no such")) == lines(everything)


def test_pages_meet_without_a_gap(root: Actor) -> None:
    with transaction() as session:
        for number in range(7):
            audit.record(session, root, "create", "team", number + 1)
    whole = audit_log.page(root).rows
    first = audit_log.page(root, limit=3)
    second = audit_log.page(root, limit=3, before=first.before)
    assert (*first.rows, *second.rows) == whole[:6]
    assert audit_log.page(root, before=whole[-1].id).rows == ()
    assert audit_log.page(root, limit=len(whole)).before == 0


def test_what_happens_to_mail_leaves_no_trace_in_it(root: Actor, ann: Actor) -> None:
    """Non-interference: every kind of entry that mail makes, and any that nobody has thought of, changes nothing."""
    before = lines(audit_log.page(root))
    message = a_message(a_mailbox(ann), subject="CANARYAUDIT")
    with transaction() as session:
        for kind in ("thread", "message", "outbox", "link", "server_action", "blocked_address", "alias", "signature"):
            audit.record(session, ann, "delete", kind, message.thread_id, subject="CANARYAUDIT")
        for kind in ("smart_bcc", "smart_bcc_arrival", "alternative_address", "template", "made_up"):
            audit.record(session, ann, "release", kind, 1, address="CANARYAUDIT")
        for verb in ("verify", "retry_quarantine", "watch_folder", "choose_folders"):
            audit.record(session, ann, verb, "mailbox", 1, messages=7)
        audit.record(session, ann, "show_images", "user", ann.user_id)
        audit.record(session, ann, "create", "deal", 7, title="CANARYAUDIT")
    after = audit_log.page(root)
    assert lines(after) == [("Ann", "create", "deal"), *before]
    assert "CANARYAUDIT" not in repr(after)


def test_records_out_of_reach_stay_out(root: Actor, ann: Actor) -> None:
    """An administrator who sees only their own deals learns nothing here of the others'."""
    a_deal(ann, "Saimaa phase 2")
    own = a_deal(root, "Kivi")
    teams.set_scope(root, "admin", "deal", "own")
    narrowed = users.by_email("root@x.example")
    shown = audit_log.page(narrowed, group="records").rows
    assert [(row.kind, row.row_id) for row in shown] == [("deal", own.card.id)]
    assert audit_log.page(Actor(root.user_id, admin=True), group="records").rows == shown
