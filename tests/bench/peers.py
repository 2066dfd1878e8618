"""What mailcrm is compared with: mbsync, offlineimap, and IMAPClient alone, on the same Dovecot in the same run."""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from tests.servers.dovecot import DovecotServer

BATCH = 200  # messages in one command of IMAPClient: larger ones gain nothing (sync.md B2)


def mbsync(dovecot: DovecotServer, user: str, home: Path, *, fsync: bool) -> float:
    """Let mbsync fetch everything into a Maildir; return the seconds."""
    (home / "mail").mkdir(parents=True)
    config = home / "mbsyncrc"
    config.write_text(
        f"""FSync {"yes" if fsync else "no"}
IMAPAccount bench
Host 127.0.0.1
Port {dovecot.plain_port}
User {user}
Pass {dovecot.passwords[user]}
SSLType None
AuthMechs LOGIN

IMAPStore remote
Account bench

MaildirStore local
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel bench
Far :remote:
Near :local:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""
    )
    started = time.monotonic()
    subprocess.run(["mbsync", "-q", "-c", str(config), "bench"], check=True, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    shutil.rmtree(home)
    return seconds


def offlineimap(dovecot: DovecotServer, user: str, home: Path) -> float:
    """Let offlineimap fetch everything into a Maildir, without fsync; return the seconds."""
    home.mkdir(parents=True)
    config = home / "offlineimaprc"
    config.write_text(
        f"""[general]
accounts = bench
metadata = {home}/metadata
fsync = False
ui = quiet
[Account bench]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {home}/mail
[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = {dovecot.plain_port}
remoteuser = {user}
remotepass = {dovecot.passwords[user]}
ssl = no
starttls = no
auth_mechanisms = LOGIN
readonly = True
folderfilter = lambda folder: folder == 'INBOX'
"""
    )
    started = time.monotonic()
    subprocess.run(
        ["offlineimap", "-o", "-c", str(config)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    seconds = time.monotonic() - started
    fetched = sum(len(files) for _, _, files in os.walk(home / "mail"))
    shutil.rmtree(home)
    if not fetched:
        raise RuntimeError("offlineimap fetched nothing")
    return seconds


_RAW = """
import sys, time, imapclient
port, user, password, batch, mended = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5] == "1"
started = time.monotonic()
client = imapclient.IMAPClient("127.0.0.1", port=port, ssl=False)
if mended:
    client._imap.debug = 0
client.login(user, password)
client.select_folder("INBOX", readonly=True)
uids = sorted(client.search("ALL"), reverse=True)
size = 0
for n in range(0, len(uids), batch):
    for item in client.fetch(uids[n : n + batch], ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"]).values():
        size += len(item[b"BODY[]"])
print(time.monotonic() - started, len(uids), size)
"""


def imapclient(port: int, user: str, password: str, *, mended: bool) -> float:
    """Fetch everything with IMAPClient and drop it; return the seconds.

    `mended`: with imaplib's debugging switched off, which IMAPClient leaves on (sync.md A9 #4).
    """
    done = subprocess.run(
        [sys.executable, "-c", _RAW, str(port), user, password, str(BATCH), "1" if mended else "0"],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return float(done.stdout.split()[0])


def imapclient_warm(port: int, user: str, password: str) -> None:
    """Open the mailbox once, so that the server's own first look at it is not measured."""
    import imapclient as library  # pyright: ignore[reportMissingTypeStubs]

    client = library.IMAPClient("127.0.0.1", port=port, ssl=False, timeout=600)
    client.login(user, password)
    client.select_folder("INBOX", readonly=True)
    client.fetch("1", ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[HEADER]"])
    client.logout()


def append(port: int, user: str, password: str, made: Iterable[tuple[bytes, datetime, list[str]]]) -> None:
    """Put messages into INBOX, 500 in one command (RFC 3502)."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(user, password)
    answers: Any = client.file  # its lines are bytes
    messages = iter(made)
    while batch := list(islice(messages, 500)):
        out = [b"A1 APPEND INBOX"]
        for raw, when, flags in batch:
            whole = raw.replace(b"\n", b"\r\n")
            stamp = f'({" ".join(flags)}) "{when:%d-%b-%Y %H:%M:%S} +0000"'
            out.append(f" {stamp} {{{len(whole)}+}}\r\n".encode() + whole)
        client.sock.sendall(b"".join(out) + b"\r\n")
        while not (line := answers.readline()).startswith(b"A1 "):
            pass
        if not line.startswith(b"A1 OK"):
            raise RuntimeError(line)
    client.logout()


def first_fifty(port: int, user: str, password: str, exists: int) -> float:
    """Sign in, open INBOX and fetch its newest 50 messages, with nothing but imaplib; return the seconds."""
    started = time.monotonic()
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(user, password)
    client.select("INBOX", readonly=True)
    client.fetch(f"{max(1, exists - 49)}:{exists}", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
    seconds = time.monotonic() - started
    client.logout()
    return seconds
