r"""Imports of CSV files: upload, say how it is read, look what would happen, start, undo.

    draft --start--> running --(run.py)--> done --undo--> undone
      |                 \--> stopped (a reason) --undo--> undone
      discard

An import is its user's own, for everybody. The file lies in the data folder until `KEEP` after its upload.
Running it is run.py; what a line becomes is decide.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AuditEntry, Import, ImportedRow, ImportMade, ImportProblem, utcnow
from mailcrm.sentences import SENTENCES
from mailcrm.services import access, audit, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, pipelines
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.transfer import fields, how, loading, passes, reading, values
from mailcrm.services.crm.transfer.views import ColumnView, FieldView, ImportView, PreviewView, ProblemView
from mailcrm.services.db import reading as reads
from mailcrm.services.db import transaction
from mailcrm.services.jobs.queue import enqueue
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.rows import chunks, pick, rows, run, scalar

SAMPLES = 3
PROBLEMS_SHOWN = 200
KEEP = timedelta(days=7)
MOST_DRAFTS = 20  # of a user: files of 20 MB that wait to be imported or discarded


def upload(
    actor: Actor, kind: str, filename: str, data: bytes, *, encoding: str = "", delimiter: str = ""
) -> ImportView:
    """Take a file in and propose how it is read; nothing is imported yet. Raises UserError when it can't be read at all."""
    checks.choice(kind, "Kind", fields.KINDS)
    if encoding:
        checks.choice(encoding, "Encoding", reading.ENCODINGS)
    if delimiter:
        checks.choice(delimiter, "Delimiter", reading.DELIMITERS)
    if not data:
        raise UserError("import.empty")
    if len(data) > reading.MOST_BYTES:
        raise UserError("import.too_large", most=reading.MOST_BYTES // 1_000_000)
    with transaction() as session:
        lock_user(session, actor.user_id)  # two at once would both find room
        waiting = pick(func.count()).where(access.own_import(actor), col(Import.state) == "draft")
        if scalar(session, waiting) >= MOST_DRAFTS:
            raise UserError("import.most_drafts", most=MOST_DRAFTS)
        row = Import(
            user_id=actor.user_id, kind=kind, filename=checks.line(Path(filename).name[-100:], "File") or "import.csv"
        )
        session.add(row)
        session.flush()
        path = how.path_of(row.id or 0)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        try:
            path.write_bytes(data)
            how.recognise(session, row, reading.shape_of(path, encoding, delimiter))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        session.add(row)
        session.flush()
        return _view(row)


def get_import(actor: Actor, import_id: int) -> ImportView:
    """Return one of the actor's imports."""
    with reads() as session:
        return _view(_load(session, actor, import_id))


def list_imports(actor: Actor, limit: int = 20) -> tuple[ImportView, ...]:
    """Return the actor's imports, newest first."""
    with reads() as session:
        query = select(Import).where(access.own_import(actor)).order_by(col(Import.id).desc())
        return tuple(_view(row) for row in session.exec(query.limit(max(1, min(limit, 100)))))


def columns(actor: Actor, import_id: int) -> tuple[ColumnView, ...]:
    """Return the file's columns with their first values and what they become."""
    with reads() as session:
        row = _load(session, actor, import_id)
    shape = how.shape_of(row)
    samples: list[list[str]] = [[] for _name in shape.names]
    for line in how.first_lines(row, 50):
        for at, cell in enumerate(line.cells[: len(samples)]):
            text = checks.line(cell[:200], "Cell", most=10_000)
            if text and len(samples[at]) < SAMPLES and text not in samples[at]:
                samples[at].append(text[:60])
    mapping = row.settings["mapping"]
    return tuple(ColumnView(at, name, tuple(samples[at]), mapping[at]) for at, name in enumerate(shape.names))


def choices(actor: Actor, kind: str) -> tuple[FieldView, ...]:
    """Return what a column can become: fields of the kind, the workspace's own, and new ones of each type."""
    checks.choice(kind, "Kind", fields.KINDS)
    with reads() as session:
        own = loading.customs(session, kind)
    core = [FieldView(field.key, i18n.gettext(actor.language, field.label)) for field in fields.FIELDS[kind]]
    return (*core, *(FieldView(key, custom.name, own=True) for key, custom in own.items()))


def change_import(
    actor: Actor,
    import_id: int,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    column: tuple[int, str] | None = None,
    mapping: Mapping[str, str] | None = None,
    order: str | None = None,
    decimals: str | None = None,
    change: bool | None = None,
    make_stages: bool | None = None,
) -> ImportView:
    """Say how a draft is read. `column` gives one column another meaning, `mapping` several by their names.

    Another encoding, delimiter or header recognises the columns anew. Fields, stages and pipelines are administrators'
    to make, also by an import.
    """
    with transaction() as session:
        row = _draft(session, actor, import_id)
        if make_stages or how.makes_field((column or (0, ""))[1], *(mapping or {}).values()):
            access.require_admin(actor)
        said = dict(row.settings)
        if encoding is not None or delimiter is not None or header is not None:
            if encoding:
                checks.choice(encoding, "Encoding", reading.ENCODINGS)
            if delimiter:
                checks.choice(delimiter, "Delimiter", reading.DELIMITERS)
            shape = reading.shape_of(
                how.path_of(import_id),
                said["encoding"] if encoding is None else encoding,
                said["delimiter"] if delimiter is None else delimiter,
                said["header"] if header is None else header,
            )
            how.recognise(session, row, shape)
            said = dict(row.settings)
        found = list(said["mapping"])
        if column is not None and 0 <= column[0] < len(found):
            how.map_column(session, row.kind, found, column[0], column[1])
        for name, key in (mapping or {}).items():
            at = next((at for at, each in enumerate(said["names"]) if values.folded(each) == values.folded(name)), None)
            if at is None:
                raise UserError("input.invalid", value=name[:40], field="Column")
            how.map_column(session, row.kind, found, at, key)
        said["mapping"] = found
        if order is not None:
            said["order"] = checks.choice(order, "Order", ("", *values.ORDERS))
        if decimals is not None:
            said["decimals"] = checks.choice(decimals, "Decimals", ("", ".", ","))
        if change is not None:
            said["change"] = change
        if make_stages is not None:
            said["make_stages"] = make_stages
        row.settings = said
        if order is None and (column is not None or mapping):
            row.settings = said | how.guessed(row)
        session.add(row)
        session.flush()
        return _view(row)


def preview(actor: Actor, import_id: int) -> PreviewView:
    """Say what the import would do, line by line, without doing it. The bad lines can be downloaded afterwards."""
    with reads() as session:
        row = _load(session, actor, import_id)
        if row.state != "draft":
            raise UserError("import.began")
        how.check(row)
        known = loading.directory(session, actor)
        said = how.reading_of(session, actor, row)
    if row.kind == "deal":
        pipelines.list_pipelines(actor)  # makes the default one where there is none
        with reads() as session:
            known.stages = loading.directory(session, actor).stages
    counts: Counter[str] = Counter()
    also: Counter[str] = Counter()
    wrong: list[tuple[int, UserError]] = []
    for part in passes.batches(reading.lines(how.path_of(import_id), how.shape_of(row))):
        made, errors = passes.read_drafts(part, said)
        with reads() as session:
            loading.load(session, actor, row.kind, made, known, row.settings["source"])
        errors += passes.decided(made, known, how.rules_of(row), counts)
        also.update(act.kind for act in known.acts if act.id < 0 and not act.line)
        known.acts.clear()
        wrong += errors
    wrong.sort(key=lambda pair: pair[0])
    with transaction() as session:
        passes.keep_problems(session, import_id, wrong, anew=True)
    shown = tuple(ProblemView(line, i18n.sentence(error, actor.language)) for line, error in wrong[:PROBLEMS_SHOWN])
    return PreviewView(
        counts["made"], counts["changed"], counts["same"], len(wrong), tuple(sorted(also.items())), shown
    )


def start(actor: Actor, import_id: int) -> ImportView:
    """Let the worker import; progress is in the view. Raises UserError when it can't begin."""
    with transaction() as session:
        row = _draft(session, actor, import_id)
        how.check(row)
        passes.keep_problems(session, import_id, (), anew=True)
        row.state = "running"
        session.add(row)
        session.flush()
        audit.record(session, actor, "import", "import", import_id, of=row.kind, rows=row.rows)
        view = _view(row)
    enqueue("run_import", import_id=import_id)
    return view


def undo(actor: Actor, import_id: int) -> ImportView:
    """Put what this import made into the trash; what it changed, or what somebody changed since, stays. Idempotent."""
    with transaction() as session:
        row = _load(session, actor, import_id)
        if row.state == "undone":
            return _view(row)
        if row.state not in ("done", "stopped"):
            raise UserError("import.not_done")
        for kind, model in loading.MODELS.items():
            made = [
                found[0]
                for found in rows(
                    session,
                    pick(ImportMade.row_id).where(col(ImportMade.import_id) == import_id, col(ImportMade.kind) == kind),
                )
            ]
            for part in chunks(made):
                part = sorted(set(part) - _worked_on(session, import_id, kind, part))
                trash = update(model).where(col(model.id).in_(part), access.visible_crm(actor, model))
                run(session, trash.values(deleted_at=utcnow()))
                _look_again(session, kind, part)
                forget = delete(ImportedRow).where(col(ImportedRow.kind) == kind, col(ImportedRow.row_id).in_(part))
                run(session, forget)
        row.state = "undone"
        session.add(row)
        audit.record(session, actor, "undo_import", "import", import_id, of=row.kind)
        live.hint(session, None, "crm")
        session.flush()
        return _view(row)


def discard(actor: Actor, import_id: int) -> None:
    """Forget a draft and its file."""
    with transaction() as session:
        session.delete(_draft(session, actor, import_id))
    how.path_of(import_id).unlink(missing_ok=True)


def problems(actor: Actor, import_id: int, limit: int = PROBLEMS_SHOWN) -> tuple[ProblemView, ...]:
    """Return the lines that could not be imported, in order."""
    with reads() as session:
        _load(session, actor, import_id)
        query = select(ImportProblem).where(ImportProblem.import_id == import_id)
        found = session.exec(query.order_by(col(ImportProblem.line), col(ImportProblem.id)).limit(limit)).all()
        return tuple(ProblemView(row.line, i18n.kept_sentence(row.code, row.params, actor.language)) for row in found)


def bad_lines(actor: Actor, import_id: int) -> Iterator[bytes]:
    """Give a CSV of the lines that could not be imported, to mend and import: the file's columns, the line, the reason."""
    with reads() as session:
        row = _load(session, actor, import_id)
        query = pick(ImportProblem.line, ImportProblem.code, ImportProblem.params)
        found = rows(session, query.where(col(ImportProblem.import_id) == import_id))
    if not how.path_of(import_id).exists():
        raise NotFound
    why = {line: i18n.kept_sentence(code, params, actor.language) for line, code, params in found}
    return passes.bad_csv(row, why)


def forget_old() -> int:
    """Remove files of old imports, and drafts that nobody started; return how many files went."""
    before, gone = utcnow() - KEEP, 0
    with transaction() as session:
        query = pick(Import.id, Import.state).where(col(Import.created_at) < before, col(Import.state) != "running")
        for import_id, state in rows(session, query):
            if how.path_of(import_id).exists():
                how.path_of(import_id).unlink()
                gone += 1
            if state == "draft":
                run(session, delete(Import).where(col(Import.id) == import_id))
    return gone


def _worked_on(session: Session, import_id: int, kind: str, row_ids: Sequence[int]) -> set[int]:
    """Those of these rows that somebody, or another import, changed after this one made them."""
    entries = pick(AuditEntry.object_id, AuditEntry.detail).where(
        col(AuditEntry.object_kind) == kind, col(AuditEntry.object_id).in_(row_ids)
    )
    return {row_id for row_id, detail in rows(session, entries) if detail.get("import") != import_id}


def _look_again(session: Session, kind: str, row_ids: Sequence[int]) -> None:
    """Persons, deals and leads that are gone may leave one deal to link (M28)."""
    if kind == "person":
        pending.look_again_at(session, row_ids)
    elif kind in ("deal", "lead"):
        model = loading.MODELS[kind]
        of: Any = model.person_id  # type: ignore[union-attr]
        pending.look_again_at(session, [row[0] for row in rows(session, pick(of).where(col(model.id).in_(row_ids)))])


def due() -> ColumnElement[bool]:
    """Imports that were started and that nobody works on."""
    free = col(Import.lease_until).is_(None) | (col(Import.lease_until) < utcnow())
    return (col(Import.state) == "running") & free


def _load(session: Session, actor: Actor, import_id: int) -> Import:
    return access.load(session, Import, import_id, access.own_import(actor))


def _draft(session: Session, actor: Actor, import_id: int) -> Import:
    row = _load(session, actor, import_id)
    if row.state != "draft":
        raise UserError("import.began")
    return row


def _view(row: Import) -> ImportView:
    said = row.settings
    return ImportView(
        id=row.id or 0,
        kind=row.kind,
        filename=row.filename,
        state=row.state,
        encoding=said["encoding"],
        delimiter=said["delimiter"],
        header=said["header"],
        order=said["order"],
        wants_order=said.get("wants_order", False),
        decimals=said["decimals"],
        change=said["change"],
        make_stages=said["make_stages"],
        source=said["source"].partition(" ")[0],
        unnamed=how.unnamed(row),
        rows=row.rows,
        done=row.done,
        made=row.made,
        changed=row.changed,
        same=row.same,
        wrong=row.wrong,
        error=row.error if row.error in SENTENCES else "",
        has_file=how.path_of(row.id or 0).exists(),
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
