"""Two tabs, two clicks, two programs at once: one message, and nothing that was written is lost (B10)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from mailcrm.errors import UserError
from mailcrm.models import Outbox, User, utcnow
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import draft, queue, submit
from mailcrm.services.mail.outbox.views import DraftInput, DraftNewer, DraftView
from tests.builders import a_mailbox, a_user
from tests.integration.outbox.conftest import Desk

Meanwhile = Callable[[Callable[[], Any]], None]


@pytest.fixture
def meanwhile(db: str, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Let something happen once, when the next verb has read its row and before it writes."""
    if db == "sqlite":
        pytest.skip("the second writer waits at BEGIN IMMEDIATE, before it reads")
    load = access.load

    def put(between: Callable[[], Any]) -> None:
        waiting = [between]

        def loaded(session: Any, model: Any, row_id: Any, allowed: Any) -> Any:
            row = load(session, model, row_id, allowed)
            if model is Outbox and waiting:
                other = threading.Thread(target=waiting.pop())
                other.start()
                other.join(10)
            return row

        monkeypatch.setattr(access, "load", loaded)

    return put


def a_draft() -> tuple[Actor, DraftView, DraftInput]:
    aino = a_user()
    box = a_mailbox(aino)
    made = draft.new_draft(aino, mailbox_id=box)
    entered = DraftInput(box, to="mika@saimaa.test", subject="Certificates", html="<p>Here.</p>")
    return aino, draft.save(aino, made.id, entered), entered


def test_two_clicks_on_send_are_one_message(meanwhile: Meanwhile) -> None:
    aino, made, _ = a_draft()
    first: list[DraftView] = []
    meanwhile(lambda: first.append(queue.send(aino, made.id, delay_s=60)))
    with pytest.raises(UserError) as caught:
        queue.send(aino, made.id, delay_s=0)
    assert caught.value.code == "outbox.not_draft"
    assert draft.get(aino, made.id).send_at == first[0].send_at


def test_a_save_does_not_change_what_was_sent_meanwhile(meanwhile: Meanwhile) -> None:
    aino, made, entered = a_draft()
    meanwhile(lambda: queue.send(aino, made.id, delay_s=60))
    with pytest.raises(UserError) as caught:
        draft.save(aino, made.id, replace(entered, to="other@saimaa.test", subject="Changed"))
    assert caught.value.code == "outbox.not_draft"
    view = draft.get(aino, made.id)
    assert (view.state, view.to, view.subject) == ("queued", "mika@saimaa.test", "Certificates")


def test_the_older_of_two_saves_is_told(meanwhile: Meanwhile) -> None:
    aino, made, entered = a_draft()
    newer = replace(entered, html="<p>Newer.</p>", revision=made.revision)
    meanwhile(lambda: draft.save(aino, made.id, newer))
    with pytest.raises(DraftNewer):
        draft.save(aino, made.id, replace(entered, html="<p>Older.</p>", revision=made.revision))
    assert draft.get(aino, made.id).html == "<p>Newer.</p>"


def test_send_again_twice_does_not_take_it_from_the_worker(meanwhile: Meanwhile) -> None:
    aino, made, _ = a_draft()
    queue.send(aino, made.id, delay_s=0)
    with transaction() as session:
        session.exec(update(Outbox).where(col(Outbox.id) == made.id).values(state="failed"))

    def retried_and_taken() -> None:
        queue.retry(aino, made.id)
        with transaction() as session:
            session.exec(update(Outbox).where(col(Outbox.id) == made.id).values(state="sending"))

    meanwhile(retried_and_taken)
    with pytest.raises(UserError) as caught:
        queue.retry(aino, made.id)
    assert caught.value.code == "outbox.not_failed"
    assert draft.get(aino, made.id).state == "sending"


@pytest.mark.usefixtures("db")
def test_a_key_is_remembered_when_its_message_was_taken_back() -> None:
    """A program that did not hear the answer asks again: what its user took back is not sent after all."""
    aino, _, entered = a_draft()
    wanted = submit.Wanted(send_at=utcnow() + timedelta(days=1), key="k", digest="d")
    made = submit.submit(aino, entered, wanted)
    queue.undo(aino, made.id)
    assert submit.submit(aino, entered, wanted).id == made.id
    queue.send(aino, made.id)  # changed in the composer, say
    assert submit.submit(aino, entered, wanted).id == made.id
    with reading() as session:
        assert session.exec(select(Outbox.id).where(Outbox.state == "queued")).all() == [made.id]


def test_nothing_leaves_for_a_user_who_was_disabled(desk: Desk) -> None:
    """What waited stays there with the reason, and goes out when somebody sends it again."""
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)
    with transaction() as session:
        session.exec(update(User).where(col(User.id) == desk.actor.user_id).values(disabled_at=utcnow()))
    desk.work()
    assert (desk.look(made.id).state, desk.look(made.id).error_code) == ("failed", "auth.disabled")
    assert desk.sink.messages == []
