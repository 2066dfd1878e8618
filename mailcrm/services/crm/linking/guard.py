"""Keeps the linking rules and what rewrites the links of whole persons (merging, its undo) out of each other's way.

The rules decide by what they read, and write a moment later: a person who is merged in between would keep links that
nobody moves, and the two would wait for each other's rows. So a batch of the rules is shared, a merge is alone; each asks
first of all in its transaction. An advisory lock on PostgreSQL; SQLite has one writer anyway.
"""

from __future__ import annotations

from sqlalchemy import func
from sqlmodel import Session

from mailcrm.services.rows import pick, rows

_KEY = 0x6C696E6B73  # "links": advisory locks are numbers, one space for each database


def deciding(session: Session) -> None:
    """Let links be decided and written until the transaction ends; waits for who rewrites them."""
    if session.connection().dialect.name == "postgresql":
        rows(session, pick(func.pg_advisory_xact_lock_shared(_KEY)))


def rewriting(session: Session) -> None:
    """Let nobody decide about links until the transaction ends; waits for batches in hand, a fraction of a second."""
    if session.connection().dialect.name == "postgresql":
        rows(session, pick(func.pg_advisory_xact_lock(_KEY)))
