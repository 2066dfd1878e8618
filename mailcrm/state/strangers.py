"""What a stranger's tab leaves behind: nothing. Reflex keeps each tab's state for an hour after its socket closed.

A tab that is signed in keeps its state, for when its connection comes back. Whoever never signed in has nothing in it
to come back to, and opens new tabs as fast as a program can: their states would fill the memory.
"""

from __future__ import annotations

import asyncio

import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory
from reflex.istate.manager.token import BaseStateToken

from mailcrm.state.session import SessionState

_LEAVING: set[asyncio.Task[None]] = set()  # a task lives as long as somebody holds it


def forget_when_they_leave(app: rx.App) -> None:
    """Have every socket that closes looked at."""
    sockets = app.event_namespace
    if sockets is None:
        return
    leave = sockets.on_disconnect

    def left(sid: str) -> asyncio.Task[None] | None:
        token = sockets.sid_to_token.get(sid)
        done = leave(sid)
        if token is not None:
            task = asyncio.get_running_loop().create_task(_forget(app, token, done))
            _LEAVING.add(task)
            task.add_done_callback(_LEAVING.discard)
        return done

    sockets.on_disconnect = left


async def _forget(app: rx.App, token: str, left: asyncio.Task[None] | None) -> None:
    if left is not None:
        await asyncio.wait([left])
    states, key = app.state_manager, BaseStateToken(ident=token, cls=rx.State)
    if not isinstance(states, StateManagerMemory) or key.cache_key not in states.states:
        return  # in Redis they end by themselves, outside this process
    async with states.modify_state(key) as state:  # after whatever still runs
        stays = (await state.get_state(SessionState))._actor is not None
    if not stays and app.event_namespace is not None and token not in app.event_namespace.token_to_sid:
        states._purge_token(key)
