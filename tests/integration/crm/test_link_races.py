"""The linking rules beside people who change what the rules go by, at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm.models import Link
from mailcrm.services.crm import merge, merge_moves
from mailcrm.services.crm.linking import directory, rules
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from tests.builders import a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_a_person_added_while_the_rules_run_is_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """M27: the rules have looked for the address already, and have not said yet that they are done."""
    aino = a_user("Aino")
    came = a_message(a_mailbox(aino, "aino@crm.test"), link_pending=True)
    adding = threading.Thread(target=a_person, args=(aino, "Mika", "mika@saimaa.test"))
    load: Callable[..., Any] = directory.load

    def slow(*args: Any) -> Any:
        found = load(*args)
        if not adding.ident:
            adding.start()
            adding.join(1)  # it ends, or waits for us
        return found

    monkeypatch.setattr(directory, "load", slow)
    rules.apply_rules()
    adding.join()
    rules.apply_rules()
    assert [each.title for each in threads.open_thread(aino, came.thread_id).links] == ["Mika"]


def test_a_person_merged_while_the_rules_run_keeps_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """M27: the rules have chosen the person who is being merged; the link is the other one's, once."""
    aino = a_user("Aino")
    came = a_message(a_mailbox(aino, "aino@crm.test"), link_pending=True)
    kept, merged = a_person(aino, "Mika").card.id, a_person(aino, "M. A.", "mika@saimaa.test").card.id
    failures: list[BaseException] = []
    merging = threading.Thread(target=_caught, args=(failures, merge.merge, aino, kept, merged))
    load: Callable[..., Any] = directory.load

    def slow(*args: Any) -> Any:
        found = load(*args)
        if not merging.ident:
            merging.start()
            merging.join(1)  # it ends, or waits for us
        return found

    monkeypatch.setattr(directory, "load", slow)
    rules.apply_rules()
    merging.join()
    rules.apply_rules()
    assert failures == []
    assert _linked(came.thread_id) == [kept]


@pytest.mark.parametrize("undone", [False, True])
def test_rules_that_begin_while_persons_are_merged_see_the_end(monkeypatch: pytest.MonkeyPatch, undone: bool) -> None:
    """M27: what the rules read is what the merge, or its undo, leaves."""
    aino = a_user("Aino")
    box = a_mailbox(aino, "aino@crm.test")
    kept, merged = a_person(aino, "Mika").card.id, a_person(aino, "M. A.", "mika@saimaa.test").card.id
    merged_by = merge.merge(aino, kept, merged) if undone else 0
    came = a_message(box, link_pending=True)
    failures: list[BaseException] = []
    linking = threading.Thread(target=_caught, args=(failures, rules.apply_rules))
    name = "move_back" if undone else "move"
    move: Callable[..., Any] = getattr(merge_moves, name)

    def slow(*args: Any, **named: Any) -> Any:
        found = move(*args, **named)
        linking.start()
        linking.join(1)
        return found

    monkeypatch.setattr(merge_moves, name, slow)
    if undone:
        merge.undo(aino, merged_by)
    else:
        merge.merge(aino, kept, merged)
    linking.join()
    rules.apply_rules()
    assert failures == []
    assert _linked(came.thread_id) == [merged if undone else kept]


def _caught(failures: list[BaseException], verb: Callable[..., Any], *args: Any) -> None:
    try:
        verb(*args)
    except BaseException as error:
        failures.append(error)


def _linked(thread_id: int) -> list[int | None]:
    with reading() as session:
        standing = select(Link.person_id).where(Link.thread_id == thread_id, col(Link.unlinked_at).is_(None))
        return list(session.exec(standing).all())
