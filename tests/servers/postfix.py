"""A real Postfix on loopback: own configuration, queue and port; takes mail without sign-in and relays it to a sink.

Its access tables refuse what tests ask it to, at MAIL and at RCPT; what the sink refuses later comes back as Postfix's
own bounce. Starts as root only (Postfix does); `needs("postfix")` skips elsewhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from mailcrm.services.mail.providers.values import ServerSpec
from tests.servers.dovecot import DovecotServer, free_port, is_open
from tests.servers.smtp_sink import SmtpSink

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
PROGRAM = shutil.which("postfix", path=PATH) if os.getuid() == 0 else None

_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/log
maillog_file_prefixes = {home}
alternate_config_directories = {home}/conf
multi_instance_enable = no
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{relay}
smtp_host_lookup = native
disable_dns_lookups = yes
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = {size}
smtputf8_enable = yes
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access texthash:{home}/senders
smtpd_relay_restrictions = {who}, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{home}/recipients, permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
{sign_in}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maximal_queue_lifetime = 1h
bounce_notice_recipient = postmaster@relay.test
notify_classes =
"""

_SIGN_IN = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
"""

_MASTER = """
{port}     inet  n - n - - smtpd
  -o max_use=1
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 1 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
tlsmgr    unix  - - n 1000? 1 tlsmgr
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class PostfixServer:
    """Postfix under a temporary home; everything it takes goes on to the SMTP server at `relay_port`."""

    host = "localhost"

    def __init__(
        self, relay_port: int, *, size_limit: int = 2_000_000, dovecot: DovecotServer | None = None, more: str = ""
    ) -> None:
        """`more`: lines of main.cf besides. `dovecot`: who says which sign-ins are right; then STARTTLS and a sign-in are required (a submission server)."""
        self._dovecot = dovecot
        self.sink: SmtpSink | None = None
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-postfix-"))
        self.home.chmod(0o755)
        self.port = free_port()
        self._relay, self._size, self._more = relay_port, size_limit, more
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration and start; returns when the port answers."""
        if PROGRAM is None:
            raise RuntimeError("Postfix is not installed, or this is not root")
        conf = self.home / "conf"
        for folder in (conf, self.home / "queue", self.home / "data"):
            folder.mkdir()
        shutil.chown(self.home / "data", "postfix", "postfix")
        sign_in = "smtpd_tls_security_level = none"
        if self._dovecot is not None:
            certificate, key = self._dovecot.issuer.issue("localhost")
            sign_in = _SIGN_IN.format(socket=self._dovecot.auth_socket, certificate=certificate, key=key)
        who = "permit_mynetworks" if self._dovecot is None else "permit_sasl_authenticated"
        main = _MAIN.format(home=self.home, relay=self._relay, size=self._size, sign_in=sign_in, who=who)
        (conf / "main.cf").write_text(main + self._more)
        (conf / "master.cf").write_text(_MASTER.format(port=f"127.0.0.1:{self.port}"))
        self.refuse()
        # Makes the folders of the queue, with the owners that Postfix wants.
        subprocess.run([PROGRAM, "-c", str(conf), "check"], check=True, capture_output=True)
        self._process = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", "-c", str(conf), "-d"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not is_open(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Postfix did not start: {self.log()}")
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
            self._process = None
        shutil.rmtree(self.home, ignore_errors=True)

    def refuse(self, *, senders: dict[str, str] | None = None, recipients: dict[str, str] | None = None) -> None:
        """Set the access tables: an address and what to answer, "550 5.7.1 …" or "450 …"; new connections obey.

        Postfix reads such a table when a process starts; each of its smtpd processes serves one connection (`max_use`).
        """
        for name, table in (("senders", senders or {}), ("recipients", recipients or {})):
            (self.home / name).write_text("".join(f"{address} {answer}\n" for address, answer in table.items()))

    def spec(self) -> ServerSpec:
        """Return how to reach this server; without Dovecot it asks for no sign-in."""
        return ServerSpec(self.host, self.port, "none" if self._dovecot is None else "starttls", "")

    def queued(self) -> int:
        """Count the messages that wait in its queue."""
        folders = ("incoming", "active", "deferred", "maildrop")
        return sum(1 for each in folders for found in (self.home / "queue" / each).rglob("*") if found.is_file())

    def log(self) -> str:
        """Return what it wrote."""
        found = self.home / "log"
        return found.read_text(errors="replace") if found.exists() else ""
