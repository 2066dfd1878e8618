"""The contract of every row of the provider table (issue 7): a server that speaks its quirks is synced to the last message.

Each test is one column of docs/providers.md, which `tests.integration.providers.marks` writes from the results.
"""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.errors import MailcrmError
from mailcrm.models import Folder, Mailbox, Message
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.outbox import sent_copy
from mailcrm.services.mail.providers import pace, table
from mailcrm.services.mail.providers.table import Provider
from mailcrm.services.mail.providers.values import AccessToken, ServerSpec
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync.ledger import ledger
from tests.builders import a_mailbox, a_user
from tests.fakes.imap.account import Account, Quirks
from tests.fakes.imap.provider import ProviderNetwork, Script
from tests.integration.providers.scripts import spoken

ROWS = table.providers()
ATTRIBUTES = {
    "sent": "\\Sent",
    "drafts": "\\Drafts",
    "junk": "\\Junk",
    "trash": "\\Trash",
    "archive": "\\Archive",
    "all": "\\All",
}
ADDRESS = "ann@shop.test"


class World:
    """One provider's server with Ann's mail, and her mailbox here."""

    def __init__(self, row: Provider) -> None:
        self.row, self.spoken = row, spoken(row.key)
        domain = next((each for each in row.domains if "*" not in each), "shop.test")
        imap, _smtp = row.servers(f"ann@{domain}")
        self.spec = ServerSpec(imap.host or "mail.shop.test", imap.port, "none", imap.username)
        offers = frozenset(self.spoken.offers.split())
        quirks = Quirks(offers=offers, delimiter=self.spoken.delimiter)
        special = "SPECIAL-USE" in offers or "XLIST" in offers
        folders = [(name, "") for name in self.spoken.phantoms]
        folders += [(name, ATTRIBUTES[role] if special else "") for role, name in row.folders.items()]
        self.account = Account(quirks, [("INBOX", ""), *folders])
        self.script = Script(
            before=frozenset(self.spoken.before.split()), username=imap.username,
            token="granted" if self.spoken.oauth else "", needs_id=row.bears.send_id,
            no_id_before=self.spoken.no_id_before, no_select_options=self.spoken.no_select_options,
            phantoms=self.spoken.phantoms, most_line=self.spoken.most_line, search_space=self.spoken.search_space,
            decimals=self.spoken.decimals, foreign=self.spoken.foreign,
        )  # fmt: skip
        self.network = ProviderNetwork(self.account, script=self.script)

    @property
    def secret(self) -> str | AccessToken:
        return AccessToken("granted") if self.spoken.oauth else "right"

    def open(self, secret: str | AccessToken | None = None) -> ImapConnection:
        return connect(self.spec, self.secret if secret is None else secret, opener=self.network.open)

    def deliver(self, folder: str, number: int) -> None:
        raw = b"Subject: %d\r\nMessage-ID: <%d.%d@t>\r\nFrom: Lena <lena@n.test>\r\n\r\nx\r\n" % (
            number, number, len(folder)
        )  # fmt: skip
        self.account.deliver(self.account.boxes[folder], raw)

    def connected(self) -> tuple[Actor, int]:
        actor = a_user()
        box = a_mailbox(
            actor, imap_host=self.spec.host, smtp_host=self.row.smtp.host.replace("{domain}", "shop.test"),
            provider=self.row.key,
        )  # fmt: skip
        return actor, box

    def sync(self, box: int) -> None:
        report = sync_mailbox(box, dial=lambda _access, _limits: self.open())
        assert report.error is None, report.error
        assert report.folder_errors.keys() <= set(self.spoken.phantoms)
        assert report.complete or self.spoken.phantoms


@pytest.fixture(params=ROWS, ids=[row.key for row in ROWS])
def world(request: pytest.FixtureRequest, sqlite_db: object) -> World:
    return World(request.param)


def test_sign_in(world: World) -> None:
    """The right secret lets in with the row's user name; who has to say who they are says it, after the sign-in."""
    with world.open() as connection:
        connection.examine("INBOX")
    said = world.script.log
    assert ("ID" in said) == world.row.bears.send_id
    if "ID" in said:
        signed = next(n for n, verb in enumerate(said) if verb in ("LOGIN", "AUTHENTICATE"))
        assert signed < said.index("ID") < said.index("EXAMINE")


def test_refusals(world: World) -> None:
    """Each of the provider's own sentences becomes the error whose sentence tells the user what to do."""
    for text, code in world.spoken.refused:
        world.script.refusal = text
        with pytest.raises(MailcrmError) as caught:
            world.open(AccessToken("old") if world.spoken.oauth else "wrong")
        assert caught.value.code == code, text


def test_folders(world: World) -> None:
    """Names come decoded, and each has its role, with SPECIAL-USE or without."""
    with world.open() as connection:
        found = {folder.name: folder.role for folder in connection.list_folders()}
    assert found == {"INBOX": "inbox"} | dict.fromkeys(world.spoken.phantoms) | {
        name: role for role, name in world.row.folders.items()
    }


def test_sync(world: World) -> None:
    """First sync, then what is new, changed and gone: the ledger adds up with what this server offers."""
    actor, box = world.connected()
    sent = world.row.folders["sent"]
    for number in range(1, 6):
        world.deliver("INBOX", number)
    world.deliver(sent, 6)
    world.sync(box)
    lines = {line.folder: line for line in ledger(actor, box)}
    assert all(line.adds_up for line in lines.values())
    with reading() as session:
        assert {m.subject for m in session.exec(select(Message))} == {str(n) for n in range(1, 7)}
        known = session.exec(select(Folder.name, Folder.role).where(Folder.mailbox_id == box, Folder.gone_at == None))  # noqa: E711
        assert dict(known.all()).get(sent) == "sent"  # type: ignore[arg-type]
    world.deliver("INBOX", 7)
    inbox = world.account.boxes["INBOX"]
    world.account.flag(inbox, inbox.uids()[0], frozenset({"\\Seen"}))
    world.account.expunge(inbox, [inbox.uids()[1]])
    world.sync(box)
    with reading() as session:
        stored = {m.subject: m for m in session.exec(select(Message))}
        assert "7" in stored
        assert session.get_one(Mailbox, box).error_code == ""
    assert all(line.adds_up for line in ledger(actor, box))


def test_sent_copy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that the server filed is never doubled; one that it did not file is put there (providers.md §4)."""
    monkeypatch.setattr(sent_copy, "PROBE_S", (0.0, 0.0, 0.0, 0.0))
    sent = world.row.folders["sent"]
    raw = b"Subject: out\r\nMessage-ID: <out@t>\r\n\r\nx\r\n"
    monkeypatch.setattr(blobs, "get", lambda _sha: raw)
    known = table.bears(world.row.smtp.host)
    saves = known.saves_sent if known else "no"
    job = sent_copy._Job(0, "<out@t>", "sha", inbox_date(world), (sent,), saves)
    box = world.account.boxes[sent]
    if saves != "no":
        world.account.deliver(box, raw)
        with world.open() as connection:
            assert sent_copy._store(connection, job) == "stored"
        assert len(box.mails) == 1
        world.account.expunge(box, box.uids())
    with world.open() as connection:
        assert sent_copy._store(connection, job) == "stored"
        assert sent_copy._store(connection, job) == "stored"
    assert len(box.mails) == 1


def test_limits(world: World) -> None:
    """Never more connections than the provider bears, and IDLE only where it is meant."""
    borne = pace.of_host(world.spec.host)
    assert borne.watch + pace.SYNC + pace.WRITE <= borne.connections
    if "IDLE" not in world.spoken.offers.split() and world.spoken.recorded:
        assert borne.watch == 0 or not borne.idle or borne.poll_s <= 120  # STATUS in its place


def test_trouble(world: World) -> None:
    """What goes wrong in the middle of a sync is said as what it is; the next pass has every message, once."""
    _actor, box = world.connected()
    for number, (verb, text, code) in enumerate(world.spoken.trouble):
        world.deliver("INBOX", number)
        world.script.trouble[verb] = text
        report = sync_mailbox(box, dial=lambda _access, _limits: world.open())
        found = [report.error, *report.folder_errors.values()]
        assert code in [error.code for error in found if error], (text, found)
        with transaction() as session:
            row = session.get_one(Mailbox, box)
            row.status, row.error_code, row.next_try_at = "active", "", None
            session.add(row)
        world.sync(box)
        with reading() as session:
            assert len(session.exec(select(Message)).all()) == number + 1, text
    for number in range(100, 700):
        world.deliver("INBOX", number)
    inbox = world.account.boxes["INBOX"]
    world.account.expunge(inbox, inbox.uids()[::2])
    with world.open() as connection:
        connection.examine("INBOX")
        there = connection.list_uids(1, 2**32 - 1)
        assert there == inbox.uids(), "as many ranges as messages: no command is longer than the server takes"
        assert sorted(each.uid for each in connection.fetch_raw(there)) == there


def inbox_date(world: World):  # noqa: ANN201
    world.deliver("INBOX", 99)
    return next(iter(world.account.boxes["INBOX"].mails.values())).date
