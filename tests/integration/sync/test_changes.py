"""What changes on a server and how cheaply it is noticed: moves, renames, mod-sequences, Gmail (rules 6, 7; B01, M12).

The server is `tests/fakes/imap`, whose capabilities each test chooses; the commands of a pass are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailcrm.services.mail.sync import plan
from tests.fakes.imap.account import ALL_MAIL, Account, Box, Quirks
from tests.integration.sync.conftest import raw
from tests.integration.sync.machine.database import Store
from tests.integration.sync.machine.world import World

WHEN = datetime.now(UTC).replace(microsecond=0)
PLAIN = frozenset[str]()
CONDSTORE = frozenset({"CONDSTORE"})
QRESYNC = frozenset({"CONDSTORE", "QRESYNC", "ENABLE"})
LISTS = frozenset({"LIST-EXTENDED", "LIST-STATUS"})
MODERN = QRESYNC | LISTS | {"OBJECTID"}
GMAIL = frozenset({"CONDSTORE", "X-GM-EXT-1", "SPECIAL-USE", "MOVE", "UIDPLUS", "ENABLE"}) | LISTS
SERVERS = {"plain": PLAIN, "condstore": CONDSTORE, "qresync": QRESYNC, "modern": MODERN, "gmail": GMAIL}


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path) -> Iterator[Store]:
    made = Store(migrated_sqlite)
    yield made
    made.close()


def a_world(store: Store, offers: frozenset[str], *names: str, **quirks: object) -> World:
    account = Account(Quirks(offers, **quirks), [])  # type: ignore[arg-type]
    account.create("INBOX")
    if "X-GM-EXT-1" in offers:
        account.create(ALL_MAIL, ("\\All",))
    for name in names:
        account.create(name)
    return World(store, account)


def deliver(world: World, folder: str, *numbers: int) -> None:
    for n in numbers:
        world.account.deliver(world.account.boxes[folder], raw(n), (), WHEN)


def box(world: World, name: str) -> Box:
    return world.account.boxes[name]


def bodies(world: World) -> list[str]:
    """The fetches of whole messages in the last pass."""
    return [line for line in world.network.commands if "BODY.PEEK[]" in line]


def messages(world: World) -> list[tuple[object, ...]]:
    return world.store.rows(
        "SELECT id, thread_id, rfc_message_id, gone_at IS NOT NULL, archived FROM messages ORDER BY rfc_message_id"
    )


def folder_row(world: World, name: str, column: str) -> object:
    (found,) = world.store.rows(f"SELECT {column} FROM folders WHERE name = ?", name)
    return found[0]


@pytest.mark.parametrize("server", SERVERS)
def test_a_moved_message_is_the_same_message_and_is_not_fetched_again(store: Store, server: str) -> None:
    """Identity: X-GM-MSGID, EMAILID, else Message-ID with size and date; links, thread and id stay (rule 6)."""
    world = a_world(store, SERVERS[server], "Arbeit")
    deliver(world, "INBOX", *range(1, 6))
    world.settle()
    before = messages(world)
    world.account.move(box(world, "INBOX"), 3, box(world, "Arbeit"))
    report = world.sync()
    assert report is not None
    assert report.complete
    assert [row[:4] for row in messages(world)] == [row[:4] for row in before]
    assert bodies(world) == []
    world.settle()


@pytest.mark.parametrize("server", SERVERS)
def test_a_moved_message_is_never_seen_as_gone(store: Store, server: str) -> None:
    """Grace: its old place vanishes some commands before the new one is known."""
    world = a_world(store, SERVERS[server], "Arbeit")
    deliver(world, "INBOX", *range(1, 4))
    world.settle()
    world.account.move(box(world, "INBOX"), 2, box(world, "Arbeit"))
    seen: list[int] = []
    untouched = world.account.log

    class Watching(list[str]):
        def append(self, line: str) -> None:
            seen.extend(i for (i,) in world.store.rows("SELECT id FROM messages WHERE gone_at IS NOT NULL"))
            super().append(line)

    world.account.log = Watching(untouched)
    world.sync()
    assert seen == []
    assert not any(row[3] for row in messages(world))
    world.account.expunge(box(world, "Arbeit"), box(world, "Arbeit").uids())
    if server == "gmail":
        world.account.expunge(box(world, ALL_MAIL), [2])
    world.sync()
    assert [row[3] for row in messages(world)] == [False, True, False]


def test_an_id_that_means_nothing_loses_no_message(store: Store) -> None:
    """A server that gives several messages one EMAILID, or one to a message of another size: their bytes decide."""
    world = a_world(store, MODERN, "Arbeit", "Other")
    deliver(world, "INBOX", 1)
    world.settle()
    for name, numbers in (("Other", [4000]), ("Arbeit", [2, 3])):
        deliver(world, name, *numbers)
        for mail in box(world, name).mails.values():
            mail.key = box(world, "INBOX").mails[1].key
        world.settle()
    assert len(messages(world)) == 4


@pytest.mark.parametrize("server", SERVERS)
def test_a_renamed_folder_keeps_what_it_knows(store: Store, server: str) -> None:
    """By MAILBOXID, else by UIDVALIDITY, UIDNEXT and a sample of its messages: one folder, nothing fetched."""
    world = a_world(store, SERVERS[server], "Arbeit", "Other")
    deliver(world, "Arbeit", *range(1, 30))
    deliver(world, "Other", 50)
    world.settle()
    before, folder_id = messages(world), folder_row(world, "Arbeit", "id")
    world.account.rename(box(world, "Arbeit"), "仕事")
    deliver(world, "仕事", 40)
    report = world.sync()
    assert report is not None
    assert (report.stored, report.vanished) == (1, 0)
    assert folder_row(world, "仕事", "id") == folder_id
    after = [row[:4] for row in messages(world)]
    assert [row for row in after if row[2] != "40@sync.test"] == [row[:4] for row in before]
    assert not any("1:29" in line for line in bodies(world))
    world.settle()


def test_a_new_folder_with_an_old_uidvalidity_is_not_taken_for_a_renamed_one(store: Store) -> None:
    """UIDVALIDITY is a time on many servers: two folders of one second have the same."""
    world = a_world(store, PLAIN, "Arbeit")
    deliver(world, "Arbeit", 1, 2, 3)
    world.settle()
    validity = box(world, "Arbeit").uidvalidity
    world.account.delete(box(world, "Arbeit"))
    world.account.create("Neu").uidvalidity = validity
    deliver(world, "Neu", 11, 12, 13)
    world.settle()
    assert folder_row(world, "Arbeit", "gone_at IS NOT NULL") == 1
    assert {row[2] for row in messages(world) if row[3]} == {"1@sync.test", "2@sync.test", "3@sync.test"}
    assert len(messages(world)) == 6


def test_two_folders_that_swap_their_names(store: Store) -> None:
    """RFC 8474: MAILBOXID stays with the folder."""
    world = a_world(store, MODERN, "A", "B")
    deliver(world, "A", 1, 2)
    deliver(world, "B", 3)
    world.settle()
    first, second = folder_row(world, "A", "id"), folder_row(world, "B", "id")
    one, two = box(world, "A"), box(world, "B")
    world.account.rename(one, "C")
    world.account.rename(two, "A")
    world.account.rename(one, "B")
    report = world.sync()
    assert report is not None
    assert (report.stored, report.vanished) == (0, 0)
    assert (folder_row(world, "B", "id"), folder_row(world, "A", "id")) == (first, second)
    world.settle()


@pytest.mark.parametrize("server", ["plain", "modern"])
def test_a_folder_made_anew_under_its_old_name(store: Store, server: str) -> None:
    """UIDVALIDITY says so, or MAILBOXID alone where the server gives the old UIDVALIDITY again."""
    world = a_world(store, SERVERS[server], "Arbeit")
    deliver(world, "Arbeit", 1, 2)
    world.settle()
    validity = box(world, "Arbeit").uidvalidity
    world.account.delete(box(world, "Arbeit"))
    world.account.create("Arbeit")
    deliver(world, "Arbeit", 7, 8)
    if server == "modern":
        box(world, "Arbeit").uidvalidity = validity
    world.settle()
    assert [(row[2], row[3]) for row in messages(world)] == [
        ("1@sync.test", True), ("2@sync.test", True), ("7@sync.test", False), ("8@sync.test", False),
    ]  # fmt: skip


def test_what_vanished_comes_with_opening_the_folder(store: Store) -> None:
    """RFC 7162 §3.2.5: LIST, EXAMINE (QRESYNC …), and all is told; nothing is searched or compared."""
    world = a_world(store, MODERN)
    deliver(world, "INBOX", *range(1, 101))
    world.settle()
    world.account.expunge(box(world, "INBOX"), [4, 7])
    world.account.flag(box(world, "INBOX"), 9, frozenset({"\\Seen"}))
    report = world.sync()
    assert report is not None
    assert report.vanished == 2
    commands = [line.partition(" ")[0] for line in world.network.commands]
    assert commands == ["LOGIN", "LIST", "ENABLE", "EXAMINE", "LOGOUT"]
    world.settle()


def test_many_vanished_messages_are_compared_first(store: Store) -> None:
    """Mass deletion: VANISHED alone is not believed; a second connection must see it too (rule 6)."""
    world = a_world(store, MODERN)
    deliver(world, "INBOX", *range(1, 101))
    world.settle()
    world.account.expunge(box(world, "INBOX"), range(1, 61))
    world.sync()
    assert [line.partition(" ")[0] for line in world.network.commands].count("LOGIN") == 2
    world.settle()


def test_a_mod_sequence_that_goes_backwards_begins_a_round(store: Store) -> None:
    """A restored backup: CHANGEDSINCE would tell nothing for years."""
    world = a_world(store, CONDSTORE)
    deliver(world, "INBOX", *range(1, 20))
    world.settle()
    inbox = box(world, "INBOX")
    inbox.modseq = 3
    for mail in inbox.mails.values():
        mail.modseq = 2
    inbox.mails[5].flags = frozenset({"\\Seen"})
    world.settle()
    assert folder_row(world, "INBOX", "highestmodseq") == 3


def test_changes_are_kept_in_the_order_of_their_mod_sequences(store: Store) -> None:
    """A long absence, and a process that dies in the middle: the next pass goes on from the checkpoint."""
    count = 2 * plan.CHECKPOINT + 100
    world = a_world(store, CONDSTORE)
    for _ in range(count):
        world.account.deliver(box(world, "INBOX"), b"\r\n", (), WHEN)
    deliver(world, "INBOX", *range(1, 21))
    world.settle()
    start = box(world, "INBOX").modseq
    for uid in sorted(box(world, "INBOX").mails, reverse=True):  # the newest change first
        world.account.flag(box(world, "INBOX"), uid, frozenset({"\\Flagged"}))
    reached: set[object] = set()
    for commit in range(1, 9):
        world.sync(death=(commit, "after"))
        now = folder_row(world, "INBOX", "highestmodseq")
        reached.add(now)
        if now == box(world, "INBOX").modseq:
            break
    between = [m for m in reached if isinstance(m, int) and start < m < box(world, "INBOX").modseq]
    assert between, reached
    world.settle()


def test_without_mod_sequences_all_flags_are_looked_at_in_windows(store: Store) -> None:
    """sync.md A2: the newest 400 every two minutes, the others in a round of bounded work."""
    count = plan.NEWEST_FLAGS + 30
    world = a_world(store, PLAIN)
    deliver(world, "INBOX", *range(1, count + 1))
    world.settle()
    inbox = box(world, "INBOX")
    inbox.mails[count].flags = frozenset({"\\Seen"})
    inbox.mails[3].flags = frozenset({"\\Seen"})
    world.store.rows("UPDATE folders SET flags_checked_at = '2020-01-01 00:00:00.000000'")
    world.sync()
    left = world.differences()
    assert len(left) == 1, left
    assert "INBOX 3" in left[0]
    world.store.rows("UPDATE folders SET flags_round_at = '2020-01-01 00:00:00.000000'")
    world.sync()
    assert world.differences() == []


def test_gmails_labels_and_all_mail_are_one_message(store: Store) -> None:
    """providers.md §3: label folders and All Mail hold the same message; archived is what is not in the INBOX."""
    world = a_world(store, GMAIL, "Kunden 日本")
    deliver(world, "INBOX", 1, 2)
    deliver(world, "Kunden 日本", 3)
    world.settle()
    assert len(bodies(world)) == 0
    assert [(row[2], row[4]) for row in messages(world)] == [
        ("1@sync.test", 0), ("2@sync.test", 0), ("3@sync.test", 1),
    ]  # fmt: skip
    labels = world.store.rows(
        "SELECT labels FROM message_locations l JOIN folders f ON f.id = l.folder_id WHERE f.role = 'all' ORDER BY uid"
    )
    assert labels == [("\\Inbox",), ("\\Inbox",), ("Kunden 日本",)]
    assert world.store.rows("SELECT count(*) FROM messages WHERE remote_id LIKE 'gm:%'") == [(3,)]
    world.account.expunge(box(world, "INBOX"), [1])  # archived in Gmail
    world.settle()
    assert world.store.rows("SELECT archived, gone_at FROM messages WHERE rfc_message_id = '1@sync.test'") == [
        (1, None)
    ]
    assert bodies(world) == []


@pytest.mark.parametrize("extra", [{"UTF8=ACCEPT", "ENABLE"}, set[str]()])
def test_folder_names_with_and_without_utf8_accept(store: Store, extra: set[str]) -> None:
    """RFC 6855 and RFC 3501 §5.1.3: the same names, both ways."""
    world = a_world(store, LISTS | extra, "日本", "a&b", 'Q "x\\y')
    deliver(world, "日本", 1)
    deliver(world, "a&b", 2)
    deliver(world, 'Q "x\\y', 3)
    world.settle()
    assert len(messages(world)) == 3
    deliver(world, "日本", 4)
    world.sync()
    spelled = [line for line in world.network.commands if "&ZeVnLA-" in line]
    assert bool(spelled) != bool(extra)
    assert ("ENABLE UTF8=ACCEPT" in world.network.commands) == bool(extra)
    assert len(messages(world)) == 4


@pytest.mark.parametrize("server", ["condstore", "modern", "gmail"])
def test_an_unchanged_mailbox_costs_its_listing(store: Store, server: str) -> None:
    """No folder is opened; without LIST-STATUS each is asked once."""
    world = a_world(store, SERVERS[server], *(f"Folder {n}" for n in range(5)))
    deliver(world, "INBOX", *range(1, 10))
    deliver(world, "Folder 3", 11)
    world.settle()
    world.sync()
    commands = [line.partition(" ")[0] for line in world.network.commands]
    if server == "condstore":
        assert commands == ["LOGIN", "LIST", *["STATUS"] * 6, "LOGOUT"]
    else:
        assert commands == ["LOGIN", "LIST", "LOGOUT"]
