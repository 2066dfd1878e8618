"""The Undo of each act is its own, and undoes just that: two toasts may stand side by side (DESIGN §5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import reflex as rx
from sqlmodel import col, select

import mailcrm.mailcrm  # noqa: F401  registers the states
from mailcrm.models import Link, Message
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import bulk, threads
from mailcrm.state import undoing
from mailcrm.state.bulk import BulkState
from mailcrm.state.earlier import EarlierState
from mailcrm.state.filtering import FilterState
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState
from mailcrm.state.panel import PanelState
from mailcrm.state.session import SessionState
from mailcrm.state.sharing import SharingState
from mailcrm.state.thread import ThreadState
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("sqlite_db")


class Tab:
    """A tab of somebody: their states, and a way to call handlers as a browser does."""

    def __init__(self) -> None:
        self.root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]

    async def of(self, state: Any) -> Any:
        return await self.root.get_state(state)

    async def call(self, state: Any, handler: str, *args: Any) -> None:
        made = state.event_handlers[handler].fn(await self.of(state), *args)
        if hasattr(made, "__aiter__"):
            async for _ in made:
                pass
        else:
            await made


def in_a_tab(actor: Actor, story: Callable[[Tab], Awaitable[None]]) -> None:
    async def live() -> None:
        tab = Tab()
        (await tab.of(SessionState))._actor = actor
        await story(tab)

    asyncio.run(live())


def those(condition: Any) -> set[str]:
    with reading() as session:
        return set(session.exec(select(Message.subject).where(condition)))


def archived() -> set[str]:
    return those(col(Message.archived).is_(True))


def shared() -> set[str]:
    return those(col(Message.visibility) == "shared")


def linked() -> set[int]:
    with reading() as session:
        return set(session.exec(select(Link.thread_id).where(col(Link.unlinked_at).is_(None))))  # type: ignore[arg-type]


def test_the_undo_of_an_earlier_act_leaves_the_later_alone() -> None:
    """Archive one, archive another, take back the first: the second stays archived. Numbers made up undo nothing."""
    ann, eve = a_user("Ann"), a_user("Eve")
    box = a_mailbox(ann)
    ids = [a_message(box, subject=name).thread_id for name in ("first", "second")]

    async def story(tab: Tab) -> None:
        for thread_id in ids:
            (await tab.of(PickState)).ids = [thread_id]
            await tab.call(BulkState, "act", "archive")
        assert archived() == {"first", "second"}
        for wrong in (0, 3, -1, "x", None, [1], 2**70):
            await tab.call(BulkState, "undo", wrong)
        assert archived() == {"first", "second"}
        await tab.call(BulkState, "undo", 1)
        assert archived() == {"second"}
        bulk.undo(eve, bulk.Done("archive", (ids[1] or 0,), (2,)))
        assert archived() == {"second"}, "what a stranger undoes is nothing of hers"
        await tab.call(BulkState, "undo", 2)
        assert archived() == set()

    in_a_tab(ann, story)


def test_each_linking_is_undone_by_its_own_undo() -> None:
    """Of the list, of the panel and of the offer to link earlier email: the first Undo leaves the second act alone."""
    ann = a_user()
    box = a_mailbox(ann)
    deal = a_deal(ann, "Roof").card.id
    ids = [a_message(box).thread_id for _ in range(4)]

    async def story(tab: Tab) -> None:
        for thread_id in ids[:2]:
            (await tab.of(PickState)).ids = [thread_id]
            await tab.call(PickState, "link", "deal", deal)
        for thread_id in ids[2:]:
            (await tab.of(PanelState)).thread_id = thread_id
            await tab.call(PanelState, "link", deal)
        assert linked() == set(ids)
        await tab.call(PickState, "undo", 1)
        await tab.call(PickState, "undo", 1)
        await tab.call(PanelState, "undo_link", 1)
        assert linked() == {ids[1], ids[3]}
        await tab.call(PickState, "undo", 2)
        await tab.call(PanelState, "undo_link", 2)
        assert linked() == set()

    in_a_tab(ann, story)


def test_an_offer_links_to_the_deal_that_it_was_made_for() -> None:
    """Settled question 8: two deals made one after the other, and each toast's Link and Undo are of its own deal."""
    ann = a_user()
    box = a_mailbox(ann, auto_link_deals=False, deal_link_policy="none")
    made: list[int] = []
    for name in ("mika", "noor"):
        a_message(box, sender=f"{name}@x.test")
        person = a_person(ann, name, f"{name}@x.test")
        made.append(a_deal(ann, name, person=person).card.id)

    def on(deal_id: int) -> int:
        with reading() as session:
            standing = (col(Link.deal_id) == deal_id, col(Link.unlinked_at).is_(None))
            return len(session.exec(select(Link.id).where(*standing)).all())

    async def story(tab: Tab) -> None:
        for deal_id in made:
            await tab.call(EarlierState, "offer", "deal", deal_id)
        await tab.call(EarlierState, "link", made[0])
        await tab.call(EarlierState, "link", made[1])
        assert [on(each) for each in made] == [1, 1]
        await tab.call(EarlierState, "undo", 1)
        assert [on(each) for each in made] == [0, 1]

    in_a_tab(ann, story)


def test_undoing_one_conversations_act_leaves_alone_what_was_so_before() -> None:
    """M30: what was deleted or archived of it before stays so, and an Undo works once."""
    ann = a_user()
    box = a_mailbox(ann)
    old = a_message(box, subject="old")
    one = old.thread_id
    threads.archive(ann, one)
    a_message(box, subject="new", thread_id=one)

    async def story(tab: Tab) -> None:
        await tab.call(InboxState, "archive_row", one)
        assert archived() == {"old", "new"}
        await tab.call(InboxState, "put_back", 1)
        assert archived() == {"old"}
        threads.archive(ann, one)
        await tab.call(InboxState, "put_back", 1)
        assert archived() == {"old", "new"}

    in_a_tab(ann, story)


@pytest.mark.parametrize("how", ["many", "conversation", "email"])
def test_what_is_made_private_is_not_shared_by_what_still_waits(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """M25, M26: the last word is "private", whichever buttons said both."""
    monkeypatch.setattr("mailcrm.state.sharing.UNDO_S", 0)
    ann = a_user()
    box = a_mailbox(ann)
    one, other = a_message(box, subject="one"), a_message(box, subject="other")

    async def story(tab: Tab) -> None:
        (await tab.of(PickState)).ids = [one.thread_id, other.thread_id]
        await tab.call(BulkState, "share", "shared")
        assert (await tab.of(SharingState)).waiting == [one.thread_id, other.thread_id]
        if how == "many":
            (await tab.of(PickState)).ids = [one.thread_id]
            await tab.call(BulkState, "share", "private")
        elif how == "conversation":
            (await tab.of(PanelState)).thread_id = one.thread_id
            await tab.call(SharingState, "toggle")
        else:
            (await tab.of(ThreadState)).id = one.thread_id
            await tab.call(SharingState, "toggle_message", one.id)
        for number, waits in (await tab.of(SharingState))._waits.items():
            assert waits is None or waits.thread_ids == (other.thread_id,), number
        assert (await tab.of(SharingState)).waiting == [other.thread_id]

    in_a_tab(ann, story)


def test_what_was_picked_in_another_list_is_not_acted_on() -> None:
    """Turn a filter on, and nothing stays picked; the same list read again keeps its picks."""
    ann = a_user()
    one = a_message(a_mailbox(ann)).thread_id

    async def story(tab: Tab) -> None:
        await tab.call(FilterState, "load")
        await tab.call(PickState, "toggle", one)
        await tab.call(FilterState, "load")
        assert (await tab.of(PickState)).ids == [one]
        await tab.call(FilterState, "choose", "shared")
        assert (await tab.of(PickState)).ids == []
        await tab.call(BulkState, "act", "archive")
        assert archived() == set()

    in_a_tab(ann, story)


def test_no_number_of_an_act_comes_twice_and_few_are_kept() -> None:
    acts: undoing.Acts[str] = {}
    acts, first = undoing.noted(acts, "first")
    acts, act = undoing.taken(acts, first)
    assert (act, undoing.taken(acts, first)[1]) == ("first", None)
    acts, second = undoing.noted(acts, "second")
    assert second != first
    for n in range(100):
        acts, _ = undoing.noted(acts, str(n))
    assert len(acts) <= undoing.KEPT + 1
    assert undoing.taken(acts, second)[1] is None
