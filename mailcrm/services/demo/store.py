"""Where the demo's mail lies: one Maildir for each mailbox, and `server.json` with ports and passwords (mode 0600)."""

from __future__ import annotations

import json
import mailbox
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mailcrm.config import config
from mailcrm.services.demo import FOLDER

HOST = "127.0.0.1"
FOLDERS = ("Sent", "Drafts", "Archive", "Junk", "Trash")


@dataclass
class ServerFacts:
    """What the servers and the mailboxes' rows must agree on."""

    imap_port: int
    smtp_port: int
    password: str  # of both users, and of both mailboxes
    addresses: list[str]


def folder() -> Path:
    """The demo's folder inside the data folder."""
    return config().data_dir / FOLDER


def maildir(address: str) -> Path:
    """The Maildir of a mailbox."""
    return folder() / address


def new_facts(addresses: list[str]) -> ServerFacts:
    """Choose free ports and a password that nobody knows (the workspace may be reachable from outside)."""
    return ServerFacts(free_port(), free_port(), "tidewater-" + secrets.token_urlsafe(9), addresses)


def save(facts: ServerFacts) -> None:
    """Write server.json; from then on `serve` runs the servers."""
    path = folder() / "server.json"
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(asdict(facts), handle)
    draft.replace(path)


def load() -> ServerFacts:
    """Read server.json."""
    return ServerFacts(**json.loads((folder() / "server.json").read_text()))


def free_port() -> int:
    """Ask the system for a free port on loopback."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def clear() -> None:
    """Remove what an attempt that failed may have left, and make the folder."""
    shutil.rmtree(folder(), ignore_errors=True)
    folder().mkdir(mode=0o700)


def create(address: str) -> None:
    """Make an empty mailbox with the usual folders."""
    box = mailbox.Maildir(maildir(address), create=True)
    for name in FOLDERS:
        box.add_folder(name)


def put(address: str, folder_name: str, raw: bytes, at: datetime, *, seen: bool) -> None:
    """Lay a message into a folder as if it had arrived at `at`."""
    box = mailbox.Maildir(maildir(address))
    place = box if folder_name == "INBOX" else box.get_folder(folder_name)
    message = mailbox.MaildirMessage(raw)
    message.set_subdir("cur")
    message.set_flags("S" if seen else "")
    message.set_date(at.timestamp())
    place.add(message)
