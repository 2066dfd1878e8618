"""Where the words of messages are kept: FTS5 on SQLite, a tsvector with a GIN index on PostgreSQL (decisions.md 5).

Filled in the transaction that stores the message (`store.py`), emptied with it (a trigger, a foreign key). Both
databases get the words ready made and cut nothing themselves: FTS5's `ascii` takes every character above 127 as part
of a word, and a tsvector is written as text; so both find the same (`test_search.py`). FTS5's four columns are
PostgreSQL's four weights: subject A, people B, body C, files D.
Whose messages may be found is the caller's to say. Table and trigger: alembic 0003.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, column, delete, func, literal, or_, text
from sqlalchemy.sql import false, table
from sqlmodel import Session, col

from mailcrm.models import Message, SearchPending
from mailcrm.services.db import reading, transaction
from mailcrm.services.given import dialect_of, one_of
from mailcrm.services.mail import blobs
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.search.text import Phrase, Words, phrases, words_of
from mailcrm.services.rows import chunks, execute_many, pick, rows, run, scalar

_POSTGRES = text(
    "INSERT INTO message_search (message_id, words) VALUES (:id, CAST(:words AS tsvector))"
    " ON CONFLICT (message_id) DO UPDATE SET words = excluded.words"
)
#: A word that more messages have is not looked up but looked for in the newest: `common`.
FEWEST, MEETS = 500, 56
FIELDS = ("subject", "people", "body", "files")
_WEIGHTS: dict[str, str] = {"subject": "A", "people": "B", "body": "C", "files": "D"}
Question = str | Sequence[Phrase]
_GAP = 2  # positions between two fields, so that no phrase reaches over


def add(session: Session, items: Sequence[tuple[int, Words]]) -> None:
    """Index messages by their ids, in the caller's transaction; a message that is indexed is indexed anew."""
    if not items:
        return
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(_POSTGRES, [{"id": i, "words": _vector(found)} for i, found in items])
        return
    execute_many(
        session,
        "INSERT OR REPLACE INTO message_search (rowid, subject, people, body, files) VALUES",
        [(i, found.subject, found.people, found.body, found.files) for i, found in items],
    )


def found_by(session: Session, question: Question) -> ColumnElement[bool]:
    """Return the condition on `messages` that all words of a question occur; words may be beginnings.

    A question without a word (only punctuation) finds nothing.
    """
    asked = _phrases(question)
    if not asked:
        return false()
    if dialect_of(session) == "postgresql":
        search = table("message_search", column("message_id"), column("words"))
        matches: Any = search.c.words.op("@@")(_tsquery(_written(session, asked)))
        return col(Message.id).in_(pick(search.c.message_id).where(matches))
    search = table("message_search", column("rowid"), column("message_search"))
    matches = search.c.message_search.op("MATCH")(literal(_written(session, asked)))
    return col(Message.id).in_(pick(search.c.rowid).where(matches))


def ids(session: Session, question: Question) -> list[int] | None:
    """Return the messages that have these words, whoever's they are; None where they are many (`common`).

    Looking at each of many is dearer than looking at the newest. Asked once in a transaction.
    """
    asked = tuple(_phrases(question))
    known: dict[tuple[Phrase, ...], list[int] | None] = session.info.setdefault("messages with words", {})
    if asked not in known:
        known[asked] = _ids(session, asked) if asked else []
    return known[asked]


def has_words(session: Session, question: Question) -> ColumnElement[bool]:
    """Return the same condition as `found_by` for one message at a time, without the index."""
    asked = _phrases(question)
    if dialect_of(session) == "postgresql":
        search = table("message_search", column("message_id"), column("words"))
        matches: Any = search.c.words.op("@@")(_tsquery(_written(session, asked)))
        return pick(matches).where(search.c.message_id == col(Message.id)).correlate(Message).scalar_subquery()
    columns: list[Any] = [column(name) for name in FIELDS]
    search = table("message_search", column("rowid"), *columns)
    each: list[ColumnElement[bool]] = []
    for phrase in asked:
        words = literal(f" {' '.join(phrase.words)}{'' if phrase.open else ' '}")
        fields: list[Any] = [search.c[name] for name in ((phrase.field,) if phrase.field else FIELDS)]
        each.append(or_(*(func.instr(literal(" ") + field + literal(" "), words) > 0 for field in fields)))
    return pick(and_(*each)).where(search.c.rowid == col(Message.id)).correlate(Message).scalar_subquery()


def _ids(session: Session, asked: tuple[Phrase, ...]) -> list[int] | None:
    """Look the words up; first without the beginnings at the end of phrases.

    Every word that begins with "com" is a large part of all mail: gathering them for anna@example.com took 30 times as
    long as finding "anna example" and looking at those.
    """
    whole = tuple(Phrase(each.words, False, each.field) for each in asked)
    if whole != asked and _looked_up(session, whole) is None:  # many have the words as they stand: quickly known
        return None
    sure = tuple(Phrase(each.words[:-1], False, each.field) if each.open and each.words[1:] else each for each in asked)
    if sure != asked:
        found = _looked_up(session, sure)
        if found is not None:
            those = pick(Message.id).where(
                one_of(col(Message.id), found, dialect_of(session)), has_words(session, asked)
            )
            return [row[0] for row in rows(session, those)] if found else []
    return _looked_up(session, asked)


def _looked_up(session: Session, asked: tuple[Phrase, ...]) -> list[int] | None:
    if dialect_of(session) == "postgresql":
        statement = "SELECT message_id FROM message_search WHERE words @@ CAST(:asked AS tsquery) LIMIT :most"
    else:
        statement = "SELECT rowid FROM message_search WHERE message_search MATCH :asked LIMIT :most"
    most = common(session)
    given = {"asked": _written(session, asked), "most": most}
    found = [row[0] for row in session.connection().execute(text(statement), given)]
    return found if len(found) < most else None


def common(session: Session) -> int:
    """Return how many messages with a word are many: 1,000 of 20,000, 7,500 of a million.

    Looking words up takes longer the more messages have them, walking the newest conversations the fewer do: the two
    take the same time at a multiple of the root of how much mail there is. Asked once in a transaction.
    """
    if "common" not in session.info:
        session.info["common"] = max(FEWEST, math.isqrt(MEETS * (scalar(session, pick(func.max(Message.id))) or 0)))
    return int(session.info["common"])


def _phrases(question: Question) -> Sequence[Phrase]:
    return phrases(question) if isinstance(question, str) else question


def _written(session: Session, asked: Sequence[Phrase]) -> str:
    """Write a question in the words of the database's own search. Ours are letters and digits: nothing to escape."""
    if dialect_of(session) == "postgresql":
        return " & ".join(map(_postgres, asked))
    return " AND ".join(map(_fts, asked))


def _fts(phrase: Phrase) -> str:
    words = f'"{" ".join(phrase.words)}"{"*" if phrase.open else ""}'
    return f"({phrase.field} : {words})" if phrase.field else words


def _tsquery(question: str) -> Any:
    from sqlalchemy.dialects.postgresql import TSQUERY  # here: on SQLite the dialect need not be in memory

    return cast(literal(question), TSQUERY)


def _postgres(phrase: Phrase) -> str:
    weight = _WEIGHTS.get(phrase.field, "")
    words = [f"'{word}'" + (f":{weight}" if weight else "") for word in phrase.words]
    if phrase.open:
        words[-1] = f"'{phrase.words[-1]}':*{weight}"
    return f"({' <-> '.join(words)})"


def index_waiting(limit: int = 500) -> int:
    """Index messages that were stored before there was an index; return how many were looked at. A job."""
    with reading() as session:
        waiting = pick(Message.id, Message.blob_sha).join(SearchPending, col(SearchPending.message_id) == Message.id)
        found = rows(session, waiting.order_by(col(Message.id).desc()).limit(limit))
    for part in chunks(found, 50):
        items = [(row[0], words) for row in part if (words := _words_in_store(row[1])) is not None]
        with transaction() as session:
            ids = [row[0] for row in part]
            there = {row[0] for row in rows(session, pick(Message.id).where(col(Message.id).in_(ids)))}
            add(session, [(i, words) for i, words in items if i in there])
            run(session, delete(SearchPending).where(col(SearchPending.message_id).in_(ids)))
    return len(found)


def forget_deleted(most: int = 200) -> bool:
    """Merge the words of deleted messages out of SQLite's index, a bounded part of it; tell whether more is left.

    FTS5 marks deleted rows; their words are gone only when the segments that hold them are written anew. PostgreSQL's
    autovacuum does that by itself. A job.
    """
    with transaction() as session:
        connection = session.connection()
        if connection.dialect.name != "sqlite":
            return False
        if connection.exec_driver_sql("SELECT 1 FROM message_search_deleted").first() is None:
            return False
        changes = "SELECT total_changes()"
        before = connection.exec_driver_sql(changes).scalar_one()
        # Less than nothing: merge everything into one segment, `most` pages now.
        connection.exec_driver_sql("INSERT INTO message_search(message_search, rank) VALUES ('merge', ?)", (-most,))
        if connection.exec_driver_sql(changes).scalar_one() - before < 2:  # FTS5's way of saying that it is done
            connection.exec_driver_sql("DELETE FROM message_search_deleted")
            return False
    return True


def _words_in_store(sha: str) -> Words | None:
    """The words of a stored message, None for one that can't be read: heal.py fetches it again when it is opened."""
    try:
        return words_of(parse_message(blobs.get(sha)))
    except (blobs.BlobLost, UnparsableMessage):
        return None


def _vector(found: Words) -> str:
    """Write a tsvector as PostgreSQL reads it. Words hold letters and digits only, so nothing is to be escaped."""
    at = 0
    places: dict[str, list[str]] = {}
    for weight, field in (("A", found.subject), ("B", found.people), ("C", found.body), ("D", found.files)):
        for word in field.split():
            at += 1
            places.setdefault(word, []).append(f"{at}{weight}")
        at += _GAP
    return " ".join(f"'{word}':{','.join(where)}" for word, where in places.items())
