"""Imports of CSV files: what was uploaded, how it is read, how far it is, what it made and what it could not read.

The file itself is in the data folder (services/crm/transfer/store.py) and goes away after days; the row stays.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of


class Import(Table, table=True):
    """An import of one file by one user. `settings`: how it is read; `line`: the last line that is done."""

    __tablename__ = "imports"
    __table_args__ = (
        one_of("kind", "person", "organization", "deal", "lead"),
        one_of("state", "draft", "running", "done", "stopped", "undone"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    kind: str
    filename: str
    state: str = "draft"
    settings: dict[str, Any] = json_column()
    rows: int = 0  # lines with data, in the file
    done: int = 0  # of these, dealt with
    line: int = 0
    made: int = 0
    changed: int = 0
    same: int = 0
    wrong: int = 0
    #: Why a stopped one stopped: an error's code.
    error: str = ""
    lease_until: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)
    ended_at: datetime | None = moment(nullable=True)


class ImportMade(Table, table=True):
    """A row that an import made, so that the import can be undone."""

    __tablename__ = "import_made"
    __table_args__ = (one_of("kind", "person", "organization", "deal", "lead"),)

    id: int | None = key()
    import_id: int = key(foreign="imports.id")
    kind: str
    row_id: int = Field(sa_type=BigId)


class ImportProblem(Table, table=True):
    """A line that could not be imported, and why: an error's code with its parameters."""

    __tablename__ = "import_problems"

    id: int | None = key()
    import_id: int = key(foreign="imports.id")
    line: int
    code: str
    params: dict[str, Any] = json_column()
