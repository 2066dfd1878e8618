"""The Undo of each act on many conversations is its own: two toasts may stand side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import reflex as rx
from sqlmodel import select

import mailcrm.mailcrm  # noqa: F401  registers the states
from mailcrm.models import Message
from mailcrm.services.db import reading
from mailcrm.services.mail import bulk
from mailcrm.state.bulk import BulkState
from mailcrm.state.linking import PickState
from mailcrm.state.session import SessionState
from tests.builders import a_mailbox, a_message, a_user


def archived() -> set[str]:
    with reading() as session:
        return {row.subject for row in session.exec(select(Message)) if row.archived}


@pytest.mark.usefixtures("sqlite_db")
def test_the_undo_of_an_earlier_act_leaves_the_later_alone() -> None:
    """Archive one, archive another, take back the first: the second stays archived. Numbers made up undo nothing."""
    ann, eve = a_user("Ann"), a_user("Eve")
    box = a_mailbox(ann)
    threads = [a_message(box, subject=name).thread_id for name in ("first", "second")]
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]

    async def play(handler: Any, *args: Any) -> None:
        made = handler.fn(await root.get_state(BulkState), *args)
        if hasattr(made, "__aiter__"):
            async for _ in made:
                pass
        else:
            await made

    async def live() -> None:
        (await root.get_state(SessionState))._actor = ann
        for thread_id in threads:
            (await root.get_state(PickState)).ids = [thread_id]
            await play(BulkState.event_handlers["act"], "archive")
        assert archived() == {"first", "second"}
        for wrong in (0, 3, -1, "x", None, [1], 2**70):
            await play(BulkState.event_handlers["undo"], wrong)
        assert archived() == {"first", "second"}
        await play(BulkState.event_handlers["undo"], 1)
        assert archived() == {"second"}
        bulk.undo(eve, bulk.Done("archive", (threads[1] or 0,), (2,)))
        assert archived() == {"second"}, "what a stranger undoes is nothing of hers"
        await play(BulkState.event_handlers["undo"], 2)
        assert archived() == set()

    asyncio.run(live())
