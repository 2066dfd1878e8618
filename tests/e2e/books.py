"""What the list has to show, asked of the database in plain SQL: written apart from the services, to be held against them.

For one user whose conversations all have subjects of their own. Reads only.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STANDS = "m.deleted_at IS NULL AND NOT m.hidden AND NOT m.blocked"
OF_THREAD = f"SELECT 1 FROM messages m WHERE m.thread_id = t.id AND {STANDS}"
SNOOZED = "EXISTS (SELECT 1 FROM reminders r WHERE r.thread_id = t.id AND r.kind = 'snooze' AND r.ended_at IS NULL)"
UNREAD = f"EXISTS ({OF_THREAD} AND m.direction = 'in' AND NOT m.read AND NOT m.junk)"
LIES_IN = (
    "EXISTS (SELECT 1 FROM message_locations l JOIN folders f ON f.id = l.folder_id"
    " WHERE l.message_id = m.id AND f.role = '{role}')"
)
FOLDERS = {
    "inbox": f"EXISTS ({OF_THREAD} AND NOT m.archived AND {LIES_IN.format(role='inbox')}) AND NOT {SNOOZED}",
    "sent": f"EXISTS ({OF_THREAD} AND m.direction = 'out')",
    "archive": f"EXISTS ({OF_THREAD} AND (m.archived OR {LIES_IN.format(role='archive')}))",
    "snoozed": f"{SNOOZED} AND EXISTS ({OF_THREAD})",
    "all": f"EXISTS ({OF_THREAD})",
}
LINKED = "SELECT 1 FROM links k {join} WHERE k.thread_id = t.id AND k.unlinked_at IS NULL AND x.deleted_at IS NULL"
TO_DEAL = LINKED.format(join="JOIN deals x ON x.id = k.deal_id")
LABELLED = (
    "EXISTS (SELECT 1 FROM thread_labels w JOIN labels b ON b.id = w.label_id"
    " WHERE w.thread_id = t.id AND b.deleted_at IS NULL AND b.id = {id})"
)
FILTERS = {
    "unread": UNREAD,
    "files": f"EXISTS ({OF_THREAD} AND m.has_attachments)",
    "shared": f"EXISTS ({OF_THREAD} AND m.visibility = 'shared')",
    "private": f"EXISTS ({OF_THREAD} AND m.visibility = 'private')",
    "deal": f"EXISTS ({TO_DEAL} AND x.status = 'open')",
    "unlinked": f"NOT EXISTS ({TO_DEAL})"
    f" AND NOT EXISTS ({LINKED.format(join='JOIN persons x ON x.id = k.person_id')})"
    f" AND NOT EXISTS ({LINKED.format(join='JOIN leads x ON x.id = k.lead_id')})",
}
ROW = f"""
SELECT t.id, t.subject, {UNREAD} AS unread,
  (SELECT count(DISTINCT coalesce(m.rfc_message_id, m.id)) FROM messages m WHERE m.thread_id = t.id AND {STANDS}) AS n,
  (SELECT max(m.sort_at) FROM messages m WHERE m.thread_id = t.id AND {STANDS}) AS at,
  (SELECT x.title FROM links k JOIN deals x ON x.id = k.deal_id
    WHERE k.thread_id = t.id AND k.unlinked_at IS NULL AND x.deleted_at IS NULL
    ORDER BY k.created_at DESC, k.id DESC LIMIT 1) AS deal,
  (SELECT group_concat(name, '|') FROM (SELECT b.name FROM thread_labels w JOIN labels b ON b.id = w.label_id
    WHERE w.thread_id = t.id AND b.deleted_at IS NULL ORDER BY b.name)) AS labels
FROM threads t WHERE {{which}} ORDER BY at DESC, t.id DESC
"""
FACTS = f"""
SELECT t.id, {UNREAD}, {SNOOZED}, NOT EXISTS ({OF_THREAD}), NOT EXISTS ({OF_THREAD} AND NOT m.archived),
  (SELECT group_concat(label_id) FROM (SELECT label_id FROM thread_labels WHERE thread_id = t.id ORDER BY label_id)),
  (SELECT group_concat(deal_id) FROM (SELECT deal_id FROM links
    WHERE thread_id = t.id AND deal_id IS NOT NULL AND unlinked_at IS NULL ORDER BY deal_id))
FROM threads t
"""
FACETS = ("unread", "snoozed", "deleted", "archived", "labels", "deals")


@dataclass(frozen=True)
class View:
    """What the list is asked for: a folder, the words of its filters in their order, and a search."""

    folder: str = "inbox"
    filters: tuple[str, ...] = ()
    query: str = ""

    @property
    def where(self) -> str:
        """The same as SQL; what a query may be is in `asked`."""
        folder = "snoozed" if "snoozed" in self.filters else "all" if self.query else self.folder
        words = [word for word in self.filters if word != "snoozed"]
        parts = [
            FOLDERS[folder],
            *[FILTERS.get(word) or LABELLED.format(id=word.removeprefix("label-")) for word in words],
        ]
        return " AND ".join(f"({part})" for part in (*parts, *asked(self.query)))


def asked(query: str) -> list[str]:
    """Return the conditions of a query: `is:unread`, `from:` with a part of a name, and words of subjects."""
    found: list[str] = []
    of_message: list[str] = []
    for word in query.split():
        if word == "is:unread":
            found.append(UNREAD)
        elif word.startswith("from:"):
            of_message.append(f"lower(m.from_name || ' ' || m.from_address) LIKE '%{word[5:]}%'")
        else:
            of_message.append(f"lower(m.subject) LIKE '%{word}%'")
    return [*found, f"EXISTS ({' AND '.join((OF_THREAD, *of_message))})"] if query else []


class Books:
    """The database, read as somebody would who doesn't know the services."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, *statements: str) -> list[list[Any]]:
        """Return the rows of each statement, all of one moment."""
        session = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None)
        try:
            session.execute("BEGIN")
            return [session.execute(each).fetchall() for each in statements]
        finally:
            session.close()

    def looks(self, view: View) -> tuple[list[list[Any]], dict[str, int], dict[int, dict[str, Any]]]:
        """Return the rows of the list as they are to be shown, the numbers of the navigation, and all facts."""
        inbox, drafts, waiting, leads, listed, facts = self.read(
            f"SELECT count(*) FROM threads t WHERE {FOLDERS['inbox']} AND {UNREAD}",
            "SELECT count(*) FROM outbox WHERE state = 'draft'",
            "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending', 'failed', 'unknown')",
            "SELECT count(*) FROM leads WHERE status = 'open' AND deleted_at IS NULL",
            ROW.format(which=view.where),
            FACTS,
        )
        shown = [
            [thread, bool(unread), n if n > 1 else 0, deal or "", (labels or "").split("|") if labels else []]
            for thread, _subject, unread, n, _at, deal, labels in listed
        ]
        numbers = {"inbox": inbox, "drafts": drafts, "outbox": waiting, "leads": leads}
        return (
            shown,
            {name: found[0][0] for name, found in numbers.items()},
            {row[0]: _facts(*row[1:]) for row in facts},
        )

    def counts(self, view: View, words: tuple[str, ...]) -> dict[str, int]:
        """Return how many conversations the list would have, narrowed to each word as well."""
        asked = [View(view.folder, turned_on(view.filters, word), view.query) for word in words]
        found = self.read(*[f"SELECT count(*) FROM threads t WHERE {each.where}" for each in asked])
        return {word: rows[0][0] for word, rows in zip(words, found, strict=True)}

    def subjects(self) -> dict[str, int]:
        """Return the conversations by their subjects."""
        return dict(self.read("SELECT subject, id FROM threads")[0])


def turned_on(words: tuple[str, ...], word: str) -> tuple[str, ...]:
    """Return the words with this one, without its opposite."""
    against = {"shared": "private", "private": "shared", "deal": "unlinked", "unlinked": "deal"}.get(word)
    return words if word in words else (*(each for each in words if each != against), word)


def _facts(*values: Any) -> dict[str, Any]:
    sets = (frozenset(map(int, text.split(","))) if text else frozenset[int]() for text in values[4:])
    found = dict(zip(FACETS, (*map(bool, values[:4]), *sets), strict=True))
    return {**found, "archived": found["archived"] and not found["deleted"]}
