"""What imports hand out: frozen values, never rows (rule 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column of the file: its name, its first values, and what it becomes ("" for nothing)."""

    at: int
    name: str
    samples: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import. `state`: draft, running, done, stopped, undone. `wants_order`: days are unclear, `order` has to be chosen.

    `unnamed` is the label of the field that no column was chosen for and that every line needs, "" when there is one.
    """

    id: int
    kind: str
    filename: str
    state: str
    encoding: str
    delimiter: str
    header: bool
    order: str
    wants_order: bool
    decimals: str
    change: bool
    make_stages: bool
    source: str
    unnamed: str
    rows: int
    done: int
    made: int
    changed: int
    same: int
    wrong: int
    error: str
    has_file: bool
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProblemView:
    """A line that can't be imported, and why, in the actor's language."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class PreviewView:
    """What an import would do. `also`: rows that are made because lines name them, by kind ("stage" among them)."""

    made: int
    changed: int
    same: int
    wrong: int
    also: tuple[tuple[str, int], ...]
    problems: tuple[ProblemView, ...]


@dataclass(frozen=True, slots=True)
class FieldView:
    """What a column can become: its key and its label, an own field's name being its label."""

    key: str
    label: str
    own: bool = False
