"""What an import knows of what is there: rows by their IDs, names and addresses, and what it is going to do.

Pure: filled by loading.py, asked by decide.py, emptied by writing.py. A dry run keeps one Directory over all lines, so
that what earlier lines would make is there for later ones; an import takes a fresh one for each batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mailcrm.errors import UserError
from mailcrm.services.crm.transfer.values import folded

NAME = {"person": "name", "organization": "name", "deal": "title", "lead": "title"}


@dataclass(frozen=True, slots=True)
class Act:
    """Something to write: a new row (negative id) or changes of one. `line` 0: made because another row needs it."""

    kind: str
    id: int
    values: Mapping[str, Any]
    line: int
    external: str


class Directory:
    """Rows as dicts of their columns; `addresses`, `phones`, `domains`, `labels` are tuples, `custom` is by field key."""

    def __init__(
        self,
        importer_id: int,
        users: Mapping[str, int],
        own: str = "",
        *,
        same: Callable[[str], str] = str.lower,
        colleagues: Collection[str] = (),
    ) -> None:
        self.importer_id, self.users, self.own = importer_id, users, own
        #: The workspace's own addresses, as `same` spells them: nobody's contact has one.
        self._same, self._colleagues = same, frozenset(map(same, colleagues))
        self.rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.by_address: dict[str, list[int]] = {}
        self.by_name: dict[str, dict[str, list[int]]] = defaultdict(dict)
        #: (kind, ID of the other system) -> row; None: it is in the trash.
        self.external: dict[tuple[str, str], int | None] = {}
        self.claimed: set[tuple[str, int]] = set()
        #: In order: (pipeline, its name, stage, its name).
        self.stages: list[tuple[int, str, int, str]] = []
        self.acts: list[Act] = []
        self._last = 0

    def refuse_own(self, addresses: Iterable[str]) -> None:
        """Raise UserError when one of these belongs to somebody of the workspace."""
        for address in addresses:
            if self._same(address) in self._colleagues:
                raise UserError("person.own_address", address=address)

    def add(self, kind: str, row_id: int, row: dict[str, Any]) -> None:
        """Let a row be known; one that is known already stays as it is."""
        if row_id in self.rows[kind]:
            return
        self.rows[kind][row_id] = row
        self._index(kind, row_id, row)

    def forget(self) -> None:
        """Drop rows and acts after they were written; stages stay."""
        self.rows.clear()
        self.by_address.clear()
        self.by_name.clear()
        self.external.clear()
        self.claimed.clear()
        self.acts.clear()

    def named(self, kind: str, name: str) -> list[int]:
        """Rows of this name, whatever its case and width, oldest first."""
        return sorted(self.by_name[kind].get(folded(name), ()), key=lambda each: (each < 0, abs(each)))

    def external_row(self, kind: str, external: str, *, strict: bool = True) -> int | None:
        """The row that an ID became, None when it became none; UserError when that is in the trash and `strict`."""
        found = self.external.get((kind, external), 0) if external else 0
        if found is None and strict:
            raise UserError("import.trashed")
        return found or None

    def is_claimed(self, kind: str, row_id: int) -> bool:
        """Whether some ID of the same source became this row."""
        return (kind, row_id) in self.claimed

    def is_unclaimed(self, kind: str, external: str) -> bool:
        """Whether this ID is new and has to be kept."""
        return (kind, external) not in self.external

    def stage_of(self, pipeline: str, stage: str) -> tuple[int, int] | None:
        """The place of a stage: in the named pipeline, else the first that has one of this name; "" is the first one."""
        for pipeline_id, pipeline_name, stage_id, name in self.stages:
            if (not pipeline or folded(pipeline_name) == folded(pipeline)) and (
                not stage or folded(name) == folded(stage)
            ):
                return pipeline_id, stage_id
        return None

    def first_pipeline(self) -> str:
        """The name of the pipeline that is taken when none is named."""
        return self.stages[0][1] if self.stages else ""

    def make_stage(self, pipeline: str, stage: str) -> tuple[int, int]:
        """Add a stage at the end of a pipeline, and the pipeline when there is none of this name."""
        wanted = pipeline or self.first_pipeline()
        ids = [each[0] for each in self.stages if folded(each[1]) == folded(wanted)]
        if not ids:
            ids = [self.new_id()]
            self.acts.append(Act("pipeline", ids[0], {"name": wanted}, 0, ""))
        made = self.new_id()
        name = stage or wanted
        self.acts.append(Act("stage", made, {"pipeline_id": ids[0], "name": name}, 0, ""))
        self.stages.append((ids[0], wanted, made, name))
        return ids[0], made

    def new_id(self) -> int:
        """An id for a row that is not written yet."""
        self._last -= 1
        return self._last

    def do(self, act: Act) -> None:
        """Note what is to do, and let later lines see it done."""
        self.acts.append(act)
        if act.external:
            self.external[act.kind, act.external] = act.id
            self.claimed.add((act.kind, act.id))
        row = self.rows[act.kind].setdefault(act.id, {})
        for name, value in act.values.items():
            if name in ("addresses", "phones", "domains", "labels"):
                row[name] = (*row.get(name, ()), *value)
            elif name == "custom":
                row[name] = {**row.get(name, {}), **value}
            else:
                row[name] = value
        self._index(act.kind, act.id, row)

    def mark(self) -> tuple[int, int]:
        """Where the acts stand, to `rewind` to when a line turns out to be wrong."""
        return len(self.acts), len(self.stages)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Take back the acts since a mark: they made new rows for a line that is not imported."""
        for act in self.acts[mark[0] :]:
            row = self.rows[act.kind].pop(act.id, None) if act.id < 0 else None
            if row is not None and act.kind in NAME:
                self._unindex(act.kind, act.id, row)
        del self.acts[mark[0] :]
        del self.stages[mark[1] :]

    def _index(self, kind: str, row_id: int, row: Mapping[str, Any]) -> None:
        if kind in NAME and NAME[kind] in row:
            ids = self.by_name[kind].setdefault(folded(row[NAME[kind]]), [])
            if row_id not in ids:
                ids.append(row_id)
        if kind == "person":
            for address in row.get("addresses", ()):
                ids = self.by_address.setdefault(address, [])
                if row_id not in ids:
                    ids.append(row_id)

    def _unindex(self, kind: str, row_id: int, row: Mapping[str, Any]) -> None:
        for ids in (
            self.by_name[kind].get(folded(row.get(NAME[kind], "")), []),
            *(self.by_address.get(each, []) for each in row.get("addresses", ()) if kind == "person"),
        ):
            if row_id in ids:
                ids.remove(row_id)
