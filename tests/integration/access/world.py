"""A workspace where every cell of "who may read what" has a message, and the reference that says who may.

The reference is written from product.md (M24, M25, settled questions 1-3) and from what the issue settles about roles,
without a look at services/access.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlmodel import select

from mailcrm.models import Blob, Deal, Link, utcnow
from mailcrm.services import access, notifications
from mailcrm.services.access import Actor
from mailcrm.services.auth import teams
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from tests.builders import NOON, a_deal, a_mailbox, a_message, a_user

#: Aino's mail is what is looked at: Noor shares a team with her, Otto does not, Root is an administrator in no team.
VIEWERS = ("aino", "noor", "otto", "root")
OWNERS = ("aino", "noor", "nobody")  # of the deal
VISIBILITIES = ("private", "shared")
LINKS = ("thread", "message", "unlinked", "never")
STANDINGS = ("standing", "blocked", "hidden", "deleted")
#: (members', administrators') deals
SCOPES = (("everyone", "everyone"), ("team", "own"), ("own", "everyone"))
SPAM = "spam@blocked.test"


@dataclass(frozen=True)
class Cell:
    """A message of Aino's; `canary` stands in its subject, body, file and sender, and nowhere else."""

    owner: str
    visibility: str
    linked: str
    standing: str
    number: int

    @property
    def canary(self) -> str:
        return f"zq{self.number:03d}canary"


@dataclass(frozen=True)
class Row:
    """The message of a cell."""

    id: int
    thread_id: int


def reaches(viewer: str, owner: str, members: str, admins: str) -> bool:
    """Whether a viewer may see a deal of this owner under these scopes."""
    if owner in ("nobody", viewer):
        return True
    scope = admins if viewer == "root" else members
    if scope == "team":
        return {viewer, owner} <= {"aino", "noor"}
    return scope == "everyone"


def may_read(viewer: str, cell: Cell, members: str, admins: str) -> bool:
    """Whether a viewer may read the message of a cell under these scopes."""
    if cell.standing != "standing":
        return False
    if viewer == "aino":
        return True
    linked = cell.linked in ("thread", "message")
    return cell.visibility == "shared" and linked and reaches(viewer, cell.owner, members, admins)


def cells() -> Iterator[Cell]:
    """Every deal's owner × visibility × link for what stands; for what does not, whatever else holds."""
    numbers = itertools.count(1)
    for owner, visibility, linked in itertools.product(OWNERS, VISIBILITIES, LINKS):
        yield Cell(owner, visibility, linked, "standing", next(numbers))
    for visibility, linked, standing in itertools.product(VISIBILITIES, ("thread", "never"), STANDINGS[1:]):
        yield Cell("aino", visibility, linked, standing, next(numbers))


class World:
    """The rows; `actor` reads a user's role and teams anew, as every event and request does."""

    def __init__(self) -> None:
        self.users = {name: a_user(name.title(), admin=name == "root") for name in VIEWERS}
        self.box = a_mailbox(self.users["aino"])
        for name in ("noor", "otto", "root"):
            a_mailbox(self.users[name])
        teams.create(self.users["root"], "North", [self.users["aino"].user_id, self.users["noor"].user_id])
        self.deals = {owner: self._deal(owner) for owner in OWNERS}
        self.rows = {cell: self._message(cell) for cell in cells()}
        from mailcrm.services.mail import blocking

        blocking.block(self.users["aino"], "address", SPAM)

    def actor(self, name: str) -> Actor:
        with reading() as session:
            return access.actor_for(session, self.users[name].user_id)

    def set_scopes(self, members: str, admins: str) -> None:
        for role, scope in (("member", members), ("admin", admins)):
            teams.set_scope(self.users["root"], role, "deal", scope)

    def expected(self, viewer: str, members: str, admins: str) -> set[Cell]:
        return {cell for cell in self.rows if may_read(viewer, cell, members, admins)}

    def cells_of(self, find: Callable[[Row], int], found: set[int]) -> set[Cell]:
        return {cell for cell, row in self.rows.items() if find(row) in found}

    def _deal(self, owner: str) -> int:
        made = a_deal(self.users["aino"], f"Deal of {owner}").card.id
        with transaction() as session:
            session.get_one(Deal, made).owner_id = None if owner == "nobody" else self.users[owner].user_id
        return made

    def _message(self, cell: Cell) -> Row:
        aino, word = self.users["aino"], cell.canary
        sender = SPAM if cell.standing == "blocked" else f"{word}@stranger.test"
        raw = (
            f"From: {word} <{sender}>\r\nTo: aino@crm.test\r\nSubject: {word}\r\nMessage-ID: <{word}@t>\r\n"
            'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="q"\r\n\r\n'
            f"--q\r\nContent-Type: text/plain\r\n\r\n{word}\r\n"
            f'--q\r\nContent-Type: text/plain; name="{word}.txt"\r\n'
            f'Content-Disposition: attachment; filename="{word}.txt"\r\n\r\n{word}\r\n--q--\r\n'
        ).encode()
        sha = blobs.put(raw)
        with transaction() as session:
            session.add(Blob(sha256=sha, size=len(raw)))
        made = a_message(
            self.box,
            sender=f"{word} <{sender}>",
            subject=word,
            text=word,
            visibility=cell.visibility,
            rfc_message_id=f"{word}@t",
            attachment=f"{word}.txt",
            tracked=True,
            blob_sha=sha,
            size=len(raw),
            hidden=cell.standing == "hidden",
            deleted_at=NOON if cell.standing == "deleted" else None,
        )
        row, deal_id = Row(made.id or 0, made.thread_id), self.deals[cell.owner]
        if cell.linked in ("thread", "unlinked"):
            link.link_thread(aino, row.thread_id, deal_id=deal_id)
        if cell.linked == "unlinked":
            with reading() as session:
                found = session.exec(select(Link.id).where(Link.thread_id == row.thread_id)).one()
            link.unlink(aino, found or 0)
        if cell.linked == "message":
            with transaction() as session:
                session.add(Link(message_id=row.id, deal_id=deal_id, origin="manual", created_at=utcnow()))
        with transaction() as session:
            for user in self.users.values():
                notifications.notify(session, user.user_id, "bounced", message_id=row.id, thread_id=row.thread_id)
        return row
