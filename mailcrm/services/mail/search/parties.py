"""What a question asks of a message beside its words: who it is from or to, when it came, what it must not have.

Only builds conditions on `messages`; the words are index.py's. Names are compared folded, as words are: SQLite calls
our own function (db.py), PostgreSQL spells it out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, literal, or_
from sqlalchemy import text as sql_text
from sqlmodel import Session, col

from mailcrm.models import Message, Participant, UtcDateTime
from mailcrm.services.access import Actor
from mailcrm.services.folding import ACCENTS, INVISIBLE, fold
from mailcrm.services.given import dialect_of
from mailcrm.services.mail.search import index
from mailcrm.services.mail.search.operators import ME, Asked, Party
from mailcrm.services.rows import pick


def conditions(session: Session, actor: Actor, asked: Asked) -> list[ColumnElement[bool]]:
    """Return what has to hold for a message, but for the words that it must have."""
    found = [_party(session, party) for party in asked.parties]
    found += [~_party(session, party) for party in asked.without_parties]
    # A message that is not indexed yet has no words at all.
    found += [~func.coalesce(index.has_words(session, (phrase,)), False) for phrase in asked.without]
    if asked.after:
        found.append(col(Message.sort_at) >= literal(_begins(asked.after, actor), UtcDateTime()))
    if asked.before:
        found.append(col(Message.sort_at) < literal(_begins(asked.before, actor), UtcDateTime()))
    return found


def contains(session: Session, column: Any, text: str) -> ColumnElement[bool]:
    """Hold where the text occurs in a column, whatever its case and accents."""
    postgres = dialect_of(session) == "postgresql"
    position: Any = func.strpos if postgres else func.instr
    plain = position(func.lower(column), literal(text.lower())) > 0
    length = func.octet_length(column) if postgres else func.length(func.hex(column)) / 2
    # Few names are not ASCII: what is dearer is asked of those.
    return case(
        (plain, True), (length == func.length(column), False), else_=position(_folded(column, postgres), fold(text)) > 0
    )


def _folded(column: Any, postgres: bool) -> Any:
    if not postgres:
        return func.folded(column)
    small = func.lower(func.normalize(column, sql_text("NFKC")))
    small = func.replace(func.translate(small, "ς\u0345", "σι"), "ß", "ss")  # what casefold does beyond lower
    bare = func.regexp_replace(func.normalize(small, sql_text("NFD")), ACCENTS, "", "g")
    return func.regexp_replace(func.normalize(bare, sql_text("NFC")), INVISIBLE, "", "g")


def _party(session: Session, party: Party) -> ColumnElement[bool]:
    if party.text.lower() == ME:
        return col(Message.direction) == ("out" if party.role == "from" else "in")
    if party.role == "from":
        return or_(
            contains(session, col(Message.from_name), party.text),
            contains(session, col(Message.from_address), party.text),
        )
    to = pick(Participant.id).where(
        col(Participant.message_id) == col(Message.id),
        col(Participant.role).in_(("to", "cc", "bcc")),
        or_(
            contains(session, col(Participant.name), party.text),
            contains(session, col(Participant.address), party.text),
        ),
    )
    return to.correlate(Message).exists()


def _begins(day: date, actor: Actor) -> datetime:
    try:
        return datetime.combine(day, time(), ZoneInfo(actor.time_zone)).astimezone(UTC)
    except (OverflowError, ValueError, OSError):  # the first and the last days have no moment in every zone
        return datetime.combine(day, time(), UTC)
