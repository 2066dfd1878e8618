"""A workspace of 1,000,000 messages, 50,000 persons and 10,000 deals as rows, in minutes: COPY, or one long executemany.

Seeded: the same workspace each time. No bytes of mail are written; a message's blob is a row without a file. Twenty
users: the first keeps everything in the Inbox, the second files everything but the newest (each has a third of the
mail), the others share the rest. Half of the mailboxes are shared; persons and deals are unevenly busy, as they are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from mailcrm.models import (
    Activity,
    Attachment,
    Blob,
    BlockedAddress,
    Deal,
    DealParticipant,
    DealStage,
    Folder,
    Label,
    LabelUse,
    Lead,
    Link,
    Mailbox,
    Message,
    MessageLocation,
    Note,
    Organization,
    OrganizationDomain,
    Participant,
    Person,
    PersonAddress,
    Pipeline,
    Stage,
    Team,
    TeamMember,
    Thread,
    TrackedMessage,
    User,
)
from mailcrm.services.rows import table_of

USERS = 20
BEGIN = datetime(2023, 1, 2, tzinfo=UTC)
DAYS = 3 * 365
INBOX, SENT, ARCHIVE = range(3)  # the order of a mailbox's folders
BUSY = 1  # the deal with the most mail; and the person
STEADY = 77  # the person whose 1,000 messages wait for an address
STEADY_ADDRESS = "steady@late.test"
STEADY_MAIL = 1000
BLOCKED = "@bulk3.test"


@dataclass(frozen=True)
class Size:
    """How much of everything; persons and deals in proportion."""

    messages: int = 1_000_000

    @property
    def persons(self) -> int:
        """50,000 of a million."""
        return max(200, self.messages // 20)

    @property
    def deals(self) -> int:
        """10,000 of a million."""
        return max(50, self.messages // 100)

    @property
    def organizations(self) -> int:
        """8,000 of a million."""
        return max(50, self.messages // 125)


class Loader:
    """Writes rows of a model without asking the ORM; indexes and foreign keys are off meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver: Any = connection.connection.driver_connection
        self.postgres = connection.dialect.name == "postgresql"
        self.stamp = self.moment(BEGIN)

    def moment(self, at: datetime) -> str:
        """Write a moment as the database keeps it."""
        return f"{at:%Y-%m-%d %H:%M:%S}" + ("+00" if self.postgres else ".000000")

    def load(self, model: Any, columns: str, made: Iterable[tuple[Any, ...]]) -> None:
        """Write rows of these columns; the others get the model's defaults."""
        table = table_of(model)
        named = columns.split()
        rest: dict[str, Any] = {}
        for column in table.columns:
            if column.name in named or column.nullable or column.name == "id":
                continue
            default: Any = column.default
            if default is not None and default.is_scalar:
                rest[column.name] = default.arg
            elif default is not None:
                rest[column.name] = self.stamp if column.name.endswith("_at") else "{}"
        listed, constant = ", ".join(f'"{name}"' for name in [*named, *rest]), tuple(rest.values())
        complete = (row + constant for row in made)
        if self.postgres:
            with self.driver.cursor().copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:
                for row in complete:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * (len(named) + len(rest)))
        self.driver.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", complete)

    def without_indexes(self) -> list[str]:
        """Drop the indexes that no constraint needs; return the statements that make them again."""
        if self.postgres:
            asked = (
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT IN"
                " (SELECT conname FROM pg_constraint)"
            )
        else:
            asked = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        found = [tuple(row) for row in self.connection.execute(text(asked))]
        for name, _ in found:
            self.connection.exec_driver_sql(f'DROP INDEX "{name}"')
        return [definition for _, definition in found]


def fill(connection: Connection, size: Size) -> None:
    """Fill a migrated, empty database, in one transaction that the caller commits."""
    loader = Loader(connection)
    if loader.postgres:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
    indexes = loader.without_indexes()
    _people(loader, size)
    _Mail(loader, size).write()
    for statement in indexes:
        connection.exec_driver_sql(statement)
    if loader.postgres:
        for table in sorted({"links", "labels"} | {"users", "persons", "messages", "threads", "person_addresses"}):
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
        connection.exec_driver_sql("SET session_replication_role = DEFAULT")


def person_address(person: int) -> str:
    """The first address of a person."""
    return f"p{person}@org{person % 8000}.test"


def vocabulary() -> list[str]:
    """The words that mail is made of, the frequent ones first."""
    rng = random.Random(4)
    return sorted({(_name(rng) + _name(rng)).lower() for _ in range(30_000)})


def _people(loader: Loader, size: Size) -> None:
    rng = random.Random(1)
    users = range(1, USERS + 1)
    loader.load(
        User, "id email name password_hash role",
        ((n, f"user{n}@own.test", f"User {n}", "!", "admin" if n == 3 else "member") for n in users),
    )  # fmt: skip
    loader.load(Team, "id name", ((n, f"Team {n}") for n in range(1, 5)))
    loader.load(TeamMember, "team_id user_id", ((1 + (n - 1) // 5, n) for n in users))
    loader.load(
        Mailbox,
        "id user_id address imap_host imap_port imap_security imap_username"
        " smtp_host smtp_port smtp_security smtp_username secret default_visibility",
        (
            (n, n, f"user{n}@own.test", "x", 1, "none", "u", "x", 1, "none", "u", b"", _visibility(n)) for n in users
        ),
    )  # fmt: skip
    roles = ("inbox", "sent", "archive")
    loader.load(
        Folder, "id mailbox_id name role",
        (((n - 1) * 3 + 1 + place, n, role.title(), role) for n in users for place, role in enumerate(roles)),
    )  # fmt: skip
    loader.load(BlockedAddress, "user_id scope pattern", ((n, "domain", BLOCKED[1:]) for n in users))
    loader.load(
        Organization, "id name owner_id",
        ((n, f"{_name(rng)} {_name(rng)} Oy", 1 + n % USERS) for n in range(1, size.organizations + 1)),
    )  # fmt: skip
    loader.load(
        OrganizationDomain, "organization_id domain", ((n, f"org{n}.test") for n in range(1, size.organizations + 1))
    )
    persons = range(1, size.persons + 1)
    loader.load(
        Person, "id name job_title organization_id owner_id",
        (
            (n, f"{_name(rng)} {_name(rng)}", "Buyer", 1 + n % size.organizations, 1 + n % USERS if n % 10 else None)
            for n in persons
        ),
    )  # fmt: skip
    loader.load(PersonAddress, "person_id address position", ((n, person_address(n), 0) for n in persons))
    loader.load(PersonAddress, "person_id address position", ((n, f"q{n}@home.test", 1) for n in persons if n % 4 == 0))
    loader.load(Pipeline, "id name", ((1, "Sales"),))
    loader.load(Stage, "id pipeline_id name position", ((n, 1, f"Stage {n}", n) for n in range(1, 6)))
    deals = range(1, size.deals + 1)
    day = loader.moment(BEGIN + timedelta(days=DAYS))
    loader.load(
        Deal,
        "id title value_minor pipeline_id stage_id status person_id organization_id owner_id closed_at created_at",
        (
            (
                n, f"{_name(rng)} phase {n % 5}", rng.randrange(10**7), 1, 1 + n % 5, "open" if n % 2 else "won",
                _buyer(n, size), 1 + _buyer(n, size) % size.organizations, 1 + n % USERS if n % 10 else None,
                None if n % 2 else day, loader.moment(BEGIN + timedelta(minutes=n * 100)),
            )
            for n in deals
        ),
    )  # fmt: skip
    loader.load(DealStage, "deal_id stage_id", ((n, 1 + n % 5) for n in deals))
    loader.load(DealParticipant, "deal_id person_id", ((n, 1 + (n * 11) % size.persons) for n in deals))
    leads = range(1, size.deals // 5 + 1)
    loader.load(
        Lead, "id title person_id owner_id",
        ((n, f"Lead {n}", 1 + (n * 13) % size.persons, 1 + n % USERS) for n in leads),
    )  # fmt: skip
    colors = ("gray", "indigo", "jade", "amber", "red")
    loader.load(Label, "id kind name color", ((n, "person", f"Label {n}", colors[n - 1]) for n in range(1, 6)))
    loader.load(Label, "id kind name color", ((n, "deal", f"Label {n}", colors[n - 6]) for n in range(6, 11)))
    loader.load(LabelUse, "label_id person_id", ((1 + n % 5, n) for n in persons if n % 3))
    loader.load(LabelUse, "label_id deal_id", ((6 + n % 5, n) for n in deals if n % 3))
    _work(loader, size, rng)


def _work(loader: Loader, size: Size, rng: random.Random) -> None:
    """Notes and activities: some for every deal and many for the busy one."""
    every = [n for n in range(1, size.deals + 1) for _ in range(4)] + [BUSY] * 500
    kinds = ("call", "meeting", "task")

    def at() -> datetime:
        return BEGIN + timedelta(minutes=rng.randrange(DAYS * 1440))

    loader.load(
        Note, "text author_id deal_id created_at",
        (("They asked for another price.", 1 + n % USERS, n, loader.moment(at())) for n in every),
    )  # fmt: skip
    made = ((kinds[n % 3], at(), 1 + n % USERS, n) for n in every)
    loader.load(
        Activity, "kind subject due_on done_at owner_id deal_id created_at",
        (
            (kind, "Ask again", f"{when:%Y-%m-%d}", loader.moment(when) if when.day % 4 else None, owner, deal,
             loader.moment(when))
            for kind, when, owner, deal in made
        ),
    )  # fmt: skip


def _buyer(deal: int, size: Size) -> int:
    return 1 + (deal * 7) % size.persons


def _visibility(user: int) -> str:
    return "shared" if user % 2 == 0 else "private"


_SYLLABLES = ("ka", "to", "mi", "ra", "se", "lo", "vi", "an", "ne", "ju", "pe", "sa", "ti", "ha", "ru", "el")


def _name(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(3)).title()


class _Mail:
    """Threads, messages and what hangs on them."""

    def __init__(self, loader: Loader, size: Size) -> None:
        self.loader, self.size = loader, size
        self.rng = random.Random(2)
        self.words = vocabulary()
        self.threads: list[list[Any]] = []  # user, person (0: a stranger), last, messages, unread, subject
        self.tracked: list[tuple[int, int, str]] = []

    def write(self) -> None:
        """Write everything, table by table: a row is made once and kept as little as possible."""
        loader = self.loader
        messages = list(self._messages())
        loader.load(
            Thread, "id user_id subject last_at message_count unread_count",
            (
                (n, user, subject, loader.moment(last), *((0, 0) if self._blocked(person, n) else (count, unread)))
                for n, (user, person, last, count, unread, subject) in enumerate(self.threads, 1)
            ),
        )  # fmt: skip
        loader.load(Blob, "sha256 size", ((f"{n:064x}", 1) for n in range(1, len(messages) + 1)))
        loader.load(
            Message,
            "id mailbox_id user_id thread_id blob_sha size rfc_message_id direction subject snippet from_name"
            " from_address sent_at received_at sort_at read archived has_attachments blocked visibility link_pending",
            (self._row(*each) for each in messages),
        )
        loader.load(
            MessageLocation, "folder_id uid message_id seen",
            ((self._folder(user, out, n), n, n, True) for n, user, _, _, out, _ in messages),
        )  # fmt: skip
        loader.load(Participant, "message_id role position name address", self._participants(messages))
        loader.load(
            Attachment, "message_id n filename size",
            ((n, 1, f"offer{n}.pdf", 40_000) for n, *_ in messages if n % 9 == 0),
        )  # fmt: skip
        loader.load(
            TrackedMessage, "user_id message_id nonce opens_on clicks_on opens last_opened_at",
            (
                (user, n, f"n{n}", True, True, n % 3, loader.moment(at) if n % 3 else None)
                for n, user, _, at, out, _ in messages
                if out and n % 5 == 0
            ),
        )  # fmt: skip
        loader.load(Link, "thread_id person_id deal_id origin reason", self._links())
        self._search(messages)

    def _messages(self) -> Iterator[tuple[int, int, int, datetime, bool, bool]]:
        """(id, user, thread, moment, outgoing, unread), oldest first."""
        rng, size = self.rng, self.size
        open_threads: dict[int, list[int]] = {n: [] for n in range(1, USERS + 1)}
        step = timedelta(days=DAYS) / size.messages
        steady = set(range(size.messages // 10, size.messages, max(1, size.messages * 9 // 10 // STEADY_MAIL)))
        for n in range(1, size.messages + 1):
            draw = rng.random()
            user = 1 if draw < 0.34 else 2 if draw < 0.67 else rng.randrange(3, USERS + 1)
            at = (BEGIN + step * n).replace(microsecond=0)
            recent = open_threads[user]
            if recent and rng.random() < 0.7 and n not in steady:
                thread = rng.choice(recent)
            else:
                person = -1 if n in steady else 0 if rng.random() < 0.3 else 1 + int(size.persons * rng.random() ** 3)
                subject = " ".join(rng.choice(self.words) for _ in range(4)).capitalize()
                self.threads.append([user, person, at, 0, 0, subject])
                thread = len(self.threads)
                if person >= 0:
                    recent.append(thread)
                if len(recent) > 40:
                    del recent[0]
            row = self.threads[thread - 1]
            out = row[1] > 0 and row[3] % 2 == 1
            unread = not out and n % 12 == 0
            row[2], row[3], row[4] = at, row[3] + 1, row[4] + unread
            yield n, user, thread, at, out, unread

    def _row(self, n: int, user: int, thread: int, at: datetime, out: bool, unread: bool) -> tuple[Any, ...]:
        person, moment = self.threads[thread - 1][1], self.loader.moment(at)
        sender = f"user{user}@own.test" if out else self._who(person, thread)
        snippet = "Thank you for the drawings, we would like to go on with the second phase as we discussed."
        return (
            n, user, user, thread, f"{n:064x}", 4000, f"m{n}@made.test", "out" if out else "in",
            self.threads[thread - 1][5], snippet, "", sender, moment, moment, moment,
            not unread, not out and self._filed(user, n), n % 9 == 0, self._blocked(person, thread), _visibility(user),
            False,
        )  # fmt: skip

    def _who(self, person: int, thread: int) -> str:
        if person > 0:
            return person_address(person)
        return STEADY_ADDRESS if person < 0 else f"news@bulk{thread % 40}.test"

    def _blocked(self, person: int, thread: int) -> bool:
        return person == 0 and thread % 40 == 3

    def _filed(self, user: int, n: int) -> bool:
        return user == 2 and n < self.size.messages - 100

    def _folder(self, user: int, out: bool, n: int) -> int:
        place = SENT if out else ARCHIVE if self._filed(user, n) else INBOX
        return (user - 1) * 3 + 1 + place

    def _participants(self, messages: list[Any]) -> Iterator[tuple[int, str, int, str, str]]:
        for n, user, thread, _, out, _ in messages:
            person = self.threads[thread - 1][1]
            own, other = f"user{user}@own.test", self._who(person, thread)
            yield n, "from", 0, "", own if out else other
            yield n, "to", 0, "", other if out else own
            if n % 4 == 0:
                yield n, "cc", 0, "", person_address(1 + n % self.size.persons)

    def _links(self) -> Iterator[tuple[int, int | None, int | None, str, str]]:
        """Each person's threads to the person, half of them to one of the deals; the busy deal gets 2 % of these."""
        rng, deals = self.rng, self.size.deals
        for n, (_, person, *_) in enumerate(self.threads, 1):
            if person > 0:
                yield n, person, None, "rule", '{"code": "address"}'
                if person % 2:
                    deal = BUSY if rng.random() < 0.02 else 1 + person % deals
                    yield n, None, deal, "rule", '{"code": "one_open_deal"}'

    def _search(self, messages: list[Any]) -> None:
        """Words: the subject, an address, and thirty of the body, the first words of the list far more often."""
        rng, many = self.rng, len(self.words)

        def of_message() -> Iterator[tuple[int, str, str, str]]:
            for n, _, thread, _, _, _ in messages:
                subject, person = self.threads[thread - 1][5].lower(), self.threads[thread - 1][1]
                people = self._who(person, thread).replace("@", " ").replace(".", " ")
                body = " ".join(self.words[int(many * rng.random() ** 4)] for _ in range(30))
                yield n, subject, people, body

        if not self.loader.postgres:
            self.loader.driver.executemany(
                "INSERT INTO message_search (rowid, subject, people, body, files) VALUES (?, ?, ?, ?, '')", of_message()
            )
            return
        with self.loader.driver.cursor().copy("COPY message_search (message_id, words) FROM STDIN") as copy:
            for n, *fields in of_message():
                places: dict[str, list[str]] = {}
                weighed = [
                    (word, weight) for weight, field in zip("ABC", fields, strict=True) for word in field.split()
                ]
                for at, (word, weight) in enumerate(weighed, 1):
                    places.setdefault(word, []).append(f"{at}{weight}")
                copy.write_row((n, " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())))
