"""Whose tab this is. The actor comes from the HttpOnly cookie and is checked again on every event (decisions 8).

`Gate` is the one place that lets an event through: a browser can call any handler with any arguments, so being
signed in is decided here and what the actor may see is decided in the services. Handlers take `await actor_of(self)`.
Does not hold anything that a browser could set: `_actor` never leaves the server, and unknown ids mean NotFound.
"""

import asyncio
import contextlib
from typing import Any

import reflex as rx
import structlog
from reflex.middleware import Middleware
from reflex_base.event import Event, EventSpec
from reflex_base.event.context import EventContext

from mailcrm import routes
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions, users
from mailcrm.state.toasts import warn

#: user id -> client tokens of open tabs; filled by the Gate, read by state/live.py.
TABS: dict[int, set[str]] = {}
#: client token -> language, for errors that surface outside a handler.
LANGUAGES: dict[str, str] = {}
_STATE = "reflex___state____"
LEAVE_S = 2.0  # for the way to the sign-in page
_HANGING_UP: set[asyncio.Task[None]] = set()  # a task lives as long as somebody holds it
#: Reflex's own events, which carry no data of ours; and the pages before sign-in.
PUBLIC_EVENTS = frozenset(
    {
        f"{_STATE}state.hydrate",
        f"{_STATE}state.hydrate_and_load",
        f"{_STATE}state.{_STATE}on_load_internal_state.on_load_internal",
        f"{_STATE}state.{_STATE}on_load_internal_state.set_is_hydrated",
        f"{_STATE}state.{_STATE}update_vars_internal_state.update_vars_internal",
        f"{_STATE}state.{_STATE}frontend_event_exception_state.handle_frontend_exception",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_login",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_setup",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_invite",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_code",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_forgot",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.open_reset",
        f"{_STATE}state.mailcrm___state___welcome____welcome_state.set_language",
    }
)


class SessionState(rx.State):
    """The signed-in user of this tab; server side only."""

    _actor: Actor | None = None


async def actor_of(state: rx.State) -> Actor:
    """Return the actor of the event being handled.

    Raises UserError("auth.signed_out") when there is none, which the Gate makes impossible for gated events.
    """
    session = await state.get_state(SessionState)
    if session._actor is None:
        raise UserError("auth.signed_out")
    return session._actor


class Gate(Middleware):
    """Let an event through only for the session that its tab belongs to."""

    async def preprocess(self, app: rx.App, state: Any, event: Event) -> Any:
        """Check the cookie; on a change of user forget the tab's state; without a session send to sign-in."""
        if event.name.endswith(".setvar"):  # Reflex adds it to every state; nothing of ours needs it
            return rx.state.StateUpdate(delta={}, events=[])
        cookie = state.router.headers.cookie or ""
        if not _is_heard_by_its_own(app, state.router.session.client_token, cookie):
            return rx.state.StateUpdate(delta={}, events=[])
        actor = await asyncio.to_thread(sessions.actor_of_cookie, cookie)
        session = await state.get_state(SessionState)
        before = session._actor
        if before is not None and (actor is None or actor.user_id != before.user_id):
            state.reset()  # nothing of the former user may stay in this tab
            _forget(before.user_id, state.router.session.client_token)
        if actor is not None:
            session._actor = actor
            TABS.setdefault(actor.user_id, set()).add(state.router.session.client_token)
            LANGUAGES[state.router.session.client_token] = actor.language
        if actor is not None or event.name in PUBLIC_EVENTS:
            return None
        if before is not None:
            _hang_up_soon(app, state.router.session.client_token)
        target = routes.LOGIN if await asyncio.to_thread(users.is_set_up) else routes.SETUP
        # A whole page load: the socket's headers, and with them the cookie, are frozen when it opens.
        leave = rx.call_script(_LEAVE[target]) if before is not None else rx.redirect(target)
        return rx.state.StateUpdate(delta={}, events=Event.from_event_type(leave))


_LEAVE = {
    routes.LOGIN: "window.location.assign('/login?error=auth.signed_out')",
    routes.SETUP: "window.location.assign('/setup')",
}


def _is_heard_by_its_own(app: rx.App, token: str, cookie: str) -> bool:
    """Whether the answer goes to a socket that was opened with the session the event is judged by.

    What the server pushes has no headers of its own, so it is judged by the cookie of the tab's last event. Whoever
    opens a socket with that tab's token gets the answers, and sends no cookie when the token was stolen.
    """
    sockets = app.event_namespace
    if sockets is None or (sid := sockets.token_to_sid.get(token)) is None:
        return True  # nobody listens
    opened_with = sockets._static_router_data.get(sid, {}).get("headers", {}).get("cookie", "")
    return sessions.secret_of_cookie(opened_with) == sessions.secret_of_cookie(cookie)


def _hang_up_soon(app: rx.App, token: str) -> None:
    """Close the socket of a tab whose session ended, once its browser had the time to leave: not every program does."""
    sockets = app.event_namespace
    sid = sockets.token_to_sid.get(token) if sockets is not None else None
    if sockets is None or sid is None:
        return

    async def hang_up() -> None:
        await asyncio.sleep(LEAVE_S)
        server: Any = sockets.server
        with contextlib.suppress(KeyError):  # the last one went by itself
            wire = server.manager.eio_sid_from_sid(sid, sockets.namespace)
            if wire is not None:  # None went by itself, and closing None closes everybody's
                await sockets.disconnect(sid)  # said first: a browser then does not come back by itself
                await server.eio.disconnect(wire)

    task = asyncio.get_running_loop().create_task(hang_up())
    _HANGING_UP.add(task)
    task.add_done_callback(_HANGING_UP.discard)


def _forget(user_id: int, token: str) -> None:
    TABS.get(user_id, set()).discard(token)
    LANGUAGES.pop(token, None)


def show_error(exception: Exception) -> EventSpec | None:
    """Turn an exception of any handler into one sentence on the screen; the log keeps the rest."""
    language = "en"
    with contextlib.suppress(LookupError, AttributeError):
        language = LANGUAGES.get(EventContext.get().token, "en")
    if isinstance(exception, MailcrmError):
        return warn(i18n.sentence(exception, language))
    structlog.get_logger().error("an event failed", exc_info=exception)
    return warn(i18n.sentence_of("internal", language))
