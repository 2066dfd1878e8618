"""Makes a server of a backup, in an empty data folder and an empty database: all of it or nothing.

    header: same kind of database, a version we know, its key ─▶ every member, checked ─▶ files in place
    ─▶ database, with what would go out held ─▶ migrations ─▶ users told ─▶ looked over

The database comes last: until it is there the server would begin as a new one. Sends nothing and connects to nothing;
the next sync fetches what came to the mailboxes since.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailcrm.config import config, put_key_in_front
from mailcrm.errors import UserError
from mailcrm.models import ApiToken, Blob, Mailbox
from mailcrm.services import db, keys
from mailcrm.services.backup import archive, hold, keybox, load
from mailcrm.services.mail import blobs, packs
from mailcrm.services.rows import pick, rows

FOLDER = ".restoring"


@dataclass(frozen=True, slots=True)
class RestoreView:
    """What came back. `held`: emails that ask their users; `missing`: blobs whose bytes the backup did not have."""

    made_at: datetime
    rows: int
    blobs: int
    missing: int
    held: int
    tokens: int
    mailboxes: int
    unreadable: int


def restore(path: Path, *, passphrase: str = "") -> RestoreView:
    """Restore a backup. Raises UserError or ConfigError before anything is changed, when it can't be."""
    path = path.expanduser().absolute()
    found = archive.header(path)
    dialect = db.engine().dialect.name
    if found["dialect"] != dialect:
        raise UserError("backup.other_database", made=found["dialect"], here=dialect)
    home = config().data_dir
    load.check_empty()
    _check_folder(home, path)
    ours = _keys(found, passphrase)
    made_at = datetime.fromisoformat(found["made_at"])
    aside, placed = home / FOLDER, list[Path]()
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    try:
        manifest = archive.extract(path, aside)
        load.check_revision(manifest["revision"])
        if ours and (key_file := config().key_file) is not None:
            put_key_in_front(key_file, *ours)
        for name in ("packs", "blobs", "imports", "tracking"):
            if (aside / name).is_dir():
                (aside / name).rename(home / name)  # never over one that somebody else made meanwhile
                placed.append(home / name)
        _flush(home)
        load.load(aside, manifest, made_at)
    except BaseException:
        for folder in placed:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    db.migrate()
    held = hold.told(made_at.isoformat())
    return _looked_over(made_at, sum(manifest["rows"].values()), held)


def _check_folder(home: Path, backup: Path) -> None:
    """Refuse a data folder that holds more than the key, the backup itself, and what `doctor` leaves in an empty one."""
    key, base = config().key_file, Path(db.engine().url.database or "").name
    allowed = {FOLDER, backup.name if backup.parent == home else FOLDER, key.name if key else FOLDER}
    allowed |= {".sweep.lock", "soundness.json"}
    allowed |= {name + suffix for name in (base, "queue.sqlite3") for suffix in ("", "-wal", "-shm")}
    if any(entry.name not in allowed for entry in home.iterdir()):
        raise UserError("backup.not_empty", folder=home)


def _keys(found: dict[str, object], passphrase: str) -> tuple[str, ...]:
    """Return the keys to be put into the key file: none when they are there. Refuses a backup without its first key."""
    wanted: list[str] = found["keys"]  # pyright: ignore[reportAssignmentType]
    here = set(keybox.ids(config().secret_keys))
    if set(wanted) <= here:
        return ()
    wrapped = found.get("wrapped")
    if not isinstance(wrapped, dict):
        raise UserError("backup.key_missing")
    if not passphrase:
        raise UserError("backup.passphrase_missing")
    opened = keybox.unwrap(wrapped, passphrase)  # pyright: ignore[reportUnknownArgumentType]
    if config().key_file is None:
        raise UserError("backup.key_in_variable")
    return opened


def _looked_over(made_at: datetime, count: int, held: int) -> RestoreView:
    with db.reading() as session:
        named = [
            (row[0], row[1], row[2], row[3])
            for row in rows(session, pick(Blob.sha256, Blob.pack, Blob.start, Blob.length))
        ]
        tokens = len(rows(session, pick(ApiToken.id).where(ApiToken.revoked_at.is_(None))))  # type: ignore[union-attr]
        boxes = len(rows(session, pick(Mailbox.id)))
    return RestoreView(
        made_at=made_at,
        rows=count,
        blobs=len(named),
        missing=_missing(named),
        held=held,
        tokens=tokens,
        mailboxes=boxes,
        unreadable=keys.unreadable(),
    )


def _missing(named: Iterable[tuple[str, str, int, int]]) -> int:
    sizes: dict[str, int] = {}
    missing = 0
    for sha, pack, start, length in named:
        if pack not in sizes and pack:
            file = packs.path_of(pack)
            sizes[pack] = file.stat().st_size if file.exists() else 0
        missing += start + length > sizes[pack] if pack else not blobs.path_of(sha).exists()
    return missing


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
