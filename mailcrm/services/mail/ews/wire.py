"""One Exchange account through `exchangelib`: the calls that mailcrm makes, with plain values in and out.

With library.py the only module that imports exchangelib, whose 30 MB and second are paid by processes that reach such a
mailbox: `client.py` imports it when it connects. The library speaks SOAP, signs in (NTLM, Digest or Basic, as the server offers)
and agrees on a version; here it neither retries (who calls knows better when) nor keeps connections for others.
What goes wrong leaves as one of mailcrm's errors (failures.py). UpdateItem of the read mark, MoveItem and CreateItem are
the only calls that write.
"""

# exchangelib and lxml have no types of their own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false
# pyright: reportUntypedBaseClass=false, reportIncompatibleVariableOverride=false, reportOptionalSubscript=false
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exchangelib import DELEGATE, Account, Configuration, EWSTimeZone, FailFast, Message
from exchangelib import Mailbox as ExchangeMailbox
from exchangelib.fields import FieldPath
from exchangelib.items import ALWAYS_OVERWRITE, ID_ONLY, SAVE_ONLY, SEND_ONLY, SEND_TO_NONE
from exchangelib.properties import DistinguishedFolderId, FolderId, ItemId
from exchangelib.protocol import Protocol
from exchangelib.services import (
    MoveItem,
    UpdateItem,
)
from exchangelib.util import TNS

from mailcrm.errors import NeedsReconnect, TransientError
from mailcrm.services.mail.ews.failures import translated
from mailcrm.services.mail.ews.http import Way
from mailcrm.services.mail.ews.library import (
    FOLDER,
    ITEM,
    LOOK,
    MIME,
    MOST_ID,
    PEOPLE,
    PEOPLE_FIELDS,
    Create,
    Folders,
    Get,
    Hierarchy,
    Once,
    OwnProtocol,
    Sync,
    addresses_of,
    id_of,
    text_of,
)
from mailcrm.services.mail.ews.values import Item, Listed, Looked, Page
from mailcrm.services.mail.providers.values import ServerSpec

PATH = "/EWS/Exchange.asmx"  # where every Exchange since 2007 has it
SYNC_PAGE = 512  # items in one answer of SyncFolderItems: the server's most
MOST_FOLDERS, MOST_TURNS = 10_000, 1000  # of a listing: a server may go on for ever
IDS = 100  # items named in one request
ROLES = {"inbox": "inbox", "sentitems": "sent", "drafts": "drafts", "junkemail": "junk", "deleteditems": "trash"}
_READ_SENT = 1  # PidTagMessageFlags: mfRead, without mfUnsent: no draft

#: What a server answered to the first connection: (sign-in, version) by endpoint. Asked again when it is refused.
_known: dict[str, tuple[Any, Any]] = {}


class Wire:
    """A signed-in account. One thread only."""

    def __init__(self, account: Account, way: Way, spec: ServerSpec) -> None:
        self._account, self._way, self.spec = account, way, spec
        self.roles: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection; the object is of no more use."""
        self._account.protocol.close()

    def hang_up(self) -> None:
        """Break off what is under way, from another thread."""
        self._way.hang_up()

    def sign_in(self) -> None:
        """Ask for the folders that every mailbox has: who may read them is signed in."""
        asked = [self._distinguished(name) for name in ROLES]
        found = list(Folders(account=self._account).call(folders=asked, additional_fields=None, shape=ID_ONLY))
        for error in found[:1]:  # without an Inbox there is nothing
            if isinstance(error, Exception):
                raise error
        self.roles = {
            id_of(elem, "FolderId"): ROLES[name]
            for name, elem in zip(ROLES, found, strict=True)
            if not isinstance(elem, Exception)
        }

    def folders(self) -> list[Listed]:
        """List every mail folder below the mailbox's root, parents before their children."""
        with translated(self.spec):
            service = Hierarchy(account=self._account)
            found: list[Any] = []
            state: str | None = None
            turns = 0
            while True:
                root = self._distinguished("msgfolderroot")
                found += service.call(folder=root, shape=ID_ONLY, additional_fields=FOLDER, sync_state=state)
                if service.includes_last_item_in_range or service.sync_state == state:
                    break
                if len(found) > MOST_FOLDERS or (turns := turns + 1) > MOST_TURNS:
                    raise TransientError("imap.unavailable", host=self.spec.host, answer="SyncFolderHierarchy")
                state = service.sync_state
            out: dict[str, Listed] = {}  # a folder that came twice is what it was last
            for elem in found:
                if elem is None or isinstance(elem, Exception) or elem.tag != f"{{{TNS}}}Folder":
                    continue
                if text_of(elem, "FolderClass") not in ("", "IPF", "IPF.Note") and not text_of(
                    elem, "FolderClass"
                ).startswith("IPF.Note."):
                    continue
                key = id_of(elem, "FolderId")
                if key and len(key) <= MOST_ID:
                    parent = id_of(elem, "ParentFolderId")
                    out[key] = Listed(key, parent, text_of(elem, "DisplayName"), self.roles.get(key, ""))
            return list(out.values())

    def changes(self, folder_id: str, state: str, name: str) -> Page:
        """Return what changed in a folder after `state` ("": all that is there), one answer at a time.

        Raises StateLost when the server knows the state no more, PermanentError `imap.folder_missing`.
        """
        with translated(self.spec, folder=name):
            service = Sync(account=self._account)
            changed: dict[str, Item] = {}
            read: dict[str, bool] = {}
            gone: list[str] = []
            for found in service.call(
                folder=FolderId(folder_id, None),
                shape=ID_ONLY,
                additional_fields=ITEM,
                sync_state=state or None,
                ignore=None,
                max_changes_returned=SYNC_PAGE,
                sync_scope=None,
            ):
                if isinstance(found, Exception):
                    raise found
                if found[0] == "Delete":
                    gone.append(found[1])
                elif found[0] == "ReadFlagChange":
                    read[found[1]] = found[2]
                elif found[1] is not None:
                    changed[found[1].id] = found[1]
            ended = bool(service.includes_last_item_in_range) or not service.sync_state
            return Page(service.sync_state or "", tuple(changed.values()), read, tuple(gone), ended)

    def look(self, ids: Sequence[str]) -> dict[str, Looked]:
        """Ask for read mark and Message-ID of items; who is gone is not in the answer."""
        return {
            key: Looked(text_of(elem, "IsRead") == "true", text_of(elem, "InternetMessageId"))
            for key, elem in self._items(ids, LOOK)
        }

    def fields(self, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Ask who items are from and to: addresses by field; who is gone is not in the answer."""
        return {
            key: {name: tuple(addresses_of(elem, name)) for name in PEOPLE}
            for key, elem in self._items(ids, PEOPLE_FIELDS)
        }

    def mime(self, ids: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Fetch whole messages in their order; None for one that the server can't write as MIME.

        Who is gone is not in the answer.
        """
        with self._way.large():
            for key, elem in self._items(ids, MIME, broken=True):
                if elem is None:
                    yield key, None
                    continue
                try:
                    yield key, base64.b64decode(text_of(elem, "MimeContent"), validate=False)
                except binascii.Error:
                    yield key, None

    def mark(self, ids: Sequence[str], seen: bool) -> None:
        """Set the read mark of items; who is gone is passed over."""
        with translated(self.spec):
            for part in _parts(ids):
                changes = [(Message(id=key, is_read=seen), ["is_read"]) for key in part]
                found = UpdateItem(account=self._account).call(
                    items=changes,
                    conflict_resolution=ALWAYS_OVERWRITE,
                    message_disposition=SAVE_ONLY,
                    send_meeting_invitations_or_cancellations=SEND_TO_NONE,
                    suppress_read_receipts=True,
                )
                _raise_but_gone(found)

    def move(self, ids: Sequence[str], folder_id: str) -> dict[str, str]:
        """Move items; return the new id of each that was there."""
        landed: dict[str, str] = {}
        with translated(self.spec):
            for part in _parts(ids):
                items = [ItemId(key, None) for key in part]
                found = list(MoveItem(account=self._account).call(items=items, to_folder=FolderId(folder_id, None)))
                landed.update(
                    (old, str(new[0] if isinstance(new, tuple) else new.id))
                    for old, new in zip(part, found, strict=True)
                    if new is not None and not isinstance(new, Exception)
                )
                _raise_but_gone(found)
        return landed

    def file(self, folder_id: str, raw: bytes) -> str:
        """Put a message into a folder, read and no draft; return its id."""
        with translated(self.spec):
            message = Message(account=self._account, mime_content=raw, is_read=True, mailcrm_flags=_READ_SENT)
            made = Create(account=self._account).file(message, FolderId(folder_id, None))
            if isinstance(made, Exception):
                raise made
            return str(made.id)

    def send(self, raw: bytes) -> None:
        """Send a message to the recipients in its header, Bcc too; the server keeps no copy.

        Raises what the library raises: whether it may be sent all the same is for the caller to tell (submit.py).
        """
        message = Message(account=self._account, mime_content=raw)
        service = Create(account=self._account)
        for made in service.call(
            items=[message], folder=None, message_disposition=SEND_ONLY, send_meeting_invitations=SEND_TO_NONE
        ):
            if isinstance(made, Exception):
                raise made

    def _items(
        self, ids: Sequence[str], fields: tuple[FieldPath, ...], *, broken: bool = False
    ) -> Iterator[tuple[str, Any]]:
        """Yield (id, element) of items that are there; None in place of one that the server can't hand out."""
        for part in _parts(ids):
            with translated(self.spec):
                items = [ItemId(key, None) for key in part]
                found = list(Get(account=self._account).call(items=items, additional_fields=fields, shape=ID_ONLY))
                if len(found) != len(part):
                    raise ValueError("another number of items than was asked for")
            for key, elem in zip(part, found, strict=True):
                if not isinstance(elem, Exception):
                    yield key, elem
                elif broken and type(elem).__name__ not in GONE:
                    yield key, None

    def _distinguished(self, name: str) -> DistinguishedFolderId:
        return DistinguishedFolderId(id=name, mailbox=ExchangeMailbox(email_address=self._account.primary_smtp_address))


GONE = frozenset({"ErrorItemNotFound", "ErrorInvalidIdMalformed", "ErrorCannotDeleteObject"})


def connect(spec: ServerSpec, address: str, password: str, *, allow_private: bool, timeout: float) -> Wire:
    """Connect and sign in. Raises TransientError, PermanentError (certificate, address), NeedsReconnect (credentials)."""
    endpoint = f"{'http' if spec.security == 'none' else 'https'}://{spec.host}:{spec.port}{PATH}"
    way = Way(spec.host, spec.port, plain=spec.security == "none", allow_private=allow_private, timeout=timeout)
    remembered = endpoint in _known
    try:
        return _signed_in(endpoint, spec, address, password, way)
    except NeedsReconnect:
        if not remembered:
            raise
        _known.pop(endpoint, None)  # perhaps it wants another way to sign in now
    return _signed_in(endpoint, spec, address, password, way)


def _signed_in(endpoint: str, spec: ServerSpec, address: str, password: str, way: Way) -> Wire:
    with translated(spec, address=address):
        auth, version = _known.get(endpoint, (None, None))
        config = Configuration(
            service_endpoint=endpoint,
            credentials=Once(spec.username, password),
            auth_type=auth,
            version=version.copy() if version is not None else None,
            retry_policy=FailFast(),
            max_connections=1,
        )
        account = Account(
            address, config=config, access_type=DELEGATE, locale="en_US", default_timezone=EWSTimeZone("UTC")
        )
        with contextlib.suppress(KeyError):
            del Protocol[config]  # the library's cache would keep the password for ever
        protocol = type.__call__(OwnProtocol, config=config)
        protocol.way, protocol.TIMEOUT = way, way.timeout
        account.protocol = protocol
        wire = Wire(account, way, spec)
        try:
            wire.sign_in()
        except BaseException:
            protocol.close()
            raise
        if len(_known) > 1000:
            _known.clear()
        _known[endpoint] = config.auth_type, account.version.copy()
        return wire


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), IDS):
        yield list(ids[start : start + IDS])


def _raise_but_gone(found: Iterable[Any]) -> None:
    for each in found:
        if isinstance(each, Exception) and type(each).__name__ not in GONE:
            raise each
