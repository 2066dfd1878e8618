"""Whether database and disk are well: looked at when a worker starts and once a day, and whenever `doctor` is run.

SQLite is asked for its own check of every page, index and reference, and of the search index; PostgreSQL's damage is its
own administrator's to find (data checksums). The last answer lies in a file of the data folder, because a damaged
database is no place for it. Mends nothing. What SQLite can't know, a letter changed inside a text, is not found:
raw mail is, by its name, when it is read (`mail/blobs.py`).
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from mailcrm.config import config
from mailcrm.models import utcnow
from mailcrm.sentences import SENTENCES
from mailcrm.services import db

EVERY = timedelta(hours=24)
LEAST_FREE = 200 * 1024 * 1024  # bytes: a sync's batch, its log, and time to look for more
_FILE = "soundness.json"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Soundness:
    """The last look: `damage` "" when nothing was found."""

    at: datetime
    damage: str


def look() -> Soundness:
    """Check the database now, and keep the answer. Reads all of it: seconds for each gigabyte."""
    found = Soundness(utcnow(), _damage())
    if found.damage:
        log.error("the database is damaged", what=found.damage)
    path = _path()
    draft = path.with_suffix(".part")
    try:
        draft.write_text(json.dumps(asdict(found) | {"at": found.at.isoformat()}))
        draft.replace(path)
    except OSError:
        log.warning("what was found of the database can't be written", what=found.damage)
    return found


def last() -> Soundness | None:
    """Return what the last look found; None when there was none."""
    try:
        found = json.loads(_path().read_text())
        return Soundness(datetime.fromisoformat(found["at"]), str(found["damage"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def look_if_due() -> None:
    """Look when the last look is a day old, or found something: it may have been mended."""
    found = last()
    if found is None or found.damage or not timedelta() <= utcnow() - found.at < EVERY:
        look()


def disk() -> str:
    """Return a sentence when the data folder's disk is nearly full, else ""."""
    free = shutil.disk_usage(config().data_dir).free
    if free >= LEAST_FREE:
        return ""
    return SENTENCES["disk.full"].format(folder=config().data_dir, free=free // 1_000_000)


def _damage() -> str:
    engine = db.engine()
    if engine.dialect.name != "sqlite":
        return ""
    try:
        address = Path(engine.url.database or "").absolute().as_uri()
        connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=db.SQLITE_BUSY_MS / 1000)
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                return str(found)
            lost = connection.execute("PRAGMA foreign_key_check").fetchone()
            return f"a row of {lost[0]} refers to a row of {lost[2]} that is not there" if lost else ""
        finally:
            connection.close()
    except sqlite3.OperationalError as error:  # locked, or a disk that can't be read: no word about what is in it
        if "malformed" in str(error) or "not a database" in str(error):
            return str(error)
        log.warning("the database could not be looked over", reason=str(error))
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    except UnicodeDecodeError:  # the driver reading SQLite's own words, which quote what is there now
        return "names of its tables can’t be read"


def _path() -> Path:
    return config().data_dir / _FILE
