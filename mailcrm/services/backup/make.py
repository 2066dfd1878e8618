"""Makes a backup while everything runs: database, raw mail, uploaded lists, fetches that wait to be recorded.

    tracking files ─▶ snapshot of the database ─▶ the bytes that its rows name ─▶ manifest

In this order nothing is lost between two of them: a waiting fetch that is recorded meanwhile is in both and known again,
and bytes are written before the rows that name them. The store's sweep stands still meanwhile. Left out, because it can
be made again: queue, images from the network. Left out, because it opens everything else: the key, unless it is
wrapped by a passphrase.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mailcrm import __version__
from mailcrm.config import config
from mailcrm.models import utcnow
from mailcrm.services import audit, db
from mailcrm.services.backup import archive, keybox, snapshot
from mailcrm.services.mail import blob_sweep, blobs, packs
from mailcrm.services.tracking import spool

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class BackupView:
    """A backup that was made. `missing`: blobs that rows name and the store does not have."""

    path: Path
    size: int
    rows: int
    blobs: int
    missing: int
    with_key: bool


def backup(path: Path, *, passphrase: str = "", progress: Progress = lambda _name, _size: None) -> BackupView:
    """Write a backup of this server to a file that is not there yet; with a passphrase, its keys too.

    Raises UserError, or PermanentError("database.damaged").
    """
    keys = config().secret_keys
    header = {
        "made_at": utcnow().isoformat(),
        "mailcrm": __version__,
        "dialect": db.engine().dialect.name,
        "keys": keybox.ids(keys),
        "wrapped": keybox.wrap(keys, passphrase) if passphrase else None,
    }
    path = path.expanduser().absolute()
    with ExitStack() as stack:
        # Beside the file, because its disk has room for a database; nobody else reads it.
        made = stack.enter_context(archive.Writer(path, header))
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)))
        stack.enter_context(blob_sweep.stopped())
        for file in [*spool.Spool().files(), *sorted((config().data_dir / "imports").glob("*.csv"))]:
            _add(made, file)
        taken = stack.enter_context(snapshot.take(aside))
        for name, file in taken.parts():
            progress(name, file.stat().st_size)
            with file.open("rb") as source:
                made.add_packed(name, source, aside / "packed")
        count, missing, seen = 0, 0, dict[str, bool]()
        for sha, pack in taken.blobs():
            count += 1
            where = f"packs/{pack}" if pack else f"blobs/{sha[:2]}/{sha}"
            if where not in seen:
                file = packs.path_of(pack) if pack else blobs.path_of(sha)
                progress(where, count)
                seen[where] = _add(made, file)
            missing += not seen[where]
        rows = taken.counts()
        size = made.close(revision=taken.revision, rows=rows, sequences=taken.sequences())
    with db.transaction() as session:
        audit.record(session, None, "backup", "workspace", 1, key=bool(passphrase))
    return BackupView(path, size, sum(rows.values()), count, missing, bool(passphrase))


def _add(made: archive.Writer, file: Path) -> bool:
    """Add a file of the data folder under its place in it; False when it is not there (any more)."""
    try:
        with file.open("rb") as source:
            made.add(file.relative_to(config().data_dir).as_posix(), source, file.stat().st_size)
    except FileNotFoundError:
        return False
    return True
