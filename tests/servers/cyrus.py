"""A real Cyrus IMAP server on loopback: its own configuration, spool and databases in a temporary home.

One per test session, as an unprivileged user: Cyrus refuses root, so a root session hands it to `mail`. Debian lets one
IMAP server be installed at a time; `tests/run` unpacks this one beside it (see `packages.py`). Users are made by an
administrator over IMAP and mail comes by APPEND: nobody writes into Cyrus' spool behind its back.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from imapclient import IMAPClient

from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers import packages
from tests.servers.dovecot import free_port, is_open
from tests.servers.other_program import OtherProgram

PROGRAM = packages.find("cyrus", "usr/lib/cyrus/bin/master")

ADMIN = "cyrus"
FOLDERS = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk", "Archive": "\\Archive"}

_IMAPD = """
configdirectory: {home}/config
defaultpartition: default
partition-default: {home}/spool
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {home}/mux
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
admins: {admin}
cyrus_user: {user}
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
conversations: no
duplicatesuppression: no
expunge_mode: immediate
delete_mode: immediate
hashimapspool: yes
idlesocket: {home}/config/socket/idle
lmtpsocket: {home}/config/socket/lmtp
notifysocket: {home}/config/socket/notify
syslog_prefix: mailcrm-test
popminpoll: 0
"""

_SERVICES = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {home}/imapd.conf" listen="127.0.0.1:{port}" prefork=1 maxchild=100
}}
DAEMON {{
  idled cmd="{bin}/idled -C {home}/imapd.conf"
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {home}/imapd.conf -c" period=30
}}
"""


class CyrusServer:
    """Cyrus under a temporary home; `start`, then `add_user` and `deliver` at any time."""

    name = "cyrus"
    host = "localhost"
    prefix = ""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-cyrus-"))
        self.home.chmod(0o755)
        self.plain_port = free_port()
        self.passwords: dict[str, str] = {ADMIN: "administrator"}
        self._process: subprocess.Popen[bytes] | None = None
        self._logins: socket.socket | None = None
        self._user = "mail" if os.getuid() == 0 else getpass.getuser()

    def start(self) -> None:
        """Write the configuration and start; returns when the port answers."""
        if PROGRAM is None:
            raise RuntimeError("Cyrus is not there")
        for folder in ("spool", "config", "config/proc", "config/socket", "config/db", "config/log"):
            (self.home / folder).mkdir()
        values = {"home": self.home, "bin": PROGRAM.parent, "port": self.plain_port, "admin": ADMIN, "user": self._user}
        (self.home / "imapd.conf").write_text(_IMAPD.format(**values))
        (self.home / "cyrus.conf").write_text(_SERVICES.format(**values))
        who = pwd.getpwnam(self._user)
        if os.getuid() == 0:
            for path in [self.home, *self.home.rglob("*")]:
                os.chown(path, who.pw_uid, who.pw_gid)
        self._check_logins()
        environment = {**os.environ, "LD_LIBRARY_PATH": packages.libraries("cyrus"), "CYRUS_USER": self._user}
        log = (self.home / "log").open("wb")
        root = os.getuid() == 0
        process = subprocess.Popen(
            [PROGRAM, "-D", "-C", self.home / "imapd.conf", "-M", self.home / "cyrus.conf", "-p", self.home / "pid"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            cwd=self.home, user=who.pw_uid if root else None, group=who.pw_gid if root else None,
            extra_groups=[] if root else None,
        )  # fmt: skip
        self._process = process
        log.close()
        deadline = time.monotonic() + 20
        while not is_open(self.plain_port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Cyrus did not start: {(self.home / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and what it started, and remove its home."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(self._process.pid, signal.SIGKILL)  # its own session: nobody else is in it
            except ProcessLookupError:
                pass
            self._process.wait()
            self._process = None
        if self._logins is not None:
            self._logins.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def spec(self, name: str, security: Security = "none") -> ServerSpec:
        """Return how to reach this server as the user `name`; there is no TLS here."""
        assert security == "none"
        return ServerSpec(self.host, self.plain_port, security, name)

    def add_user(self, name: str, password: str = "secret") -> None:
        """Add a user with an INBOX and folders for special use."""
        self.passwords[name] = password
        with IMAPClient(self.host, self.plain_port, ssl=False, timeout=20) as admin:
            admin.login(ADMIN, self.passwords[ADMIN])
            if not admin.list_folders("", f"user/{name}"):
                admin.create_folder(f"user/{name}")
        with OtherProgram(self, name) as program:
            for folder, use in FOLDERS.items():
                program.create(folder, use)

    def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = (), when: datetime | None = None
    ) -> None:
        """Put one message into a folder; `when` is its INTERNALDATE."""
        with OtherProgram(self, user) as program:
            program.append(raw, folder, flags, when)

    def _check_logins(self) -> None:
        """Answer as saslauthd: four counted strings come in (user, password, service, realm), OK or NO goes out."""
        path = self.home / "mux"
        self._logins = socket.socket(socket.AF_UNIX)
        self._logins.bind(str(path))
        path.chmod(0o777)
        self._logins.listen(16)
        threading.Thread(target=self._answer_logins, args=(self._logins,), daemon=True).start()

    def _answer_logins(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, sock.makefile("rb") as stream:
                words = [
                    stream.read(int.from_bytes(stream.read(2), "big")).decode("utf-8", "replace") for _ in range(4)
                ]
                answer = b"OK" if self.passwords.get(words[0]) == words[1] else b"NO"
                sock.sendall(len(answer).to_bytes(2, "big") + answer)
