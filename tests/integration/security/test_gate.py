"""The gate at the wire: any program can open the socket and send any event (security.md threats 12 to 14, F16)."""

from __future__ import annotations

import re
import time

import pytest

from mailcrm.services import live
from mailcrm.services.auth import browsers, sessions
from mailcrm.services.db import transaction
from mailcrm.state.session import LEAVE_S
from tests.integration.security.conftest import Person, Served
from tests.integration.security.wire import STATE, Refused, Tab, full_name
from tests.unit.state.test_handlers import ALLOWED

PUSH_S = 2.5  # the notifier looks every half second
CANARY = "CANARYGATE"
#: Everything a browser may call before sign-in.
PUBLIC = {
    f"welcome.welcome_state.{name}"
    for name in "open_code open_forgot open_invite open_login open_reset open_setup set_language".split()
}
EVERY = sorted(f"{state}.{handler}" for state, handlers in ALLOWED.items() for handler in handlers.split())


def test_the_owner_sees_the_canary(served: Served, aino: Person, secret_mail: int) -> None:
    """The control of this module: the same calls do show the mail to its owner."""
    tab = served.tab(aino)
    tab.call("inbox.inbox_state.open_page")
    assert CANARY in tab.text()
    tab.close()


@pytest.mark.parametrize("cookie", ["", "sid=forged", "other=1; sid='; sid=%00"])
def test_no_event_runs_without_a_session(served: Served, aino: Person, secret_mail: int, cookie: str) -> None:
    """Every handler, called by name: no state of ours changes, and each call is answered by a redirect."""
    tab = Tab(served.url, cookie=cookie)
    tab.call(f"{STATE}.hydrate")
    start = len(tab.frames)
    gated = [name for name in EVERY if name not in PUBLIC]
    for name in gated:
        tab.send(name, path=f"/thread/{secret_mail}")
    tab.settle()
    got = tab.frames[start:]
    touched = {state for frame in got for state in re.findall(r"mailcrm___state___(\w+)____", frame)}
    assert touched <= {"i18n", "welcome"}, touched
    assert sum('"_redirect"' in frame for frame in got) == len(gated)
    assert CANARY not in tab.text()
    tab.close()


def test_public_events_tell_nothing_about_anybody(served: Served, aino: Person, boss: Person) -> None:
    """Before sign-in: the workspace's name and the page's texts, no address, no count."""
    tab = served.tab()
    for name in sorted(PUBLIC):
        for path in ("/login", "/setup", "/invite/x", "/reset/x", "/forgot"):
            tab.call(name, {"language": "en"} if name.endswith("set_language") else {}, path=path)
    assert aino.email not in tab.text()
    assert boss.email not in tab.text()
    tab.close()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", None, "null", "http://localhost.evil.example", "http://localhost:1"]
)
def test_a_foreign_origin_opens_no_socket(served: Served, aino: Person, origin: str | None) -> None:
    """Cross-site websocket hijack (F16): refused with a good cookie, whatever the other site calls itself."""
    with pytest.raises(Refused):
        served.tab(aino, origin=origin)


def test_polling_is_no_way_around_the_origin(served: Served, aino: Person) -> None:
    """The long-polling transport of socket.io would come as plain HTTP."""
    headers = {"Cookie": aino.cookie, "Origin": "https://evil.example"}
    for method in ("GET", "POST"):
        answer = served.client.request(method, "/_event/?EIO=4&transport=polling&token=x", headers=headers)
        assert answer.status_code >= 400
        assert "sid" not in answer.text


def test_a_stolen_tab_token_shows_nothing(served: Served, aino: Person, secret_mail: int) -> None:
    """The token travels in addresses and logs: alone it reaches no state, not by asking."""
    tab = served.tab(aino)
    tab.call("inbox.inbox_state.open_page")
    tab.close()
    thief = _again(served, tab.token, "")
    for name in (f"{STATE}.hydrate", "inbox.inbox_state.open_page", "inbox.inbox_state.refresh", "nav.nav_state.load"):
        thief.call(name)
    assert CANARY not in thief.text()
    assert aino.email not in thief.text()
    thief.close()


def test_a_stolen_tab_token_hears_nothing(served: Served, aino: Person, secret_mail: int) -> None:
    """Nor by keeping silent: what the server pushes to the tab is not for a socket without its cookie.

    A field wound: pushes were judged by the cookie of the tab's last event, and sent to whoever listened.
    """
    tab = served.tab(aino)
    tab.call("inbox.inbox_state.open_page")
    tab.close()
    thief = _again(served, tab.token, "")
    _hint(served, aino)
    thief.listen(PUSH_S)
    assert "inbox_state" not in thief.text()
    assert CANARY not in thief.text()
    thief.close()


def test_an_open_tab_is_pushed_to(served: Served, aino: Person, secret_mail: int) -> None:
    """The control of the test above: with its cookie a silent tab does hear."""
    tab = served.tab(aino)
    tab.call("inbox.inbox_state.open_page")
    start = len(tab.frames)
    _hint(served, aino)
    tab.listen(PUSH_S)
    assert "nav_state" in "\n".join(tab.frames[start:])
    tab.close()


def test_signing_out_ends_the_socket_at_once(served: Served, aino: Person, secret_mail: int) -> None:
    """Threat 14: a session that ended works no longer on the open socket, and the tab is emptied."""
    with served.inside():
        secret = served.session(aino.actor)
    tab = Tab(served.url, cookie=f"sid={secret}")
    tab.call("inbox.inbox_state.open_page")
    assert served.post("/auth/logout", {}, Cookie=f"sid={secret}").status_code == 303
    start = len(tab.frames)
    tab.call("inbox.inbox_state.open_page")
    tab.call(f"{STATE}.hydrate")
    _hint(served, aino)
    tab.listen(PUSH_S)
    assert CANARY not in "\n".join(tab.frames[start:])
    tab.close()


def test_ending_another_session_empties_its_open_tabs_unasked(served: Served, aino: Person, secret_mail: int) -> None:
    """Threat 14: the list's button reaches a silent tab: it is told to leave, holds nothing, and hears nothing more."""
    with served.inside():
        secret = served.session(aino.actor)
    lost = Tab(served.url, cookie=f"sid={secret}")
    lost.call("inbox.inbox_state.open_page")
    here = served.tab(aino, path="/settings/account")
    here.call("nav.nav_state.load")
    with served.inside():
        handle = next(view.handle for view in browsers.list_sessions(aino.actor, f"sid={secret}") if view.here)
    start = len(lost.frames)
    here.call("account.account_state.end", {"handle": handle})
    lost.hear("auth.signed_out")
    start = len(lost.frames)
    lost.send("inbox.inbox_state.open_page")
    lost.send(f"{STATE}.hydrate")
    _hint(served, aino)
    assert lost.is_hung_up(), "a program that does not leave is left: its socket closes"
    assert CANARY not in "\n".join(lost.frames[start:])
    here.call("nav.nav_state.load")
    assert aino.email in here.text()
    lost.close()
    here.close()


def test_a_tab_whose_connection_broke_hears_again_without_acting(served: Served, aino: Person) -> None:
    """A hint that finds a tab's socket gone forgets the tab; its next socket brings it back, before anybody acts in it."""
    tab = served.tab(aino)
    tab.call("nav.nav_state.load")
    tab.close()
    _hint(served, aino)
    time.sleep(PUSH_S / 2)  # the notifier finds nobody
    back = served.tab(aino, token=tab.token, boot=True)
    back.hear(aino.email)  # what happened meanwhile is in what it loads
    _hint(served, aino)
    start = len(back.frames)
    back.hear("nav_state", start)
    back.close()


def test_switching_a_user_off_ends_the_socket_at_once(served: Served, boss: Person) -> None:
    """A disabled colleague's open tab and token stop working with the next event and request."""
    leaver = served.person("Leaver")
    tab = served.tab(leaver)
    tab.call("nav.nav_state.load")
    assert leaver.email in tab.text()
    admin = served.tab(boss, path="/settings/people")
    admin.call("team.team_state.load")
    admin.call("team.team_state.ask_disable", {"user_id": leaver.actor.user_id})
    admin.call("team.team_state.disable")
    start = len(tab.frames)
    tab.call("nav.nav_state.load")
    assert leaver.email not in "\n".join(tab.frames[start:])
    assert served.rest(leaver, "GET", "/me").status_code == 401
    tab.close()  # as a browser does: it leaves before the server hangs up
    time.sleep(LEAVE_S + 0.5)
    admin.call("nav.nav_state.load")  # and nobody else's socket is closed in its place
    assert boss.email in admin.text()
    admin.close()


def test_another_user_in_the_same_tab_finds_it_empty(
    served: Served, aino: Person, boss: Person, secret_mail: int
) -> None:
    """The token outlives sign-out in sessionStorage; the next user's state starts empty, the thread id included."""
    tab = served.tab(aino, path=f"/thread/{secret_mail}")
    tab.call("inbox.inbox_state.open_page")
    tab.close()
    other = _again(served, tab.token, boss.cookie)
    other.call(f"{STATE}.hydrate")
    other.call("inbox.inbox_state.refresh")
    other.call("inbox.inbox_state.archive")
    other.call("sharing.sharing_state.toggle")
    assert CANARY not in other.text()
    assert aino.email not in other.text()
    other.close()


@pytest.mark.parametrize("name", ["_close", "_fill", "_actor", "__init__", "reset", "setvar", "get_state", "set_rows"])
def test_what_is_not_a_handler_can_not_be_called(served: Served, aino: Person, name: str) -> None:
    """reflex.md §2: no private helper, no inherited method and no setter is reachable; the socket stays usable."""
    tab = served.tab(aino)
    tab.call("!" + full_name(f"inbox.inbox_state.{name}"), {"name": "rows", "value": ["forged"]})
    tab.call("inbox.inbox_state.open_page")
    assert "forged" not in tab.text()
    tab.close()


def test_variables_can_not_be_set_by_events(served: Served, aino: Person, boss: Person) -> None:
    """CVE-2025-47425 and its kind: no variable moves because an event names it."""
    tab = served.tab(boss)
    tab.call("nav.nav_state.load")
    forged = {f"{STATE}.mailcrm___state___session____session_state._actor": {"user_id": aino.actor.user_id}}
    tab.call(f"{STATE}.{STATE}update_vars_internal_state.update_vars_internal", {"vars": forged})
    other = {f"{STATE}.mailcrm___state___nav____nav_state.me_rx_state_": {"name": "forged"}}
    tab.call(f"{STATE}.{STATE}update_vars_internal_state.update_vars_internal", {"vars": other})
    start = len(tab.frames)
    tab.call("nav.nav_state.load")
    tab.call(f"{STATE}.hydrate")
    assert "forged" not in "\n".join(tab.frames[start:])
    assert aino.email not in tab.text()
    tab.close()


def _again(served: Served, token: str, cookie: str) -> Tab:
    """Open a socket with a token whose tab is gone; its name is free once the server noticed."""
    for _ in range(50):
        tab = Tab(served.url, token=token, cookie=cookie)
        if not any("new_token" in frame for frame in tab.frames) and not any("new_token" in f for f in tab.listen(0.1)):
            return tab
        tab.close()
        time.sleep(0.1)
    raise AssertionError("the token never became free")


def _hint(served: Served, person: Person) -> None:
    with served.inside(), transaction() as session:
        for topic in ("mail", "notifications"):
            live.hint(session, person.actor.user_id, topic)


def test_a_session_id_is_new_at_every_sign_in(served: Served, aino: Person) -> None:
    """ASVS 7.2.4: no cookie that a visitor brought along becomes a session."""
    from tests.integration.security.conftest import PASSWORD

    got = []
    for _ in range(2):
        answer = served.post(
            "/auth/login", {"email": aino.email, "password": PASSWORD}, Cookie="sid=planted-by-somebody"
        )
        assert answer.status_code == 303
        got.append(answer.headers["set-cookie"].partition(";")[0])
    assert len({*got, "sid=planted-by-somebody"}) == 3
    with served.inside():
        assert sessions.actor_of_cookie("sid=planted-by-somebody") is None


def test_signing_in_ends_the_session_that_the_browser_had(served: Served, aino: Person, boss: Person) -> None:
    """ASVS 7.2.4: its cookie is overwritten, so nobody could end it any more; a colleague's open tab is emptied with it."""
    from tests.integration.security.conftest import PASSWORD

    with served.inside():
        before = f"sid={served.session(aino.actor)}"
    answer = served.post("/auth/login", {"email": boss.email, "password": "wrong"}, Cookie=before)
    with served.inside():
        assert sessions.actor_of_cookie(before) is not None, "a try that fails ends nothing"
    answer = served.post("/auth/login", {"email": boss.email, "password": PASSWORD}, Cookie=before)
    with served.inside():
        assert sessions.actor_of_cookie(before) is None
        now = sessions.actor_of_cookie(answer.headers["set-cookie"].partition(";")[0])
    assert now is not None
    assert now.user_id == boss.actor.user_id
