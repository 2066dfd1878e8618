"""After a restore nothing goes out by itself: what waited when the backup was made may have been sent since.

    email that waited, or was on its way   its user is asked: `failed` where nothing had left, else `unknown`
    letters about accounts and outages     dropped: their links and news are old
    webhooks' deliveries, acts in mailboxes  `failed` with a reason; their owners may ask for them again
    copies of drafts in mailboxes          no more, until their users ask again; those that are there stay
    sessions, links to new passwords,
    invitations                            ended: what was signed out, used or withdrawn since would be good again

Works on the tables as the backup has them, of whatever version, before anything else sees them: `told` is for later,
once the database is at this version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Table, and_, delete, func, inspect, select, text, update
from sqlmodel import col
from sqlmodel import select as pick

from mailcrm.models import Outbox, utcnow
from mailcrm.services import audit
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import outcome

CODE, LATER = "outbox.restored", "outbox.restored_later"
GAP = 100_000  # drafts' numbers that are skipped: browsers may hold text of drafts that came after the backup
#: What is emptied: secrets of sign-ins that may have ended since, letters that may have been sent, what is known of
#: copies of drafts on servers.
EMPTIED = (
    "sessions",
    "account_tickets",
    "account_letters",
    "oauth_attempts",
    "login_attempts",
    "live_events",
    "draft_copies",
)
#: Leases of processes that are not there any more.
_LEASES = ("mailboxes", "outbox", "drop_mailbox", "imports", "bcc_arrivals")
_OWNERS = ("lease_owner", "token_lease_owner")
_UNTIL = ("lease_until", "token_lease_until", "verify_until")


def hold(connection: Connection, made_at: datetime) -> int:
    """Hold whatever would go out, in the caller's transaction; return how many emails that were."""
    found = MetaData()
    found.reflect(connection, only=_present(connection), resolve_fks=False)
    tables = found.tables
    held = _hold_outbox(connection, tables["outbox"], tables["outbox_recipients"], made_at)
    for name, code in (("webhook_deliveries", "webhook.restored"), ("server_actions", "writeback.restored")):
        if name in tables:
            _set(connection, tables[name], tables[name].c.state == "queued", state="failed", error_code=code)
    for name in EMPTIED:
        if name in tables:
            connection.execute(delete(tables[name]))
    if "invites" in tables:
        _set(connection, tables["invites"], tables["invites"].c.used_at.is_(None), expires_at=_now(connection))
    for name in _LEASES:
        if name in tables:
            _set(connection, tables[name], None, **dict.fromkeys(_OWNERS, ""), **dict.fromkeys(_UNTIL))
    _set(connection, tables["mailboxes"], None, write_drafts=False)
    if "reconnect_told_at" in tables["mailboxes"].c:  # who was told of an outage is not told again
        out = and_(tables["mailboxes"].c.status == "needs_reconnect", tables["mailboxes"].c.reconnect_told_at.is_(None))
        _set(connection, tables["mailboxes"], out, reconnect_told_at=_now(connection))
    _skip_numbers(connection)
    return held


def told(restored_at: str) -> int:
    """Tell the users of what is held, and note the restore; return how many emails that are. Needs today's schema."""
    with transaction() as session:
        rows = session.exec(pick(Outbox).where(col(Outbox.error_code).in_((CODE, LATER)))).all()
        for row in rows:
            outcome.tell(session, row)
        audit.record(session, None, "restore", "workspace", 1, of=restored_at, held=len(rows))
        return len(rows)


def _hold_outbox(connection: Connection, outbox: Table, people: Table, made_at: datetime) -> int:
    waits = outbox.c.state.in_(("queued", "sending", "unknown"))
    left = and_(waits, outbox.c.sent_blob_sha.is_not(None))
    ids = list(connection.scalars(select(outbox.c.id).where(left)))
    for start in range(0, len(ids), 500):  # each may have it: nobody is sent to again without its user's word
        doubted = and_(people.c.outbox_id.in_(ids[start : start + 500]), people.c.state == "waiting")
        _set(connection, people, doubted, handed_over_at=_now(connection))
    count = connection.scalar(select(func.count()).select_from(outbox).where(waits)) or 0
    held: dict[str, Any] = {"next_try_at": None, "lease_owner": "", "lease_until": None, "tries": 0}
    _set(connection, outbox, left, state="unknown", error_code=CODE, handed_over_at=_now(connection), **held)
    made = made_at.replace(tzinfo=None) if connection.dialect.name == "sqlite" else made_at
    rest = and_(outbox.c.state.in_(("queued", "sending")))
    scheduled = and_(rest, outbox.c.send_at.is_not(None), outbox.c.send_at > made)
    for which, code in ((scheduled, LATER), (rest, CODE)):
        _set(connection, outbox, which, state="failed", error_code=code, handed_over_at=None, **held)
    bare = and_(outbox.c.state == "unknown", outbox.c.sent_blob_sha.is_(None))
    _set(connection, outbox, bare, error_code=CODE, **held)
    return int(count)


def _set(connection: Connection, table: Table, where: Any, **values: Any) -> None:
    """Update the columns that this version of the table has."""
    known = {name: value for name, value in values.items() if name in table.c}
    if known:
        statement = update(table).values(known)
        connection.execute(statement if where is None else statement.where(where))


def _skip_numbers(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("UPDATE sqlite_sequence SET seq = seq + :gap WHERE name = 'outbox'"), {"gap": GAP})
    else:
        asked = "SELECT setval('outbox_id_seq', greatest(max(id), nextval('outbox_id_seq')) + :gap) FROM outbox"
        connection.execute(text(asked), {"gap": GAP})


def _now(connection: Connection) -> datetime:
    now = utcnow()
    return now.replace(tzinfo=None) if connection.dialect.name == "sqlite" else now


def _present(connection: Connection) -> list[str]:
    wanted = {
        "outbox",
        "outbox_recipients",
        "webhook_deliveries",
        "server_actions",
        "mailboxes",
        "invites",
        *EMPTIED,
        *_LEASES,
    }
    return sorted(wanted & set(inspect(connection).get_table_names()))
