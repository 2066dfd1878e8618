"""What a browser may call: every public method of a state is a remote endpoint, so the list is kept by hand.

A new handler goes in here once somebody has looked at it: takes `actor_of`, coerces its arguments (state/coerce.py),
and leaves the rest to a service verb that authorises rows.
"""

from __future__ import annotations

import inspect

import pytest
import reflex as rx
from reflex_base.registry import RegistrationContext

import mailcrm.mailcrm
from mailcrm.state import session

OURS = "mailcrm___state___"
#: module.state -> its handlers. `setvar` is Reflex's own, on every state; the Gate refuses it.
ALLOWED = {
    "arrange.arrange_state": "ask find join merge part split",
    "bell.bell_state": "follow read_all refresh show",
    "board.board_state": "ask_lost choose_person choose_pipeline close_lost create drop drop_lost drop_won find_person lose move open_page refresh reopen set_creating start start_for win",
    "composer.composer_state": "change change_body choose_from close compose compose_here compose_to discard drop_quote more_fields open_draft reply send toggle_clicks toggle_opens toggle_visibility undo",
    "connect.connect_state": "back connect show start",
    "deal.deal_state": "choose lose move open_page refresh reopen set_losing show_remote unfold win",
    "inbox.inbox_state": "archive back cancel_send choose clear delete more newest open_page put_back refresh retry_send seen select step unread",
    "live.live_state": "pushed",
    "marks.mark_state": "show",
    "nav.nav_state": "load refresh",
    "panel.panel_state": "add_contact find link relink set_adding set_picking set_visibility toggle unlink",
    "people.people_state": "create find more open_page refresh set_creating",
    "person.person_state": "ask_consent delete edit more open_page refresh restore save set_consent show_remote unfold",
    "profile.profile_state": "change load",
    "search.search_state": "search",
    "settings.mailboxes_state": "ask_remove choose close_question keep_history load pause refresh refresh_soon remove share sign_in_again switch sync_now",
    "settings_folders.folders_state": "cancel confirm sync_all tick watch",
    "settings_health.health_state": "copy_details retry verify",
    "settings_writes.writes_state": "dismiss retry",
    "team.team_state": "ask_disable close_question disable invite load show_invite",
    "thread.thread_state": "fetch_file show_remote unfold",
    "welcome.welcome_state": "open_invite open_login open_setup set_language",
}
#: Reflex's own handlers that exist besides ours (0.10.1).
REFLEX = {
    "reflex___state____state.hydrate",
    "reflex___state____state.hydrate_and_load",
    "reflex___state____state.set_is_hydrated",
    "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
    "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
    "reflex___state____state.reflex___state____on_load_internal_state.set_is_hydrated",
    "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
}


STATES = sorted(
    (each for each in rx.State.get_substates() if each.__module__.startswith("mailcrm.")),
    key=lambda each: each.__name__,
)


def _callable_names() -> list[str]:
    assert mailcrm.mailcrm.app is not None  # importing it registers every state
    return [name for name in RegistrationContext.get().event_handlers if not name.endswith(".setvar")]


def test_browsers_can_call_exactly_what_is_listed() -> None:
    """Architecture, Tests: all browser-callable handlers are compared with an allow-list."""
    found: dict[str, set[str]] = {}
    for name in _callable_names():
        state, _, handler = name.rpartition(".")
        if OURS in state:
            found.setdefault(state.rpartition(".")[2].removeprefix(OURS).replace("____", "."), set()).add(handler)
    assert found == {state: set(handlers.split()) for state, handlers in ALLOWED.items()}


def test_reflex_adds_no_handler_that_we_do_not_know() -> None:
    """An upgrade of Reflex that opens another door is seen here."""
    assert {name for name in _callable_names() if OURS not in name} <= REFLEX


def test_public_events_exist_and_only_show() -> None:
    """F16: before sign-in a browser reaches Reflex's own events and the welcome pages' loaders, nothing else."""
    names = set(_callable_names())
    ours = {name for name in session.PUBLIC_EVENTS if OURS in name}
    assert ours <= names
    assert {name.rpartition(".")[0].rpartition("____")[2] for name in ours} == {"welcome_state"}
    assert session.PUBLIC_EVENTS - ours <= REFLEX | names


@pytest.mark.parametrize("state", STATES, ids=lambda each: each.__name__)
def test_states_have_no_public_helpers(state: type[rx.State]) -> None:
    """reflex.md §2: an undecorated public method is a remote endpoint too, so each is decorated on purpose."""
    for name, member in vars(state).items():
        if name.startswith("_") or name in state.event_handlers:
            continue
        assert not inspect.isfunction(member), f"{state.__name__}.{name}"


@pytest.mark.parametrize("state", STATES, ids=lambda each: each.__name__)
def test_handlers_are_asynchronous(state: type[rx.State]) -> None:
    """Rule 8: a synchronous handler would block every other user."""
    for name, handler in state.event_handlers.items():
        if name == "setvar" or not handler.fn.__module__.startswith("mailcrm."):
            continue
        assert inspect.iscoroutinefunction(handler.fn) or inspect.isasyncgenfunction(handler.fn), (
            f"{state.__name__}.{name}"
        )
