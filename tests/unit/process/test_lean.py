"""What a worker leaves out of its memory (issue 3: 150 MB whatever the mailbox)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SAYS = """
import sys
from mailcrm import lean
lean.keep_lean()
from mailcrm.services.jobs import tasks, worker
from mailcrm.services.mail.sync import engine
print(*sorted(name for name in sys.argv[1:] if sys.modules.get(name) is not None))
"""
HEAVY = (
    "rich",
    "greenlet",
    "redis",
    "psycopg",
    "sqlalchemy.dialects.postgresql",
    "alembic",
    "reflex",
    "selectolax",
    "css_inline",
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("", ""), ("postgresql+psycopg://nobody@127.0.0.1:9/none", "psycopg sqlalchemy.dialects.postgresql")],
    ids=["SQLite", "PostgreSQL"],
)
def test_a_worker_holds_only_what_its_settings_need(tmp_path: Path, url: str, expected: str) -> None:
    settings = {"MAILCRM_DATA_DIR": str(tmp_path), **({"MAILCRM_DATABASE_URL": url} if url else {})}
    said = subprocess.run(
        [sys.executable, "-c", _SAYS, *HEAVY], env=settings, check=True, stdout=subprocess.PIPE, text=True
    )
    assert said.stdout.strip() == expected


_READS = """
import sys
from mailcrm.services.mail.sync import reader
print(*sorted(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_the_process_that_reads_messages_stays_small() -> None:
    """It parses invitations without Babel in memory, and mail without the header parser of another policy."""
    heavy = ("babel", "email.policy", "email.headerregistry", "sqlalchemy", "structlog", "mailcrm.config")
    said = subprocess.run([sys.executable, "-c", _READS, *heavy], check=True, stdout=subprocess.PIPE, text=True)
    assert said.stdout.split() == []
