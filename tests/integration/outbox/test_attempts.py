"""Each attempt is recorded: how far it came, what the server said, also when the worker died (B10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailcrm.errors import NotFound
from mailcrm.models import Outbox, utcnow
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import attempts, lease, queue
from tests.builders import a_user
from tests.integration.outbox.conftest import Desk


def tried(desk: Desk, outbox_id: int) -> list[tuple[int, str, str, int | None]]:
    return [(a.n, a.step, a.outcome, a.reply_code) for a in attempts.list_attempts(desk.actor, outbox_id)]


@pytest.mark.parametrize(
    ("fault", "value", "ended"),
    [
        ("auth", "535 5.7.8 no", ("sign_in", "later", 535)),
        ("auth", "454 4.7.0 later", ("sign_in", "later", 454)),
        ("on_mail", "550 5.7.1 not you", ("mail", "failed", 550)),
        ("on_mail", "451 4.3.0 busy", ("mail", "later", 451)),
        ("reject_rcpt", {"mika@saimaa.test": "550 5.1.1 who"}, ("rcpt", "failed", 550)),
        ("reject_rcpt", {"mika@saimaa.test": "450 4.2.1 greylisted"}, ("rcpt", "later", 450)),
        ("drop", "before_data", ("data", "later", None)),
        ("drop", "before_dot", ("data", "later", None)),
        ("on_data", "554 5.7.1 spam", ("dot", "failed", 554)),
        ("on_data", "452 4.3.1 full", ("dot", "later", 452)),
        ("drop", "after_dot", ("dot", "unknown", None)),
    ],
)
def test_each_step_is_told(desk: Desk, fault: str, value: object, ended: tuple[str, str, int | None]) -> None:
    setattr(desk.sink.faults, fault, value)
    made = desk.send()
    found = tried(desk, made.id)
    if value == "before_dot":  # the break is seen while the text is sent, or at the dot
        assert found[0][1] in ("data", "dot")
    else:
        assert found == [(1, *ended)]
    (view,) = attempts.list_attempts(desk.actor, made.id)
    sentence = attempts.said(view, "mail.test", "en")
    assert "{" not in sentence
    assert sentence != attempts.said(view, "mail.test", "ja")
    if ended[2]:
        assert str(ended[2]) in sentence


def test_the_second_try_is_a_second_line(desk: Desk) -> None:
    desk.sink.faults.on_mail = "451 4.3.0 busy"
    made = desk.send()
    desk.sink.calm()
    desk.work_later(made.id)
    assert tried(desk, made.id) == [(1, "mail", "later", 451), (2, "done", "sent", 250)]


def test_a_worker_that_died_is_told(desk: Desk) -> None:
    """A row that was begun and never ended is "running" until somebody takes the message."""
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)
    assert lease.take(made.id, "dead")
    assert tried(desk, made.id) == [(1, "connect", "running", None)]
    assert desk.work_later(made.id).state == "sent"
    assert tried(desk, made.id) == [(1, "connect", "later", None), (2, "done", "sent", 250)]
    first = attempts.list_attempts(desk.actor, made.id)[0]
    assert attempts.said(first, "x", "en") == "mailcrm was stopped during this try."


def test_a_worker_that_died_after_the_hand_over_is_told(desk: Desk) -> None:
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)
    assert lease.take(made.id, "dead")
    lease.mark_handed_over(made.id, "dead")
    with transaction() as session:
        session.get_one(Outbox, made.id).lease_until = utcnow() - timedelta(seconds=1)
    assert lease.give_up_lost(made.id)
    assert tried(desk, made.id) == [(1, "dot", "unknown", None)]


def test_only_its_user_sees_them(desk: Desk) -> None:
    made = desk.send()
    with pytest.raises(NotFound):
        attempts.list_attempts(a_user("Other"), made.id)
