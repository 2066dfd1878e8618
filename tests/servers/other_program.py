"""The user's other mail program: it signs in to a test server beside mailcrm and changes what mailcrm has to notice.

Speaks plain IMAP through IMAPClient, so that one suite can do the same to every server. Also the servers' interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from imapclient import IMAPClient

from mailcrm.services.mail.providers.values import Security, ServerSpec


class ImapServer(Protocol):
    """What every server of the contract suite offers."""

    name: str
    host: str
    plain_port: int
    passwords: dict[str, str]
    #: What stands before the names of a user's folders ("INBOX." at Courier).
    prefix: str

    def spec(self, name: str, security: Security = "none") -> ServerSpec: ...

    def add_user(self, name: str, password: str = "secret") -> object: ...

    def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = (), when: datetime | None = None
    ) -> object: ...


class OtherProgram:
    """One signed-in connection of the other program; a context manager."""

    def __init__(self, server: ImapServer, user: str) -> None:
        self.server = server
        self.client = IMAPClient(server.host, server.plain_port, ssl=False, timeout=30)
        self.client._imap.debug = 0  # type: ignore[attr-defined]  # noqa: SLF001
        self.client.login(user, server.passwords[user])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.client.logout()
        except Exception:
            self.client.shutdown()

    def name(self, folder: str) -> str:
        """Return the server's name for a folder that people call `folder`."""
        return folder if folder == "INBOX" else self.server.prefix + folder

    def create(self, folder: str, use: str = "") -> None:
        """Make a folder, for a special use where the server takes one."""
        name = self.name(folder)
        if use and self.client.has_capability("CREATE-SPECIAL-USE"):
            quoted = self.client._normalise_folder(name)  # type: ignore[attr-defined]  # noqa: SLF001
            typ, data = self.client._imap._simple_command("CREATE", quoted, f"(USE ({use}))")  # type: ignore[attr-defined]  # noqa: SLF001
            assert typ == "OK", data
        else:
            self.client.create_folder(name)

    def append(
        self, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = (), when: datetime | None = None
    ) -> int | None:
        """Store a message; return its UID where the server tells it."""
        said = self.client.append(self.name(folder), raw, tuple(flags), when or datetime.now(UTC))
        found = re.search(rb"APPENDUID \d+ (\d+)", said if isinstance(said, bytes) else str(said).encode())
        return int(found[1]) if found else None

    def uids(self, folder: str = "INBOX") -> list[int]:
        """Return the folder's UIDs, ascending, and leave it open for writing."""
        self.client.select_folder(self.name(folder))
        return sorted(self.client.search("ALL"))

    def flag(self, folder: str, uids: Sequence[int], *flags: str) -> None:
        """Add flags."""
        self.client.select_folder(self.name(folder))
        self.client.add_flags(uids, flags)

    def unflag(self, folder: str, uids: Sequence[int], *flags: str) -> None:
        """Take flags away."""
        self.client.select_folder(self.name(folder))
        self.client.remove_flags(uids, flags)

    def flags(self, folder: str = "INBOX") -> dict[int, frozenset[str]]:
        """Return each message's flags, `\\Recent` too, without changing them."""
        self.client.select_folder(self.name(folder), readonly=True)
        found: dict[int, Any] = self.client.get_flags(self.client.search("ALL"))
        return {uid: frozenset(flag.decode() for flag in flags) for uid, flags in found.items()}

    def expunge(self, folder: str, uids: Sequence[int]) -> None:
        """Delete messages for good."""
        self.client.select_folder(self.name(folder))
        self.client.delete_messages(uids)
        self.client.expunge()

    def copy(self, folder: str, uids: Sequence[int], to: str) -> None:
        """Copy messages."""
        self.client.select_folder(self.name(folder))
        self.client.copy(uids, self.name(to))

    def move(self, folder: str, uids: Sequence[int], to: str) -> None:
        """Move messages, with MOVE or as programs did before it."""
        self.client.select_folder(self.name(folder))
        if self.client.has_capability("MOVE"):
            self.client.move(uids, self.name(to))
        else:
            self.client.copy(uids, self.name(to))
            self.client.delete_messages(uids)
            self.client.expunge()

    def rename(self, folder: str, to: str) -> None:
        """Rename a folder."""
        self.client.rename_folder(self.name(folder), self.name(to))

    def delete(self, folder: str) -> None:
        """Delete a folder with all its messages."""
        self.client.delete_folder(self.name(folder))

    def uidvalidity(self, folder: str = "INBOX") -> int:
        """Return the folder's UIDVALIDITY."""
        return int(self.client.folder_status(self.name(folder), ["UIDVALIDITY"])[b"UIDVALIDITY"])
