"""A real Dovecot on loopback: its own configuration, its own home, three listeners, Maildir users.

One per test session. Runs as root (Dovecot then drops to its own users for sign-in) or as the current user.
`deliver` writes Maildir files directly, which is fast enough for 20,000 messages.
"""

from __future__ import annotations

import getpass
import grp
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mailcrm.services.mail.imap.client import encode_folder
from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.certificates import Issuer

PROGRAM = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

_FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}

_CONFIG = """
protocols = imap
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
auth_verbose = yes
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login{mechanisms}
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
maildir_stat_dirs = no
maildir_very_dirty_syncs = yes
mail_fsync = never
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
first_valid_uid = 0
last_valid_uid = 0
first_valid_gid = 0
{chroots}
{grants}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users/%u
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {home}/users/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
}}
service imap-login {{
  process_min_avail = 0
  inet_listener imap {{
    address = 127.0.0.1
    port = {plain_port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  client_limit = 1
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

_GRANTS = """
auth_cache_size = 0
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
service auth {{
  unix_listener for-postfix {{
    mode = 0666
  }}
}}
"""


def free_port() -> int:
    """Ask the system for a TCP port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_open(port: int) -> bool:
    """Tell whether somebody listens on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


class DovecotServer:
    """Dovecot under a temporary home; `start`, then `add_user` and `deliver` at any time."""

    name = "dovecot"
    prefix = ""
    host = "localhost"  # its certificate is for this name; plain text is allowed there

    def __init__(self, *, introspect: str = "", issuer: Issuer | None = None, mechanisms: str = "") -> None:
        """`introspect`: where to ask about tokens (tests/servers/oidc.py); `issuer` signs its certificate and ours."""
        self._introspect = introspect
        self._mechanisms = mechanisms or (" xoauth2 oauthbearer" if introspect else "")
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-dovecot-"))
        self.home.chmod(0o755)
        self.issuer = issuer or Issuer(self.home)
        self.plain_port, self.tls_port = free_port(), free_port()
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.passwords: dict[str, str] = {}
        mail = pwd.getpwnam("mail") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._uid, self._gid = mail.pw_uid, mail.pw_gid

    def start(self) -> None:
        """Write the configuration and start; returns when both ports answer."""
        if PROGRAM is None:
            raise RuntimeError("Dovecot is not installed")
        root = os.getuid() == 0
        me = getpass.getuser()
        group = grp.getgrgid(os.getgid()).gr_name
        certificate, key = self.issuer.issue("localhost")
        (self.home / "users").mkdir()
        chroots = "" if root else "service imap-login {\n chroot =\n}\nservice anvil {\n chroot =\n}"
        if not root:
            self.home.chmod(0o700)
        grants = ""
        if self._introspect:
            (self.home / "oauth2.conf").write_text(
                f"introspection_url = {self._introspect}\nintrospection_mode = post\n"
                f"client_id = dovecot\nclient_secret = introspection\nusername_attribute = sub\n"
                f"active_attribute = active\nactive_value = true\ntls_ca_cert_file = {self.issuer.file}\n"
                "max_parallel_connections = 10\n"
            )
            grants = _GRANTS.format(home=self.home)
        (self.home / "dovecot.conf").write_text(
            _CONFIG.format(
                mechanisms=self._mechanisms,
                grants=grants,
                home=self.home,
                certificate=certificate,
                key=key,
                plain_port=self.plain_port,
                tls_port=self.tls_port,
                login_user="dovenull" if root and _has_user("dovenull") else me,
                internal_user="dovecot" if root and _has_user("dovecot") else me,
                internal_group="dovecot" if root and _has_user("dovecot") else group,
                chroots=chroots,
            )
        )
        self._process = subprocess.Popen(
            [PROGRAM, "-F", "-c", str(self.home / "dovecot.conf")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not (is_open(self.plain_port) and is_open(self.tls_port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.home / "dovecot.log"
                said = log.read_text() if log.exists() else ""
                errors = self._process.stderr.read() if self._process.poll() is not None else b""  # type: ignore[union-attr]
                raise RuntimeError(f"Dovecot did not start: {errors.decode()} {said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server by its pid and remove its home."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
            self._process = None
        shutil.rmtree(self.home, ignore_errors=True)

    def spec(self, name: str, security: Security = "none") -> ServerSpec:
        """Return how to reach this server as the user `name`."""
        return ServerSpec(self.host, self.tls_port if security == "ssl" else self.plain_port, security, name)

    def add_user(self, name: str, password: str = "secret", *, location: str = "") -> Path:
        """Add a user with an empty Maildir; return the Maildir. `location`: where the mail is kept in its place."""
        home = self.home / "mail" / name
        maildir = home / "Maildir"
        maildir.mkdir(parents=True, exist_ok=True)
        self._own(home)
        self._own(maildir)
        self._make_maildir(maildir)
        # A file for each user: Dovecot looks at most once a second for changes in a file that it has read.
        extra = f"userdb_mail={location}" if location else ""
        (self.home / "users" / name).write_text(
            f"{name}:{{PLAIN}}{password}:{self._uid}:{self._gid}::{home}::{extra}\n"
        )
        self.passwords[name] = password
        return maildir

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Return the Maildir of a folder, made when it is absent."""
        base = self.home / "mail" / user / "Maildir"
        if folder.upper() == "INBOX":
            return base
        path = base / ("." + encode_folder(folder.replace("/", ".")))
        if not path.exists():
            path.mkdir()
            self._own(path)
            self._make_maildir(path)
            (path / "maildirfolder").touch()
        return path

    def _make_maildir(self, path: Path) -> None:
        for sub in ("cur", "new", "tmp"):
            (path / sub).mkdir(exist_ok=True)
            self._own(path / sub)

    def _own(self, path: Path) -> None:
        # Dovecot refuses mail owned by root, so a root session gives it to the `mail` user.
        if os.getuid() == 0:
            os.chown(path, self._uid, self._gid)

    def deliver(
        self,
        user: str,
        raw: bytes,
        folder: str = "INBOX",
        flags: Iterable[str] = (),
        when: datetime | None = None,
    ) -> Path:
        """Put one message into a folder; `when` is its INTERNALDATE."""
        letters = "".join(sorted(_FLAG_LETTERS[flag] for flag in flags))
        stamp = (when or datetime.now(UTC)).timestamp()
        number = next(self._names)
        base = self.maildir(user, folder)
        data = raw.replace(b"\r\n", b"\n")
        lines = data.count(b"\n")
        name = f"{int(stamp)}.M{number:08d}P{os.getpid()}.test,S={len(data)},W={len(data) + lines}"
        temporary = base / "tmp" / name
        temporary.write_bytes(data)
        os.utime(temporary, (stamp, stamp))
        self._own(temporary)
        # Into cur/, so that Dovecot gives \Recent to nobody; rename makes it appear whole.
        target = base / "cur" / f"{name}:2,{letters}"
        temporary.rename(target)
        os.utime(base / "cur")
        return target

    @property
    def auth_socket(self) -> Path:
        """Where another server asks whether a sign-in is right (Postfix's smtpd_sasl_path); with `introspect` only."""
        return self.home / "run" / "for-postfix"

    def kick(self, user: str) -> None:
        """End every connection of a user, as a provider does whose user took a grant back."""
        doveadm = shutil.which("doveadm", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin")
        subprocess.run(
            [str(doveadm), "-c", str(self.home / "dovecot.conf"), "kick", user], capture_output=True, check=False
        )

    def new_uidvalidity(self, user: str, folder: str = "INBOX") -> None:
        """Forget every UID of a folder: the next opening gives another UIDVALIDITY and new UIDs."""
        base = self.maildir(user, folder)
        now = int(time.time())
        for name in base.glob("dovecot*"):
            if name.is_file():
                name.unlink()
        uidlist = base / "dovecot-uidlist"
        uidlist.write_text(f"3 V{now + 1000 + next(self._names)} N100001\n")
        self._own(uidlist)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
