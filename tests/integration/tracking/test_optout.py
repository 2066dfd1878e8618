"""The opt-out page: no login, nothing by GET, nothing for junk, and it holds for addresses of nobody (T09)."""

from __future__ import annotations

import re
from email import message_from_bytes

import pytest
from sqlmodel import col, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mailcrm.endpoints import optout as endpoint
from mailcrm.models import AddressConsent, AuditEntry, Person, Workspace
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import optout, outgoing, tokens
from tests.builders import a_person
from tests.integration.outbox.conftest import Desk, desk, html_of  # noqa: F401  the fixture

LINK = re.compile(r"/t/x/([A-Za-z0-9_-]+)")


@pytest.fixture
def strangers() -> TestClient:
    """A browser without a session."""
    return TestClient(Starlette(routes=endpoint.ROUTES), follow_redirects=True)


def sent(desk: Desk, to: str, *, footer: bool = True, language: str = "en", cc: str = "") -> str:  # noqa: F811
    """Send a tracked email; return the token of its opt-out link, "" without one."""
    with transaction() as session:
        workspace = session.get(Workspace, 1) or Workspace(name="w")
        workspace.tracking_footer, workspace.language = footer, language
        session.add(workspace)
    desk.send(to=to, cc=cc, track_opens=True, track_clicks=True)
    found = LINK.search(html_of(message_from_bytes(desk.sink.messages[-1].raw)))
    return found[1] if found else ""


def test_a_stranger_turns_it_off_and_on_again(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    token = sent(desk, "zoe@stranger.test")
    before = strangers.get(f"/t/x/{token}")
    assert (before.status_code, "Turn tracking off" in before.text) == (200, True)
    assert "set-cookie" not in before.headers
    after = strangers.post(f"/t/x/{token}", data={"choice": "refused"})
    assert "Tracking is off" in after.text
    assert sent(desk, "Zoe@Stranger.test") == ""
    assert b"/t/" not in desk.sink.messages[-1].raw.replace(b"=\r\n", b"")
    with reading() as session:
        row = session.exec(select(AddressConsent)).one()
        assert "zoe" not in row.address_hash
        assert row.message_id is not None
    strangers.post(f"/t/x/{token}", data={"choice": "granted"})
    assert sent(desk, "zoe@stranger.test") != ""


def test_a_person_is_refused_with_date_source_and_proof(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    mika = a_person(desk.actor, "Mika", "mika@saimaa.test")
    token = sent(desk, "mika@saimaa.test")
    strangers.post(f"/t/x/{token}", data={"choice": "refused"})
    view = people.get_person(desk.actor, mika.card.id)
    assert (view.consent, view.consent_source, view.consent_at is not None) == ("refused", "opt-out page", True)
    assert (view.consent_proof, view.consent_message_id is not None) == ("Certificates", True)
    assert view.consent_by == ""
    with reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.verb == "set_consent")).one()
        assert (entry.actor_id, entry.detail["consent"], entry.detail["before"]) == (None, "refused", "unknown")
    # the user may not simply forget it; a new agreement is recorded with its own proof
    people.set_consent(desk.actor, mika.card.id, "unknown")
    assert sent(desk, "mika@saimaa.test") == ""
    people.set_consent(desk.actor, mika.card.id, "granted", "phone", "Ticket 12")
    assert sent(desk, "mika@saimaa.test") != ""
    assert people.get_person(desk.actor, mika.card.id).consent_proof == "Ticket 12"


def test_a_person_made_later_brings_their_choice_along(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    token = sent(desk, "zoe@stranger.test")
    strangers.post(f"/t/x/{token}", data={"choice": "refused"})
    view = people.get_person(desk.actor, a_person(desk.actor, "Zoe", "ZOE@stranger.test").card.id)
    assert (view.consent, view.consent_source) == ("refused", "opt-out page")


def test_looking_changes_nothing(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    """A scanner that follows every link, with every method that reads."""
    token = sent(desk, "zoe@stranger.test")
    for query in ("", "?choice=refused", "?address=zoe@stranger.test&choice=refused"):
        for method in ("GET", "HEAD"):
            assert strangers.request(method, f"/t/x/{token}{query}").status_code == 200
    with reading() as session:
        assert session.exec(select(AddressConsent)).all() == []


def test_one_of_several_says_which_address_is_theirs(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    """The page names nobody; an address that the email did not go to changes nothing, and is answered alike."""
    token = sent(desk, "zoe@stranger.test", cc="max@stranger.test")
    page = strangers.get(f"/t/x/{token}").text
    assert "stranger.test" not in page
    strange = strangers.post(f"/t/x/{token}", data={"choice": "refused", "address": "eva@stranger.test"})
    right = strangers.post(f"/t/x/{token}", data={"choice": "refused", "address": " Max@Stranger.test "})
    assert strange.text == right.text
    with reading() as session:
        assert len(session.exec(select(AddressConsent)).all()) == 1
    assert sent(desk, "max@stranger.test") == ""
    assert sent(desk, "zoe@stranger.test") != ""


def test_nobody_agrees_for_the_others(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    """T09: one link went to both, so it may end the other's tracking and never begin it."""
    zoe = a_person(desk.actor, "Zoe", "zoe@stranger.test").card.id
    token = sent(desk, "zoe@stranger.test", cc="max@stranger.test")
    assert 'value="granted"' not in strangers.get(f"/t/x/{token}").text
    people.set_consent(desk.actor, zoe, "refused", "phone")
    for address in ("zoe@stranger.test", "max@stranger.test"):
        strangers.post(f"/t/x/{token}", data={"choice": "granted", "address": address})
    assert people.get_person(desk.actor, zoe).consent == "refused"
    with reading() as session:
        assert session.exec(select(AddressConsent)).all() == []


@pytest.mark.parametrize("junk", ["x", "", "A" * 55, "A" * 10_000, "..%2f..%2fetc", "%00"])
def test_junk_is_answered_like_an_email_to_several(desk: Desk, strangers: TestClient, junk: str) -> None:  # noqa: F811
    token = sent(desk, "zoe@stranger.test", cc="max@stranger.test")
    good, bad = strangers.get(f"/t/x/{token}"), strangers.get(f"/t/x/{junk}")
    assert (good.status_code, good.text) == (bad.status_code, bad.text)
    form = {"choice": "refused", "address": "zoe@stranger.test"}
    assert (
        strangers.post(f"/t/x/{junk}", data=form).text
        == strangers.post(f"/t/x/{token}", data=form | {"address": ""}).text
    )
    with reading() as session:
        assert session.exec(select(AddressConsent)).all() == []


def test_tokens_of_other_purposes_are_junk(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    """A pixel's token, or one signed with another key, opts nobody out."""
    token = sent(desk, "zoe@stranger.test")
    found = tokens.read(token, purpose="optout")
    assert found is not None
    for forged in (tokens.make("open", found.nonce), tokens.make("optout", found.nonce, secret="k" * 40), token[:-1]):
        optout.choose(forged, "refused", "zoe@stranger.test")
        strangers.post(f"/t/x/{forged}", content=b"choice=refused&address=zoe%40stranger.test")
    with reading() as session:
        assert session.exec(select(AddressConsent)).all() == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe=1", b"choice=refused&" * 400, b"a" * 100_000, b"address=" + b"a" * 400]
)
def test_odd_forms_are_harmless(desk: Desk, strangers: TestClient, body: bytes) -> None:  # noqa: F811
    token = sent(desk, "zoe@stranger.test", cc="max@stranger.test")
    assert strangers.post(f"/t/x/{token}", content=body).status_code == 200
    with reading() as session:
        assert session.exec(select(AddressConsent)).all() == []


def test_it_speaks_two_languages(desk: Desk, strangers: TestClient) -> None:  # noqa: F811
    """The page goes by the browser, the footer by the workspace."""
    token = sent(desk, "zoe@stranger.test", language="ja")
    raw = html_of(message_from_bytes(desk.sink.messages[-1].raw))
    assert "Turn this off" not in raw
    page = strangers.get(f"/t/x/{token}", headers={"accept-language": "ja,en;q=0.5"})
    assert 'lang="ja"' in page.text
    assert "Turn tracking off" not in page.text


def test_no_footer_unless_wanted_and_none_without_tracking(desk: Desk) -> None:  # noqa: F811
    assert sent(desk, "zoe@stranger.test", footer=False) == ""
    with transaction() as session:
        session.get_one(Workspace, 1).tracking_footer = True
    desk.send(to="zoe@stranger.test")
    assert b"/t/" not in desk.sink.messages[-1].raw
    text = outgoing.optout_url(tokens.new_nonce())
    assert text.startswith("http")
    with reading() as session:
        assert session.exec(select(Person.id).where(col(Person.consent) != "unknown")).all() == []
