"""Runs an import that was started: a batch of lines a transaction, so that a stop in between loses and doubles nothing.

A lease keeps a second worker out; whoever takes it up after a crash goes on behind the last line that was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import Session, col

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.models import Import, utcnow
from mailcrm.services import access, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import pipelines
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.transfer import how, imports, loading, passes, reading, writing
from mailcrm.services.crm.transfer.drafts import Reading
from mailcrm.services.crm.transfer.reading import Line
from mailcrm.services.db import transaction
from mailcrm.services.mail import scope
from mailcrm.services.rows import run

LEASE = timedelta(seconds=60)  # a batch takes a fraction of a second


def run_import(
    import_id: int, should_stop: Callable[[], bool] = lambda: False, progress: Callable[[int, int], None] | None = None
) -> None:
    """Import what is left of a started import; returns at once when somebody else does, or there is nothing to do.

    What the file itself gives trouble with stops the import with its reason; nothing is half written.
    """
    if not _take(import_id):
        return
    try:
        _run(import_id, should_stop, progress)
    except MailcrmError as error:
        _end(import_id, "stopped", error.code)
    except FileNotFoundError:
        _end(import_id, "stopped", "import.no_file")
    except Exception:
        _end(import_id, "stopped", "internal")
        raise


def _run(import_id: int, should_stop: Callable[[], bool], progress: Callable[[int, int], None] | None) -> None:
    with transaction() as session:
        row = session.get_one(Import, import_id)
        actor = access.actor_for(session, row.user_id)
        if row.settings["make_stages"] or how.makes_field(*row.settings["mapping"]):
            access.require_admin(actor)  # who may have been one when they said so
        if row.kind == "deal":
            pipelines.ensure_default(session)
        _make_fields(session, row)
        said = how.reading_of(session, actor, row)
        shape, after, total = how.shape_of(row), row.line, row.rows
    for part in passes.batches(reading.lines(how.path_of(import_id), shape, after)):
        if should_stop():
            with transaction() as session:
                run(session, update(Import).where(col(Import.id) == import_id).values(lease_until=None))
            return
        done = _batch(import_id, actor, part, said)
        if progress:
            progress(done, total)
    _end(import_id, "done")


def _batch(import_id: int, actor: Actor, part: list[Line], said: Reading) -> int:
    drafts, errors = passes.read_drafts(part, said)
    counts: Counter[str] = Counter()
    with transaction() as session:
        row = session.get(Import, import_id, with_for_update=True)
        if row is None or row.state != "running":
            raise NotFound
        if part[0].number <= row.line:  # another worker took this one's lease over and wrote them
            return row.done
        known = loading.directory(session, actor)
        loading.load(session, actor, row.kind, drafts, known, row.settings["source"])
        errors += passes.decided(drafts, known, how.rules_of(row), counts)
        written = writing.write(session, actor, known.acts, import_id=import_id, source=row.settings["source"])
        passes.keep_problems(session, import_id, errors)
        row.made, row.changed, row.same = (
            row.made + counts["made"],
            row.changed + counts["changed"],
            row.same + counts["same"],
        )
        row.wrong += len(errors)
        row.done, row.line, row.lease_until = row.done + len(part), part[-1].number, utcnow() + LEASE
        session.add(row)
        pending.look_again(session, sorted(written.addresses))
        pending.look_again_at(session, sorted(written.persons))
        boxes = scope.history_of(session, sorted(written.addresses))
        live.hint(session, actor.user_id, "import", import_id)
        done = row.done
    scope.wake(boxes)
    return done


def _make_fields(session: Session, row: Import) -> None:
    """Make the fields that columns are to become; from then on the columns are mapped to them."""
    mapping = list(row.settings["mapping"])
    for at, key in enumerate(mapping):
        if key.startswith("new:"):
            wanted = [(key.partition(":")[2], how.field_name(row, at))]
            mapping[at] = f"custom:{writing.make_fields(session, row.kind, wanted)[0]}"
    row.settings = {**row.settings, "mapping": mapping}
    session.add(row)
    session.flush()


def _take(import_id: int) -> bool:
    with transaction() as session:
        taken = update(Import).where(col(Import.id) == import_id, imports.due()).values(lease_until=utcnow() + LEASE)
        return run(session, taken).rowcount == 1


def _end(import_id: int, state: str, error: str = "") -> None:
    with transaction() as session:
        row = session.get(Import, import_id)
        if row is None or row.state != "running":
            return
        row.state, row.error, row.ended_at, row.lease_until = state, error, utcnow(), None
        session.add(row)
        live.hint(session, row.user_id, "import", import_id)
        live.hint(session, None, "crm")
