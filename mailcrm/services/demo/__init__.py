"""The demo workspace: two users, lifelike mail on a small mail server of its own, deals and people (issue 2).

Mail is real mail: it lies in Maildirs in the data folder, is served by IMAP, synced, threaded and linked by the same
code as anybody's. This module is light; the parts are imported when they are used.
"""

from __future__ import annotations

import os
from pathlib import Path

from mailcrm.services.access import Actor

FOLDER = "demo-mail"
ADMIN_EMAIL = "sana@tidewater.example"
COLLEAGUE_EMAIL = "dmitri@tidewater.example"


def is_made(data_dir: Path) -> bool:
    """True when this data folder holds a demo's mail, so that its servers must run."""
    return (data_dir / FOLDER / "server.json").is_file()


def make_demo(language: str = "en") -> tuple[Actor, str]:
    """Make the demo workspace in an empty installation; return the administrator and a session secret.

    Raises UserError("auth.setup_done") when a user exists already. The mail servers are started by `serve` within
    a second, the mail arrives by the first sync.
    """
    from mailcrm.services.demo import workspace

    return workspace.make(language)


def ensure() -> str:
    """Make the demo workspace if it is not there; return the password of both its users.

    Raises UserError("demo.taken") when the data folder holds another workspace.
    """
    from mailcrm.services.demo import workspace

    return workspace.ensure()


def use_own_folder() -> None:
    """Let the demo have a data folder of its own unless one was named, so that it never mixes with real mail."""
    from mailcrm import config

    if not os.environ.get("MAILCRM_DATA_DIR"):  # written, not read for a setting: config reads it next
        os.environ["MAILCRM_DATA_DIR"] = str(Path("data") / "demo")
        config.reset()
