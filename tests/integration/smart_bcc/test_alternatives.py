"""Alternative addresses (M22): added, mailed, confirmed by the link, once, in time; resent; removed with Undo."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mailcrm import config
from mailcrm.endpoints import api as rest
from mailcrm.endpoints import confirming
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.models import AlternativeAddress, BccArrival, Notification, utcnow
from mailcrm.services.auth import users
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.smart_bcc import alternatives, arrivals, intake, links
from tests.integration.smart_bcc.world import World, a_mail, sign
from tests.servers.smtp_sink import SmtpSink

HOME = "aino@home.test"


@pytest.fixture
def sink(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpSink]:
    """The workspace's own mail goes here."""
    server = SmtpSink(auth=False)
    server.start()
    for name, value in (
        ("HOST", "127.0.0.1"),
        ("PORT", str(server.port)),
        ("SECURITY", "none"),
        ("FROM", "crm@crm.test"),
    ):
        monkeypatch.setenv(f"MAILCRM_SMTP_{name}", value)
    config.reset()
    yield server
    server.stop()


def token_of(sink: SmtpSink) -> str:
    letter = email.message_from_bytes(sink.messages[-1].raw, policy=email.policy.default)
    found = re.search(r"/confirm-address/(\S+)", letter.get_content())
    assert found is not None
    return found[1]


def older(by: timedelta) -> None:
    with transaction() as session:
        row = session.exec(select(AlternativeAddress)).one()
        row.sent_at = utcnow() - by
        session.add(row)


def test_the_link_confirms_once_and_mail_that_waited_comes_in(world: World, sink: SmtpSink) -> None:
    """Unconfirmed alternatives: nothing accepted; the link is good once; then what waited is taken in by itself."""
    made = alternatives.add(world.aino, " Aino@Home.test ")
    assert (made.address, made.state) == (HOME, "waiting")
    row = world.arrive(sign(a_mail(HOME, "mika@saimaa.example"), "home.test"), world.address())
    assert row.reason == "smart_bcc.unconfirmed"
    with reading() as session:
        assert HOME not in workspace_addresses(session)[world.aino.user_id]
    offered = alternatives.offer(token_of(sink))
    assert (offered.address, offered.login) == (HOME, "aino@crm.test")
    alternatives.confirm(token_of(sink))
    intake.take_in()
    assert world.last().state == "stored"
    with reading() as session:
        assert HOME in workspace_addresses(session)[world.aino.user_id]
    for verb in (alternatives.confirm, alternatives.offer):
        with pytest.raises(UserError):
            verb(token_of(sink))


def test_links_expire_and_a_newer_one_ends_the_older(world: World, sink: SmtpSink) -> None:
    """Signed, expiring, and only the last one sent."""
    made = alternatives.add(world.aino, HOME)
    first = token_of(sink)
    with pytest.raises(UserError):  # a minute between two mails
        alternatives.resend(world.aino, made.id)
    older(timedelta(minutes=2))
    alternatives.resend(world.aino, made.id)
    with pytest.raises(UserError):
        alternatives.confirm(first)
    older(links.LIFETIME + timedelta(hours=1))
    assert alternatives.get(world.aino, made.id).state == "expired"
    said, _ = links.make(made.id, utcnow() - links.LIFETIME - timedelta(seconds=1))
    good = token_of(sink)
    for bad in (said, good[:-2] + "xx", good.replace(".", ".1", 1), "", "a.b.c.d", "9" * 300):
        with pytest.raises(UserError):
            alternatives.confirm(bad)


def test_nobody_takes_what_is_anothers(world: World, sink: SmtpSink) -> None:
    """A colleague's sign-in, a colleague's confirmed address, one's own sign-in, a Smart Bcc address: refused."""
    world.alternative(world.admin, "taken@home.test")
    for address in ("olli@crm.test", "taken@home.test", "aino@crm.test", world.address(), "no address", "a@b c"):
        with pytest.raises(UserError):
            alternatives.add(world.aino, address)
    assert sink.messages == []
    alternatives.add(world.aino, HOME)
    token = token_of(sink)
    world.alternative(world.admin, HOME)  # confirmed by somebody else meanwhile
    with pytest.raises(UserError):
        alternatives.confirm(token)


def test_removing_is_undone_and_anothers_is_not_found(world: World, sink: SmtpSink) -> None:
    """Undo within the minute brings it back as it was."""
    world.alternative(world.aino, HOME)
    (row,) = alternatives.list_alternatives(world.aino)
    for verb in (alternatives.get, alternatives.resend, alternatives.remove):
        with pytest.raises(NotFound):
            verb(world.admin, row.id)
    alternatives.remove(world.aino, row.id)
    assert alternatives.list_alternatives(world.aino) == ()
    with pytest.raises(NotFound):
        alternatives.restore(world.admin, HOME)
    assert alternatives.restore(world.aino, HOME).state == "confirmed"
    with pytest.raises(NotFound):
        alternatives.restore(world.aino, HOME)


def test_a_mail_that_could_not_be_sent_says_so(world: World, sink: SmtpSink) -> None:
    """The address waits, and Resend sends at once."""
    sink.faults.on_mail = "550 5.7.1 no"
    with pytest.raises(MailcrmError):
        alternatives.add(world.aino, HOME)
    (row,) = alternatives.list_alternatives(world.aino)
    assert (row.state, row.sent_at) == ("waiting", None)
    sink.calm()
    assert alternatives.resend(world.aino, row.id).sent_at is not None


def test_the_page_confirms_by_its_button_alone(world: World, sink: SmtpSink) -> None:
    """Programs that follow links in mail confirm nothing; another site's form neither."""
    alternatives.add(world.aino, HOME)
    path = f"/confirm-address/{token_of(sink)}"
    client = TestClient(Starlette(routes=confirming.ROUTES), base_url=config.config().public_url)
    assert HOME in client.get(path).text
    assert client.head(path).status_code == 200
    assert client.post(path, headers={"Origin": "https://evil.test"}).status_code == 403
    assert alternatives.list_alternatives(world.aino)[0].state == "waiting"
    own = {"Origin": config.config().public_url}
    assert client.post(path, headers=own).status_code == 200
    assert alternatives.list_alternatives(world.aino)[0].state == "confirmed"
    assert client.post(path, headers=own).status_code == 410
    assert client.get("/confirm-address/nonsense").status_code == 410


def test_rest(world: World, sink: SmtpSink) -> None:
    """contract.md: /alternative-addresses with its items; the link is never told."""
    client = TestClient(rest.app, headers={"Authorization": f"Bearer {users.create_token(world.aino)}"})
    made = client.post("/alternative-addresses", json={"address": HOME})
    assert (made.status_code, made.json()["state"]) == (201, "waiting")
    assert set(made.json()) == {"id", "address", "state", "sent_at", "confirmed_at"}
    one = f"/alternative-addresses/{made.json()['id']}"
    assert client.get(one).json()["address"] == HOME
    assert client.post(f"{one}/resend").status_code == 422
    assert [each["address"] for each in client.get("/alternative-addresses").json()["items"]] == [HOME]
    other = TestClient(rest.app, headers={"Authorization": f"Bearer {users.create_token(world.admin)}"})
    assert other.get(one).status_code == 404
    assert other.delete(one).status_code == 404
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == 404


def test_nobody_is_flooded_with_letters(world: World, sink: SmtpSink) -> None:
    """The address may be a stranger's: deleting and adding it again does not send letter after letter."""
    for _ in range(alternatives.TO_ONE):
        made = alternatives.add(world.aino, HOME)
        alternatives.remove(world.aino, made.id)
    with pytest.raises(UserError):
        alternatives.add(world.aino, HOME)
    assert len(sink.messages) == alternatives.TO_ONE


def test_a_claim_shows_and_decides_nothing(world: World, sink: SmtpSink) -> None:
    """Whoever adds a colleague's private address sees no subject of their mail, deletes none, and does not keep it from
    its real owner."""
    world.alternative(world.admin, HOME, confirmed=False)
    row = world.arrive(sign(a_mail(HOME, "mika@saimaa.example", "Secret"), "home.test"), world.address())
    assert (row.reason, row.user_id) == ("smart_bcc.unconfirmed", world.admin.user_id)
    with transaction() as session:  # the claim is a member's
        stored = session.get_one(BccArrival, row.id)
        stored.user_id = world.aino.user_id
        session.add(stored)
    (seen,) = arrivals.page_of_arrivals(world.aino).rows
    assert (seen.subject, seen.can_delete) == ("", False)
    with pytest.raises(UserError):
        arrivals.discard(world.aino, row.id or 0)
    with reading() as session:
        assert "Secret" not in [note.params.get("title") for note in session.exec(select(Notification))]
    with transaction() as session:
        for claim in session.exec(select(AlternativeAddress)):
            session.delete(claim)
    alternatives.add(world.admin, HOME)
    alternatives.confirm(token_of(sink))
    intake.take_in()
    assert (world.last().state, world.last().user_id) == ("stored", world.admin.user_id)


def test_a_letter_of_ours_that_comes_back_is_ignored(world: World, sink: SmtpSink) -> None:
    """Loops: a user's mailbox that passes everything on to the deal's address takes our own letters along."""
    alternatives.add(world.aino, HOME)
    letter = sink.messages[-1].raw.replace(b"Auto-Submitted: auto-generated\r\n", b"")  # as if that had been taken off
    row = world.arrive(letter, world.address())
    assert (row.state, row.reason) == ("ignored", "smart_bcc.own_mail")
