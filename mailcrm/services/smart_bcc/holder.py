"""The hidden mailbox that holds a user's Smart Bcc mail: no server, no sync, in no list of mailboxes.

Its mail is shown in timelines and search, and under Archive in the Mail tab, for it waits for nobody. Its
`default_visibility` is what the user set for Smart Bcc; at first the strictest of their mailboxes' defaults.
"""

from __future__ import annotations

from sqlmodel import Session, select

from mailcrm.errors import UserError
from mailcrm.models import Mailbox
from mailcrm.services import audit
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import own_changes
from mailcrm.services.rows import insert_absent

#: No address anybody could have: the unique key (user, address) makes it one for each user.
ADDRESS = "smart-bcc"


def holder_of(session: Session, user_id: int) -> Mailbox:
    """Return the user's holder; makes it the first time."""
    found = _find(session, user_id)
    if found is not None:
        return found
    mailboxes = session.exec(select(Mailbox.default_visibility).where(Mailbox.user_id == user_id)).all()
    shared = bool(mailboxes) and all(each == "shared" for each in mailboxes)
    _make(session, user_id, "shared" if shared else "private")
    made = _find(session, user_id)
    assert made is not None
    return made


def visibility(actor: Actor) -> str:
    """Return who may read the mail that comes in from now on: "private" or "shared"."""
    with reading() as session:
        found = _find(session, actor.user_id)
        if found is not None:
            return found.default_visibility
        own = session.exec(select(Mailbox.default_visibility).where(Mailbox.user_id == actor.user_id)).all()
        return "shared" if own and all(each == "shared" for each in own) else "private"


def share(actor: Actor, value: str) -> None:
    """Choose who may read the mail that comes in from now on (M23: what is stored keeps its own)."""
    if value not in ("private", "shared"):
        raise UserError("input.invalid", value=str(value)[:40], field="Visibility")
    with transaction() as session:
        row = holder_of(session, actor.user_id)
        row.default_visibility = value
        session.add(row)
        audit.record(session, actor, "change", "smart_bcc", row.id or 0, fields=["default_visibility"])


def _find(session: Session, user_id: int) -> Mailbox | None:
    return session.exec(select(Mailbox).where(Mailbox.user_id == user_id, Mailbox.kind == "bcc")).first()


def _make(session: Session, user_id: int, default_visibility: str) -> None:
    blank = Mailbox(
        user_id=user_id, address=ADDRESS, kind="bcc", status="paused", default_visibility=default_visibility,
        imap_host="", imap_port=0, imap_security="none", imap_username="",
        smtp_host="", smtp_port=0, smtp_security="none", smtp_username="", secret=b"",
    )  # fmt: skip
    insert_absent(session, Mailbox, [blank.model_dump(exclude={"id"})])
    own_changes.settle(session)  # its address is nobody's: nothing follows
