"""Two toasts stand side by side: each Undo takes back its own act, whatever came after it (DESIGN §5, B06).

Both were so: the older toast took back the newer act, and once the
conversation was closed its Undo did nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailcrm.state import arrange, linking, panel


def _state(cls: Any) -> Any:
    return cls(_reflex_internal_init=True)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def actor_of(_state: Any) -> Any:
        return type("Actor", (), {"language": "en"})()

    for module in (arrange, linking, panel):
        monkeypatch.setattr(module, "actor_of", actor_of)


def test_a_deal_is_unlinked_by_its_own_undo_even_after_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    monkeypatch.setattr(panel.linking, "link_thread", lambda _actor, thread_id, deal_id: f"{thread_id}-{deal_id}")
    monkeypatch.setattr(panel.linking, "undo_link", lambda _actor, done: taken.append(done))

    async def walk() -> None:
        state = _state(panel.PanelState)

        async def show(_actor: Any, thread_id: int) -> None:
            state.thread_id = thread_id

        object.__setattr__(state, "_show", show)
        state.thread_id = 1
        await panel.PanelState.link.fn(state, 7)
        state.thread_id = 2
        await panel.PanelState.link.fn(state, 8)
        state._clear()  # noqa: SLF001
        await panel.PanelState.undo_link.fn(state, 1)
        await panel.PanelState.undo_link.fn(state, 1)
        await panel.PanelState.undo_link.fn(state, 99)

    asyncio.run(walk())
    assert taken == ["1-7"]


def test_several_conversations_are_unlinked_by_their_own_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        def __init__(self, ids: list[int]) -> None:
            self.thread_ids = tuple(ids)

    taken: list[tuple[int, ...]] = []
    monkeypatch.setattr(linking.linking, "link_threads", lambda _actor, ids, **_target: Done(ids))
    monkeypatch.setattr(linking.linking, "undo_link", lambda _actor, done: taken.append(done.thread_ids))

    async def walk() -> None:
        state = _state(linking.PickState)
        for ids in ([1, 2], [3]):
            state.ids = ids
            await linking.PickState.link.fn(state, "deal", 7)
        await linking.PickState.undo.fn(state, 1)
        await linking.PickState.undo.fn(state, 1)
        await linking.PickState.undo.fn(state, 2)

    asyncio.run(walk())
    assert taken == [(1, 2), (3,)]


def test_what_left_the_list_is_picked_no_longer() -> None:
    """Nobody acts on what is out of sight; of a list that is picked as a whole the rest stays picked."""
    state = _state(linking.PickState)

    async def say() -> None:
        state.count = str(len(state.ids))

    object.__setattr__(state, "_say", say)
    state.ids = [1, 2, 900]
    now, before = {1}, {1, 2}
    asyncio.run(state._keep(lambda one: one in now or one not in before))  # noqa: SLF001
    assert (list(state.ids), state.count) == ([1, 900], "2")
