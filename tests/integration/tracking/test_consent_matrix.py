"""The consent matrix: policy x state x role x copies, by the raw bytes that a real SMTP server was given for each address.

Exact: who got tracking and who got none, that nothing else differs by a byte, that all headers are the same, and that
each copy's tokens are its own (T09, B04, security.md 17 and 31).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default

import pytest
from sqlmodel import select, update

from mailcrm.models import Mailbox, Outbox, OutboxRecipient, TrackedLink, TrackedMessage, Workspace
from mailcrm.services.crm import people
from mailcrm.services.crm.consent import choose
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, mailboxes
from mailcrm.services.mail.outbox import consent, queue
from mailcrm.services.tracking import footer, tokens
from tests.builders import a_person
from tests.integration.outbox.conftest import Desk, desk, html_of  # noqa: F401  the fixture

POLICIES, ROLES = ("unless_refused", "only_granted"), ("to", "cc", "bcc")
HTML = (
    '<p>See <a href="https://x.test/a?b=1&amp;c=2">a</a> and <a href="https://y.test/">b</a>, '
    '<a href="mailto:m@x.test">m</a></p><blockquote class="mailcrm-quote"><p><a href="https://q.test/">q</a></p></blockquote>'
)
BCC = re.compile(rb"^Bcc:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.MULTILINE)
PIXEL = re.compile(r'<img src="http://localhost:8000/t/o/([A-Za-z0-9_-]+)\.gif" width="1"[^>]*>')
CLICK = re.compile(r'href="http://localhost:8000/t/c/([A-Za-z0-9_-]+)"')
FOOTER = re.compile(rf'<p class="{footer.CLASS}".*?</p>')

#: What is known of an address -> whether it is tracked under (unless_refused, only_granted).
STATES: dict[str, tuple[bool, bool]] = {
    "granted": (True, True),
    "unknown": (True, False),
    "refused": (False, False),
    "stranger": (True, False),
    "opted_out": (False, False),  # an address of nobody
    "opted_in": (True, True),
    "granted_and_refused": (False, False),  # info@ of two persons
    "unknown_and_granted": (True, True),
}


@dataclass(frozen=True)
class Got:
    """What one address was given: every copy, raw."""

    raws: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        assert len(self.raws) == 1, "twice, or never"
        return self.raws[0]


def know(desk: Desk, state: str, address: str) -> None:  # noqa: F811
    """Let an address be in this state, in a spelling of its own."""
    if state in ("opted_out", "opted_in"):
        with transaction() as session:
            choose(session, address.upper(), "refused" if state == "opted_out" else "granted", None)
    if state in ("stranger", "opted_out", "opted_in"):
        return
    for each in state.split("_and_"):
        person = a_person(desk.actor, each, address)
        if each != "unknown":
            people.set_consent(desk.actor, person.card.id, each, "phone", "Ticket 1")


def send(desk: Desk, by_role: dict[str, list[str]], *, copies: bool, **values: object) -> dict[str, Got]:  # noqa: F811
    """Send a tracked email; return what each address was given."""
    desk.sink.messages.clear()
    lines = {role: ", ".join(by_role.get(role, ())) for role in ROLES}
    made = desk.draft(html=HTML, **{"track_opens": True, "track_clicks": True, **lines, **values})
    with transaction() as session:
        session.exec(update(Outbox).where(Outbox.id == made.id).values(track_copies=copies))  # type: ignore[call-overload,arg-type]
    queue.send(desk.actor, made.id, delay_s=0)
    desk.work()
    assert desk.look(made.id).state == "sent"
    desk.made = made.id
    found: dict[str, list[bytes]] = {}
    for each in desk.sink.messages:
        for address in each.rcpt_to:
            found.setdefault(address.lower(), []).append(each.raw)
    return {address: Got(tuple(raws)) for address, raws in found.items()}


def policy_is(policy: str, *, tracking_footer: bool = False) -> None:
    with transaction() as session:
        session.add(Workspace(name="w", tracking_policy=policy, tracking_footer=tracking_footer))


def untracked(desk: Desk) -> bytes:  # noqa: F811
    """The bytes without any tracking: the kept copy without its Bcc."""
    kept = blobs.get(desk.row(desk.made).sent_blob_sha or "")
    assert b"/t/" not in kept.replace(b"=\r\n", b"")
    return BCC.sub(b"", kept, count=1)


def without_tracking(raw: bytes) -> str:
    """The HTML of a tracked copy with its links led back and its pixel and footer taken out."""
    with reading() as session:
        urls = {
            (nonce, position): url
            for nonce, position, url in session.exec(
                select(TrackedMessage.nonce, TrackedLink.position, TrackedLink.url).join(TrackedLink)
            )
        }

    def back(match: re.Match[str]) -> str:
        token = tokens.read(match[1], purpose="click")
        assert token is not None
        return f'href="{urls[token.nonce, token.position].replace("&", "&amp;")}"'

    page = html_of(message_from_bytes(raw))
    assert len(PIXEL.findall(page)) == 1
    assert len(CLICK.findall(page)) == 2
    return FOOTER.sub("", PIXEL.sub("", CLICK.sub(back, page)))


def nonces(raw: bytes) -> set[str]:
    page = html_of(message_from_bytes(raw))
    found = {tokens.read(each, purpose="open") for each in PIXEL.findall(page)}
    found |= {tokens.read(each, purpose="click") for each in CLICK.findall(page)}
    return {each.nonce for each in found if each is not None}


def check(desk: Desk, got: dict[str, Got], tracked: set[str], everybody: set[str], *, copies: bool) -> None:  # noqa: F811
    clean = untracked(desk)
    head, _, _ = clean.partition(b"\r\n\r\n")
    text = clean.partition(b"text/html")[0]  # headers and the plain text part
    assert set(got) == everybody
    by_nonce: dict[str, set[str]] = {}
    for address, each in got.items():
        assert each.raw.partition(b"\r\n\r\n")[0] == head, address
        assert not re.search(rb"(?im)^(resent-)?bcc", head)
        if address not in tracked:
            assert each.raw == clean, f"{address} was tracked"
            continue
        assert each.raw.partition(b"text/html")[0] == text
        assert without_tracking(each.raw) == html_of(message_from_bytes(clean))
        (nonce,) = nonces(each.raw)
        by_nonce.setdefault(nonce, set()).add(address)
    with reading() as session:
        known = {
            row.nonce: row for row in session.exec(select(TrackedMessage).where(TrackedMessage.outbox_id == desk.made))
        }
    assert set(known) == set(by_nonce)
    own = copies and 1 < len(everybody) <= consent.MOST_COPIES
    assert len(by_nonce) == (len(tracked) if own else min(len(tracked), 1))
    for nonce, addresses in by_nonce.items():
        assert known[nonce].recipients == len(addresses)
        assert known[nonce].recipient == (next(iter(addresses)) if len(addresses) == 1 else "")


@pytest.mark.parametrize("copies", [False, True], ids=["together", "copies"])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_state_in_every_role_at_once(desk: Desk, policy: str, copies: bool) -> None:  # noqa: F811
    """24 recipients: each state in To, Cc and Bcc."""
    policy_is(policy)
    by_role: dict[str, list[str]] = {role: [] for role in ROLES}
    tracked: set[str] = set()
    for state, role in itertools.product(STATES, ROLES):
        address = f"{state}.{role}@matrix.test"
        know(desk, state, address)
        by_role[role].append(address.replace("matrix", "Matrix"))
        if STATES[state][POLICIES.index(policy)]:
            tracked.add(address)
    everybody = {address.lower() for listed in by_role.values() for address in listed}
    got = send(desk, by_role, copies=copies)
    check(desk, got, tracked, everybody, copies=copies)
    with reading() as session:
        rows = session.exec(select(OutboxRecipient.address, OutboxRecipient.tracking)).all()
    for address, decided in rows:
        state = address.partition(".")[0]
        yes = "copy" if copies else "together"
        no = "refused" if state in ("refused", "opted_out", "granted_and_refused") else "not_granted"
        assert decided == (yes if address.lower() in tracked else no)
    for bcc in by_role["bcc"]:
        for address, each in got.items():
            assert address == bcc.lower() or bcc.lower().encode() not in each.raw.lower()


@pytest.mark.parametrize("policy", POLICIES)
def test_every_state_alone_in_every_role(desk: Desk, policy: str) -> None:  # noqa: F811
    policy_is(policy)
    for state, role, copies in itertools.product(STATES, ROLES, (False, True)):
        address = f"{state}.{role}.{copies}@matrix.test".lower()
        know(desk, state, address)
        got = send(desk, {role: [address]}, copies=copies)
        tracked = {address} if STATES[state][POLICIES.index(policy)] else set[str]()
        check(desk, got, tracked, {address}, copies=copies)


@pytest.mark.parametrize("copies", [False, True], ids=["together", "copies"])
def test_every_pair_of_states(desk: Desk, copies: bool) -> None:  # noqa: F811
    """Two recipients: one's refusal takes nothing from the other, and gives them nothing."""
    policy_is("unless_refused")
    for state in STATES:
        know(desk, state, f"{state}@matrix.test")
    for first, second in itertools.combinations(STATES, 2):
        pair = [f"{first}@matrix.test", f"{second}@matrix.test"]
        tracked = {each for each in pair if STATES[each.partition("@")[0]][0]}
        check(desk, send(desk, {"to": pair}, copies=copies), tracked, set(pair), copies=copies)


def test_the_same_address_twice_is_one_copy(desk: Desk) -> None:  # noqa: F811
    policy_is("unless_refused")
    got = send(desk, {"to": ["zoe@x.test", "bo@x.test"], "cc": ["zoe@x.test"]}, copies=True)
    check(desk, got, {"zoe@x.test", "bo@x.test"}, {"zoe@x.test", "bo@x.test"}, copies=True)


def test_too_many_for_copies_go_together(desk: Desk) -> None:  # noqa: F811
    """B04's stated limit: one recipient more than MOST_COPIES."""
    policy_is("unless_refused")
    everybody = [f"r{n}@x.test" for n in range(consent.MOST_COPIES + 1)]
    got = send(desk, {"to": everybody}, copies=True)
    check(desk, got, set(everybody), set(everybody), copies=True)
    assert len(desk.sink.messages) == 1


@pytest.mark.parametrize("copies", [False, True], ids=["together", "copies"])
def test_the_footer_is_in_tracked_copies_only(desk: Desk, copies: bool) -> None:  # noqa: F811
    """In HTML and text, each with its own link; the others' bytes are as if there were none."""
    policy_is("unless_refused", tracking_footer=True)
    know(desk, "refused", "mika@x.test")
    got = send(desk, {"to": ["mika@x.test", "zoe@x.test"], "bcc": ["bo@x.test"]}, copies=copies)
    clean = untracked(desk)
    assert got["mika@x.test"].raw == clean
    links: Counter[str] = Counter()
    for address in ("zoe@x.test", "bo@x.test"):
        parsed = message_from_bytes(got[address].raw)
        assert without_tracking(got[address].raw) == html_of(message_from_bytes(clean))
        texts = {
            part.get_content_type(): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
            for part in parsed.walk()
            if part.get_content_maintype() == "text"
        }
        found = {re.search(r"/t/x/([A-Za-z0-9_-]+)", each)[1] for each in texts.values()}  # type: ignore[index]
        assert len(found) == 1
        links.update(found)
    assert len(links) == (2 if copies else 1)


@pytest.mark.parametrize("values", [{"plain": True}, {"track_opens": False, "track_clicks": False}])
def test_no_tracking_no_copies(desk: Desk, values: dict[str, object]) -> None:  # noqa: F811
    """T02, T03: plain text, or both switches off, is one transaction of the very same bytes."""
    policy_is("unless_refused", tracking_footer=True)
    know(desk, "refused", "mika@x.test")
    got = send(desk, {"to": ["mika@x.test", "zoe@x.test"]}, copies=True, **values)
    assert len(desk.sink.messages) == 1
    assert {each.raw for each in got.values()} == {untracked(desk)}
    with reading() as session:
        assert session.exec(select(TrackedMessage)).all() == []


def test_the_copy_in_sent_is_without_tracking(desk: Desk) -> None:  # noqa: F811
    """T05: own views never count; what is stored here and filed there is the clean one, with Bcc."""
    policy_is("unless_refused", tracking_footer=True)
    send(desk, {"to": ["zoe@x.test"], "bcc": ["bo@x.test"]}, copies=True)
    kept = blobs.get(desk.row(desk.made).sent_blob_sha or "")
    assert b"/t/" not in kept.replace(b"=\r\n", b"")
    assert b"bo@x.test" in BCC.findall(kept)[0]
    with reading() as session:
        assert session.exec(select(Mailbox.track_copies)).one() is False


@pytest.mark.parametrize("wanted", [True, False])
def test_links_in_plain_text_are_followed_where_the_user_wants_it(desk: Desk, wanted: bool) -> None:  # noqa: F811
    """Deliver 2: the text part leads to the same kept destination; off at first."""
    policy_is("unless_refused")
    if wanted:
        mailboxes.change(desk.actor, desk.mailbox_id, track_text=True)
    got = send(desk, {"to": ["zoe@x.test"]}, copies=False)["zoe@x.test"]
    message = message_from_bytes(got.raw, policy=default)
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = re.findall(r"/t/c/([\w-]+)", text)
    assert bool(found) is wanted
    with reading() as session:
        urls = {link.position: link.url for link in session.exec(select(TrackedLink))}
    for token in found:
        read = tokens.read(token, purpose="click")
        assert read is not None
        assert urls[read.position] not in text
