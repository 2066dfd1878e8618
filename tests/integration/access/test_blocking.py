"""M19, M20: blocked mail is nowhere, and only mail of which every counterparty is blocked; held cell by cell."""

from __future__ import annotations

import itertools
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlmodel import col, select
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app as rest_app
from mailcrm.errors import NotFound, UserError
from mailcrm.models import AlternativeAddress, BlockedAddress, Mailbox, MailboxAlias, Message, Notification, Thread
from mailcrm.services import live, notifications
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import timeline
from mailcrm.services.crm.linking import link, match
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, blocking, mailboxes, messages, own_changes, store, threads
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.rows import pick, rows
from tests.builders import NOON, a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")

ROLES = ("From", "To", "Cc", "Bcc")
#: Who may stand in a role; "nobody": the header is absent.
KINDS = ("nobody", "blocked", "unblocked", "own", "colleague")
#: Each role's blocked party is blocked in another way, so that every scope meets every other.
BLOCKED = {
    "From": "spam@blocked.test",
    "To": "anyone@domain.test",
    "Cc": "deep@a.b.wide.test",
    "Bcc": "top@wide.test",
    "Reply-To": "bounce@Domain.TEST",
}
PATTERNS = (("address", "Spam@Blocked.test"), ("domain", "@domain.test"), ("subdomains", "wide.test"))
OWN = {
    "From": "aino@crm.test",
    "To": "alias@crm.test",
    "Cc": "old@aino.test",
    "Bcc": "AINO@login.test",
    "Reply-To": "aino@crm.test",
}
COLLEAGUE = dict.fromkeys((*ROLES, "Reply-To"), "noor@login.test") | {"Cc": "noor@crm.test"}
UNBLOCKED = {role: f"{role.lower()}@partner.test" for role in (*ROLES, "Reply-To")}
Cell = tuple[tuple[str, str], ...]


class Desk:
    """Aino with a mailbox, an alias and a confirmed alternative address; Noor, a colleague with a mailbox."""

    def __init__(self) -> None:
        self.aino, self.noor = a_user("Aino", email="aino@login.test"), a_user("Noor", email="noor@login.test")
        self.box = a_mailbox(self.aino, "aino@crm.test")
        self.other_box = a_mailbox(self.noor, "noor@crm.test")
        with transaction() as session:
            session.add(MailboxAlias(mailbox_id=self.box, address="Alias@crm.test"))
            session.add(AlternativeAddress(user_id=self.aino.user_id, address="old@aino.test", confirmed_at=NOON))

    def store(self, cells: list[Cell], mark: str, box: int = 0) -> dict[Cell, int]:
        """Store a message for each cell, as sync does; return their ids."""
        raws = {cell: _raw(cell, f"{mark}-{number}") for number, cell in enumerate(cells)}
        shas = {cell: blobs.put(raw) for cell, raw in raws.items()}
        with transaction() as session:
            owner = store.owner_of(session, session.get_one(Mailbox, box or self.box))
            items = [
                store.Incoming(
                    shas[cell], len(raw), parse_message(raw), NOON + timedelta(seconds=number), "in", read=False
                )
                for number, (cell, raw) in enumerate(raws.items())
            ]
            made = store.store(session, owner, items)
        return {cell: made[shas[cell]] for cell in cells}


def _raw(cell: Cell, name: str) -> bytes:
    kinds = {"blocked": BLOCKED, "unblocked": UNBLOCKED, "own": OWN, "colleague": COLLEAGUE}
    head = [f"{role}: Somebody <{kinds[kind][role]}>" for role, kind in cell if kind != "nobody"]
    head += [f"Subject: cell {name}", f"Message-ID: <{name}@cells.test>", "Date: Mon, 2 Mar 2026 12:00:00 +0000"]
    return ("\r\n".join(head) + "\r\n\r\ncellword\r\n").encode()


def excluded(cell: Cell) -> bool:
    """The rule, read from product.md and from nothing else.

    Counterparties are all of From, Reply-To, To, Cc, Bcc, less the own addresses and less those of the workspace's
    users; a message is excluded only when every counterparty is blocked (M20).
    """
    counterparties = [kind for _, kind in cell if kind not in ("nobody", "own", "colleague")]
    return counterparties != [] and all(kind == "blocked" for kind in counterparties)


def every_cell() -> list[Cell]:
    """From, To, Cc and Bcc with everybody, and From, To and Reply-To with everybody."""
    four = [tuple(zip(ROLES, kinds, strict=True)) for kinds in itertools.product(KINDS, repeat=4)]
    with_reply_to = [
        tuple(zip(("From", "To", "Reply-To"), kinds, strict=True)) for kinds in itertools.product(KINDS, repeat=3)
    ]
    return [*four, *with_reply_to]


def shown_to(actor: Actor, **criteria: object) -> set[int]:
    """The threads in "all", page by page."""
    found: set[int] = set()
    cursor = None
    while True:
        page = threads.list_threads(actor, folder="all", limit=200, cursor=cursor, **criteria)  # type: ignore[arg-type]
        found |= {row.id for row in page.rows}
        cursor = page.next_cursor
        if cursor is None:
            return found


def thread_ids(ids: list[int]) -> dict[int, int]:
    with reading() as session:
        return dict(session.exec(select(Message.id, Message.thread_id).where(col(Message.id).in_(ids))).all())  # type: ignore[arg-type]


def check(desk: Desk, cells: dict[Cell, int], expected: dict[Cell, bool]) -> None:
    """Every cell in the column, the list and the search; and the unread count adds up."""
    with reading() as session:
        stored = dict(rows(session, pick(Message.id, Message.blocked).where(col(Message.id).in_(list(cells.values())))))
    wrong = [cell for cell, i in cells.items() if bool(stored[i]) != expected[cell]]
    assert wrong == []
    of = thread_ids(list(cells.values()))
    wanted = {of[i] for cell, i in cells.items() if not expected[cell]}
    ours = set(of.values())
    assert shown_to(desk.aino) & ours == wanted
    assert shown_to(desk.aino, query="cellword") & ours == wanted
    assert shown_to(desk.aino, unread=True) & ours == wanted


def check_rest(desk: Desk, cells: dict[Cell, int], expected: dict[Cell, bool]) -> None:
    """Every cell through REST: the message itself, its bytes, the list and the search."""
    of = thread_ids(list(cells.values()))
    with TestClient(rest_app, headers={"Authorization": f"Bearer {users.create_token(desk.aino)}"}) as client:
        for path in ("/messages/{}", "/messages/{}/raw"):
            wrong = [
                cell for cell, i in cells.items() if (client.get(path.format(i)).status_code == 404) != expected[cell]
            ]
            assert wrong == [], path
        for path in ("/threads?folder=all", "/search?q=cellword"):
            found: set[int] = set()
            cursor = ""
            while True:
                page = client.get(f"{path}&limit=200{cursor}").json()
                found |= {item["id"] for item in page["items"]}
                if page["next_cursor"] is None:
                    break
                cursor = "&" + urlencode({"cursor": page["next_cursor"]})
            assert found & set(of.values()) == {of[i] for cell, i in cells.items() if not expected[cell]}, path


def test_every_cell_of_the_rule() -> None:
    """M20: who is in From, To, Cc, Bcc, Reply-To × blocked, unblocked, own, colleague; whatever comes first."""
    desk = Desk()
    cells = every_cell()
    expected = {cell: excluded(cell) for cell in cells}
    assert (len(cells), 0 < sum(expected.values()) < len(cells)) == (750, True)
    before = desk.store(cells, "before")
    for scope, pattern in PATTERNS:
        blocking.block(desk.aino, scope, pattern)
    check(desk, before, expected)
    after = desk.store(cells, "after")
    check(desk, after, expected)
    check_rest(desk, before, expected)
    # personal to the user: the same mail in a colleague's mailbox is shown
    theirs = desk.store(cells[:200], "theirs", desk.other_box)
    with reading() as session:
        found = rows(session, pick(Message.blocked).where(col(Message.id).in_(list(theirs.values()))).distinct())
        assert [bool(row[0]) for row in found] == [False]
    for row in blocking.list_blocked(desk.aino):
        blocking.unblock(desk.aino, row.id)
    check(desk, before, dict.fromkeys(cells, False))
    check(desk, after, dict.fromkeys(cells, False))


def test_the_roles_that_count_are_those_of_linking() -> None:
    """product.md has one definition of counterparties; both readers of it agree."""
    assert blocking.COUNTING_ROLES == match.COUNTING_ROLES


@pytest.mark.parametrize(
    ("scope", "pattern", "hit", "missed"),
    [
        (
            "address",
            "a@x.test",
            ["a@x.test", "A@X.test"],
            ["a@x.test.evil.test", "aa@x.test", "a+tag@x.test", "a@sub.x.test"],
        ),
        ("address", '"a@b"@x.test', ['"a@b"@x.test'], ["b@x.test"]),
        (
            "domain",
            "@x.test",
            ["a@x.test", '"a@b.test"@x.test'],
            ["a@sub.x.test", "a@ax.test", '"a@x.test"@b.test', "a@x.test.b.test"],
        ),
        (
            "subdomains",
            "*.x.test",
            ["a@x.test", "a@sub.x.test", "a@a.b.x.test"],
            ["a@ax.test", "a@x.tests", '"a@x.test"@b.test'],
        ),
        ("domain", "under_score.test", ["a@under_score.test"], ["a@underxscore.test"]),
        ("domain", "bücher.test", ["a@bücher.test", "a@xn--bcher-kva.test"], ["a@bucher.test"]),
        ("domain", "xn--bcher-kva.test", ["a@BÜCHER.test", "a@xn--bcher-kva.test"], ["a@sub.bücher.test"]),
        ("subdomains", "例え.test", ["a@例え.test", "a@sub.xn--r8jz45g.test"], ["a@x.test"]),
        ("address", "josé@bücher.test", ["josé@bücher.test", "josé@xn--bcher-kva.test"], ["jose@bücher.test"]),
    ],
)
def test_what_a_pattern_matches(scope: str, pattern: str, hit: list[str], missed: list[str]) -> None:
    """M19; domains in either spelling, suffixes only at a dot or an @, quoted local parts by their real domain."""
    desk = Desk()
    found = {address: a_message(desk.box, sender=f"<{address}>").id for address in (*hit, *missed)}
    assert blocking.preview(desk.aino, scope, pattern).hides == len(hit)
    blocking.block(desk.aino, scope, pattern)
    with reading() as session:
        hidden = {row[0] for row in rows(session, pick(Message.id).where(col(Message.blocked).is_(True)))}
    assert {address for address, i in found.items() if i in hidden} == set(hit)


def test_blocked_mail_is_nowhere() -> None:
    """M19: no list, count, search, timeline, body, bell; for the owner and for colleagues it was shared with."""
    desk = Desk()
    person = a_person(desk.aino, "Spam", "spam@blocked.test")
    deal = a_deal(desk.aino, person=person)
    message = a_message(
        desk.box, sender="spam@blocked.test", visibility="shared", subject="zebra", attachment="a.pdf", text="giraffe"
    )
    link.apply_rules()
    with transaction() as session:
        notifications.notify(session, desk.aino.user_id, "open", message_id=message.id, thread_id=message.thread_id)
    readers = (desk.aino, desk.noor)
    for reader in readers:
        assert timeline.person_timeline(reader, person.card.id).items[0].ref == message.id
        assert messages.load_raw(reader, message.id or 0)
    blocked = blocking.block(desk.aino, "domain", "blocked.test")
    assert blocked.hides == 1
    assert threads.counts(desk.aino).inbox_unread == 0
    assert notifications.unread_count(desk.aino) == 0
    assert notifications.list_notifications(desk.aino) == ()
    for reader in readers:
        assert shown_to(reader) == shown_to(reader, query="zebra") == set()
        for read in (
            lambda who: timeline.person_timeline(who, person.card.id),
            lambda who: timeline.deal_timeline(who, deal.card.id),
        ):
            assert [item for item in read(reader).items if item.message is not None or "subject" in item.params] == []
        for refused in (messages.load_raw, messages.load_body, threads.thread_of_message):
            with pytest.raises(NotFound):
                refused(reader, message.id or 0)
        with pytest.raises(NotFound):
            messages.load_attachment(reader, message.id or 0, 1)
        with pytest.raises(NotFound):
            threads.open_thread(reader, message.thread_id)
    blocking.unblock(desk.aino, blocked.id)
    assert shown_to(desk.aino, query="zebra") == {message.thread_id}
    assert threads.counts(desk.aino).inbox_unread == 1
    assert notifications.unread_count(desk.aino) == 1
    assert timeline.deal_timeline(desk.noor, deal.card.id).items[0].ref == message.id


def test_a_conversation_loses_only_its_blocked_messages() -> None:
    """M20: message by message; the row of the conversation is summed up anew."""
    desk = Desk()
    first = a_message(desk.box, sender="Mika <mika@saimaa.test>", read=True)
    a_message(desk.box, sender="spam@blocked.test", thread_id=first.thread_id)
    (row,) = threads.list_threads(desk.aino, folder="all").rows
    assert (row.message_count, row.unread) == (2, True)
    made = blocking.block(desk.aino, "address", "spam@blocked.test")
    (row,) = threads.list_threads(desk.aino, folder="all").rows
    assert (row.message_count, row.unread, row.last_at) == (1, False, first.sort_at)
    blocking.unblock(desk.aino, made.id)
    (row,) = threads.list_threads(desk.aino, folder="all").rows
    assert (row.message_count, row.unread) == (2, True)


def test_addresses_that_become_own_or_stop_count_at_once() -> None:
    """M20: a new colleague's address is no counterparty any more; a removed mailbox's is one again."""
    desk = Desk()
    # Blocked, with somebody unblocked who is about to become a colleague.
    with_yuki = a_message(desk.box, sender="spam@blocked.test", to="aino@crm.test, yuki@new.test")
    # Blocked people write to a mailbox of a colleague, which is going to be removed.
    with_noor = a_message(desk.box, sender="spam@blocked.test", to="aino@crm.test, noor@crm.test")
    blocking.block(desk.aino, "address", "spam@blocked.test")

    def blocked() -> set[int]:
        with reading() as session:
            return {row[0] for row in rows(session, pick(Message.id).where(col(Message.blocked).is_(True)))}

    assert blocked() == {with_noor.id}
    users.create(name="Yuki", email="Yuki@new.test", password="horse-staple-battery-9")
    assert blocked() == {with_noor.id, with_yuki.id}
    mailboxes.remove(desk.noor, desk.other_box)
    assert blocked() == {with_yuki.id}


def test_whoever_stops_being_a_colleague_is_linked() -> None:
    """M02, M27: a removed mailbox's address and aliases are counterparties again, and their person gets the mail."""
    desk = Desk()
    person = a_person(desk.aino, "Yuki", "yuki@new.test", "old@new.test").card.id
    box = a_mailbox(desk.noor, "yuki@new.test")
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="old@new.test"))
    kept = a_message(desk.box, sender="yuki@new.test", to="aino@crm.test")
    aliased = a_message(desk.box, sender="old@new.test", to="aino@crm.test")
    link.apply_rules()
    assert timeline_of(desk.aino, person) == set(), "a colleague's address links nobody"
    mailboxes.remove(desk.noor, box)
    link.apply_rules()
    assert timeline_of(desk.aino, person) == {kept.id, aliased.id}
    with transaction() as session:
        session.add(AlternativeAddress(user_id=desk.noor.user_id, address="old@new.test", confirmed_at=NOON))
        session.flush()
        own_changes.settle(session, gained=("old@new.test",))
    assert timeline_of(desk.aino, person) == {kept.id, aliased.id}, "what was linked stays"


@pytest.mark.parametrize("lost", ["IT@Bücher.test", "it@xn--bcher-kva.test"])
def test_a_lost_address_is_found_in_either_spelling(lost: str) -> None:
    """Domains in letters and as A-labels are one address."""
    desk = Desk()
    found = [a_message(desk.box, sender=f"<{each}>") for each in ("it@bücher.test", "it@xn--bcher-kva.test")]
    link.apply_rules()
    with transaction() as session:
        own_changes.settle(session, lost=(lost,))
    with reading() as session:
        waiting = {row[0] for row in rows(session, pick(Message.id).where(col(Message.link_pending).is_(True)))}
    assert waiting == {each.id for each in found}


def timeline_of(actor: Actor, person_id: int) -> set[int | None]:
    return {item.ref for item in timeline.person_timeline(actor, person_id).items if item.kind == "thread_message"}


def test_preview_counts_what_would_go_and_changes_nothing() -> None:
    """Settled question 3: what is shown now, copies once, and only where nobody else keeps it."""
    desk = Desk()
    a_message(desk.box, sender="spam@blocked.test", rfc_message_id="twice@x")
    a_message(a_mailbox(desk.aino, "aino2@crm.test"), sender="spam@blocked.test", rfc_message_id="twice@x")
    a_message(desk.box, sender="spam@blocked.test", cc="mika@saimaa.test")
    a_message(desk.box, sender="aino@crm.test", to="spam@blocked.test")
    a_message(desk.box, sender="spam@blocked.test", hidden=True)
    a_message(desk.other_box, sender="spam@blocked.test")
    with reading() as session:
        hints = live.newest_id()
        before = rows(session, select(Thread.id, Thread.message_count))
    found = blocking.preview(desk.aino, "address", " SPAM@blocked.test ")
    assert (found.hides, found.shown, found.blocked) == (2, "spam@blocked.test", False)
    with reading() as session:
        assert rows(session, select(Thread.id, Thread.message_count)) == before
        assert rows(session, pick(BlockedAddress.id)) == []
    assert live.newest_id() == hints
    blocking.block(desk.aino, "address", "mika@saimaa.test")
    assert blocking.preview(desk.aino, "address", "spam@blocked.test").hides == 3, "together they are everybody"
    view = blocking.block(desk.aino, "address", "spam@blocked.test")
    assert blocking.preview(desk.aino, "address", "spam@blocked.test").blocked
    assert blocking.block(desk.aino, "address", "Spam@blocked.TEST").id == view.id, "idempotent"
    assert len(blocking.list_blocked(desk.aino)) == 2


@pytest.mark.parametrize(
    ("scope", "pattern", "code"),
    [
        ("address", "nobody", "block.address"),
        ("address", "@x.test", "block.address"),
        ("address", "a@b@x.test", "block.address"),
        ("address", "a@x.test\r\nBcc: b@x.test", "block.address"),
        ("address", "a@%", "block.address"),
        ("address", "x" * 400 + "@x.test", "block.address"),
        ("domain", "", "block.domain"),
        ("domain", "@", "block.domain"),
        ("domain", "*", "block.domain"),
        ("domain", "a@x.test", "block.domain"),
        ("domain", "x..test", "block.domain"),
        ("domain", "-x.test", "block.domain"),
        ("domain", "%", "block.domain"),
        ("domain", "127.0.0.1", "block.domain"),
        ("domain", "x\x00.test", "block.domain"),
        ("address", "x\x00@x.test", "block.address"),
        ("domain", "x test", "block.domain"),
        ("domain", "☃☃.test", "block.domain"),
        ("domain", "a" * 64 + ".test", "block.domain"),
        ("subdomains", "test", "block.wide"),
        ("subdomains", "*.com", "block.wide"),
        ("everything", "x.test", "input.invalid"),
    ],
)
def test_hostile_patterns_are_refused(scope: str, pattern: str, code: str) -> None:
    """With one sentence, before anything is read or written."""
    desk = Desk()
    for verb in (blocking.preview, blocking.block):
        with pytest.raises(UserError) as caught:
            verb(desk.aino, scope, pattern)
        assert caught.value.code == code
    assert blocking.list_blocked(desk.aino) == ()


def test_anothers_blocked_addresses_are_absent() -> None:
    """M19: personal to the user, administrators included."""
    desk = Desk()
    made = blocking.block(desk.aino, "domain", "x.test")
    for stranger in (desk.noor, a_user("Root", admin=True)):
        assert blocking.list_blocked(stranger) == ()
        for verb in (blocking.get, blocking.unblock):
            with pytest.raises(NotFound):
                verb(stranger, made.id)
    with reading() as session:
        assert rows(session, pick(Notification.id)) == []
