"""Courier's own `imapd` on loopback: Maildir users in a temporary home, no CONDSTORE, no MOVE, no special use.

Courier's sign-in (`imaplogin`, `authdaemond`) has its socket's path compiled in, below /run. So the words before and
at sign-in are spoken here, as `imaplogin` speaks them, and then `imapd` gets the connection with the environment that
it would have got from there. Folders lie below `INBOX.`, as everywhere with Courier.
"""

from __future__ import annotations

import base64
import itertools
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mailcrm.services.mail.imap.client import encode_folder
from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers import packages

PROGRAM = packages.find("courier", "usr/bin/imapd")

CAPABILITY = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"

_FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_LOGIN = re.compile(r'LOGIN "?((?:[^"\\ ]|\\.)*)"? "?((?:[^"\\]|\\.)*?)"?$', re.IGNORECASE)

# Debian's /etc/courier/imapd, as far as imapd reads it.
_SETTINGS = {
    "PROTOCOL": "IMAP",
    "TCPREMOTEIP": "127.0.0.1",
    "TCPREMOTEPORT": "0",
    "IMAP_CAPABILITY": CAPABILITY,
    "IMAP_KEYWORDS": "1",
    "IMAP_ACL": "1",
    "IMAP_IDLE_TIMEOUT": "1",  # seconds between two looks at the Maildir; Debian says 60
    "IMAP_MAILBOX_SANITY_CHECK": "1",
    "IMAP_USELOCKS": "1",
    "IMAP_ENHANCEDIDLE": "0",
    "IMAP_TRASHFOLDERNAME": "Trash",
    "IMAP_EMPTYTRASH": "Trash:7",
    "IMAP_UMASK": "022",
    "MAILDIRPATH": "Maildir",
}


class CourierServer:
    """Courier under a temporary home; `start`, then `add_user` and `deliver` at any time."""

    name = "courier"
    host = "localhost"
    prefix = "INBOX."

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-courier-"))
        self.home.chmod(0o755)
        self.passwords: dict[str, str] = {}
        self._names = itertools.count(1)
        self._listener: socket.socket | None = None
        self.plain_port = 0
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._lock = threading.Lock()
        self._who = pwd.getpwnam("mail") if os.getuid() == 0 else pwd.getpwuid(os.getuid())

    def start(self) -> None:
        """Listen; `imapd` is started for each connection that signs in."""
        if PROGRAM is None:
            raise RuntimeError("Courier is not there")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.plain_port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """End what was started, by pid, and remove the home."""
        with self._lock:
            self._stopped = True
            left = list(self._processes)
        if self._listener is not None:
            self._listener.close()
        for process in left:
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def spec(self, name: str, security: Security = "none") -> ServerSpec:
        """Return how to reach this server as the user `name`; there is no TLS here."""
        assert security == "none"
        return ServerSpec(self.host, self.plain_port, security, name)

    def add_user(self, name: str, password: str = "secret") -> Path:
        """Add a user with the folders that Courier's installers make; return the Maildir."""
        self.maildir(name)
        for folder in ("Sent", "Drafts", "Trash"):
            self.maildir(name, folder)
        self.passwords[name] = password
        return self.maildir(name)

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Return the Maildir of a folder, made when it is absent."""
        base = self.home / "mail" / user / "Maildir"
        short = folder.removeprefix(self.prefix)
        path = base if short == "INBOX" else base / ("." + encode_folder(short))
        if not path.exists():
            for made in (path, *(path / sub for sub in ("cur", "new", "tmp"))):
                made.mkdir(parents=True)
            if path != base:
                (path / "maildirfolder").touch()
            self._own(base.parent)
            for each in (path, *path.iterdir()):
                self._own(each)
        return path

    def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = (), when: datetime | None = None
    ) -> Path:
        """Put one message into a folder; `when` is its INTERNALDATE."""
        stamp = (when or datetime.now(UTC)).timestamp()
        base = self.maildir(user, folder)
        data = raw.replace(b"\r\n", b"\n")
        name = f"{int(stamp)}.M{next(self._names):08d}P{os.getpid()}.test,S={len(data)}"
        temporary = base / "tmp" / name
        temporary.write_bytes(data)
        os.utime(temporary, (stamp, stamp))
        self._own(temporary)
        target = base / "cur" / f"{name}:2,{''.join(sorted(_FLAG_LETTERS[flag] for flag in flags))}"
        temporary.rename(target)
        return target

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            os.chown(path, self._who.pw_uid, self._who.pw_gid)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._sign_in, args=(sock,), daemon=True).start()

    def _sign_in(self, sock: socket.socket) -> None:
        """Talk until somebody signed in, then give the connection to imapd."""
        sock.settimeout(60)
        with sock:
            try:
                sock.sendall(f"* OK [CAPABILITY {CAPABILITY}] Courier-IMAP ready.\r\n".encode())
                while True:
                    tag, _, rest = _line(sock).partition(" ")
                    word = rest.split(" ")[0].upper()
                    if word == "CAPABILITY":
                        sock.sendall(f"* CAPABILITY {CAPABILITY}\r\n{tag} OK CAPABILITY completed\r\n".encode())
                    elif word == "NOOP":
                        sock.sendall(f"{tag} OK NOOP completed\r\n".encode())
                    elif word == "LOGOUT":
                        sock.sendall(
                            f"* BYE Courier-IMAP server shutting down\r\n{tag} OK LOGOUT completed\r\n".encode()
                        )
                        return
                    elif word in ("LOGIN", "AUTHENTICATE"):
                        user = self._user_of(sock, rest)
                        if user is not None:
                            break
                        sock.sendall(f"{tag} NO Login failed.\r\n".encode())
                    else:
                        sock.sendall(f"{tag} NO Error in IMAP command received by server.\r\n".encode())
                process = self._imapd(sock, user, tag)
            except (OSError, EOFError, ValueError):
                return
        if process is not None:
            process.wait()
            with self._lock:
                self._processes.discard(process)

    def _user_of(self, sock: socket.socket, rest: str) -> str | None:
        if rest.upper().startswith("AUTHENTICATE"):
            words = rest.split(" ")
            if len(words) < 3:
                sock.sendall(b"+ \r\n")
                words.append(_line(sock))
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            found = _LOGIN.fullmatch(rest)
            if found is None:
                return None
            user, password = (re.sub(r"\\(.)", r"\1", text) for text in found.groups())
        return user if self.passwords.get(user) == password else None

    def _imapd(self, sock: socket.socket, user: str, tag: str) -> subprocess.Popen[bytes] | None:
        assert PROGRAM is not None
        home = self.home / "mail" / user
        environment = {
            **_SETTINGS,
            "LD_LIBRARY_PATH": packages.libraries("courier"),
            "AUTHENTICATED": user,
            "AUTHADDR": user,
            "IMAPLOGINTAG": tag,
            "HOME": str(home),
        }
        root = os.getuid() == 0
        sock.settimeout(None)  # a time-out makes the descriptor non-blocking, which imapd does not expect
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [PROGRAM, "Maildir"], stdin=sock.fileno(), stdout=sock.fileno(), stderr=subprocess.DEVNULL,
                env=environment, cwd=home, user=self._who.pw_uid if root else None,
                group=self._who.pw_gid if root else None, extra_groups=[] if root else None,
            )  # fmt: skip
            self._processes.add(process)
        return process

    def new_uidvalidity(self, user: str, folder: str = "INBOX") -> None:
        """Forget every UID of a folder: the next opening gives another UIDVALIDITY and new UIDs."""
        database = self.maildir(user, folder) / "courierimapuiddb"
        # Courier makes a UIDVALIDITY of the clock's second.
        made = int(database.stat().st_mtime)
        database.unlink()
        while int(time.time()) <= made + 1:
            time.sleep(0.05)


def _line(sock: socket.socket) -> str:
    """Read one line and no byte more: the rest belongs to imapd."""
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte or len(line) > 8192:
            raise EOFError
        line += byte
    return line.decode("utf-8", "replace").rstrip("\r\n")
