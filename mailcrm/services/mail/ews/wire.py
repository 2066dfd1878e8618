"""One Exchange account through `exchangelib`: the calls that mailcrm makes, with plain values in and out.

The only module that imports exchangelib, whose 30 MB and second are paid by processes that reach such a mailbox:
`client.py` imports it when it connects. The library speaks SOAP, signs in (NTLM, Digest or Basic, as the server offers)
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
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from exchangelib import DELEGATE, Account, Configuration, Credentials, EWSTimeZone, FailFast, Message
from exchangelib import Mailbox as ExchangeMailbox
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.fields import ExtendedPropertyField, FieldPath
from exchangelib.folders import Folder
from exchangelib.items import ALWAYS_OVERWRITE, ID_ONLY, SAVE_ONLY, SEND_ONLY, SEND_TO_NONE
from exchangelib.properties import DistinguishedFolderId, FolderId, ItemId
from exchangelib.protocol import Protocol
from exchangelib.services import (
    CreateItem,
    GetFolder,
    GetItem,
    MoveItem,
    SyncFolderHierarchy,
    SyncFolderItems,
    UpdateItem,
)
from exchangelib.services.sync_folder_hierarchy import SyncFolder
from exchangelib.transport import AUTH_TYPE_MAP, DEFAULT_HEADERS, NTLM
from exchangelib.util import TNS
from requests_ntlm import HttpNtlmAuth
from requests_ntlm.requests_ntlm import _get_certificate_hash

from mailcrm.errors import NeedsReconnect, TransientError
from mailcrm.services.mail.ews.failures import translated
from mailcrm.services.mail.ews.http import Way
from mailcrm.services.mail.ews.values import DRAFT, Item, Listed, Looked, Page
from mailcrm.services.mail.providers.values import ServerSpec

PATH = "/EWS/Exchange.asmx"  # where every Exchange since 2007 has it
SYNC_PAGE = 512  # items in one answer of SyncFolderItems: the server's most
MOST_ID = 1000  # characters: Exchange's have about 150, of an index PostgreSQL takes 2,700 bytes
MOST_FOLDERS, MOST_TURNS = 10_000, 1000  # of a listing: a server may go on for ever
IDS = 100  # items named in one request
ROLES = {"inbox": "inbox", "sentitems": "sent", "drafts": "drafts", "junkemail": "junk", "deleteditems": "trash"}
_READ_SENT = 1  # PidTagMessageFlags: mfRead, without mfUnsent: no draft

# It would log whole requests, with the mail in them, when something unexpected happens.
logging.getLogger("exchangelib").setLevel(logging.CRITICAL + 1)


class _SearchKey(ExtendedProperty):
    """PidTagSearchKey: stays with a message wherever it is moved."""

    property_tag = 0x300B
    property_type = "Binary"


class _Flags(ExtendedProperty):
    """PidTagMessageFlags."""

    property_tag = 0x0E07
    property_type = "Integer"


with contextlib.suppress(ValueError):  # registered already, when the module is loaded again
    Message.register("mailcrm_flags", _Flags)

_ITEM = (
    *(
        FieldPath(field=Message.get_field_by_fieldname(name))
        for name in ("size", "datetime_received", "is_read", "is_draft")
    ),
    FieldPath(field=ExtendedPropertyField("mailcrm_search_key", value_cls=_SearchKey)),
)
_LOOK = tuple(FieldPath(field=Message.get_field_by_fieldname(name)) for name in ("is_read", "message_id"))
PEOPLE = ("From", "ReplyTo", "ToRecipients", "CcRecipients", "BccRecipients")
_PEOPLE = tuple(
    FieldPath(field=Message.get_field_by_fieldname(name))
    for name in ("author", "reply_to", "to_recipients", "cc_recipients", "bcc_recipients")
)
_MIME = (FieldPath(field=Message.get_field_by_fieldname("mime_content")),)
_FOLDER = tuple(
    FieldPath(field=Folder.get_field_by_fieldname(name)) for name in ("name", "parent_folder_id", "folder_class")
)

#: What a server answered to the first connection: (sign-in, version) by endpoint. Asked again when it is refused.
_known: dict[str, tuple[Any, Any]] = {}


class _Once(Credentials):
    """Credentials that are nobody else's: the library keeps connections by them."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class _Protocol(Protocol):
    """The library's protocol over our way to the server; made without its cache."""

    way: Way

    def raw_session(self, *_: Any, **__: Any) -> Any:
        session = self.way.session()
        session.headers.update(DEFAULT_HEADERS)
        session.headers["User-Agent"] = "mailcrm"
        return session


class _Ntlm(HttpNtlmAuth):
    """NTLM over our adapter, which has read an answer, and with it let go of its socket, before this sees it."""

    def _get_server_cert(self, response: Any) -> bytes | None:
        shown: bytes | None = getattr(response, "certificate", None)
        return _get_certificate_hash(shown) if shown else None


AUTH_TYPE_MAP[NTLM] = _Ntlm


class _Sync(SyncFolderItems):
    def _get_element_container(self, message: Any, name: Any = None) -> Any:
        if message.get("ResponseClass") == "Error":  # which need not hold a state, and the library looks for it first
            return super(SyncFolder, self)._get_element_container(message=message, name=name)
        return super()._get_element_container(message=message, name=name)

    def _elem_to_obj(self, elem: Any) -> Any:
        kind = elem.tag.removeprefix(f"{{{TNS}}}")
        if kind in ("Delete", "ReadFlagChange"):
            return kind, _id(elem), _text(elem, "IsRead") == "true"
        return kind, _item(elem[0])


class _Hierarchy(SyncFolderHierarchy):
    def _elem_to_obj(self, elem: Any) -> Any:
        return elem[0] if elem.tag in (f"{{{TNS}}}Create", f"{{{TNS}}}Update") else None


class _Folders(GetFolder):
    def _elems_to_objs(self, elems: Any) -> Any:
        return elems


class _Get(GetItem):
    def _elem_to_obj(self, elem: Any) -> Any:
        return elem


class _Create(CreateItem):
    def file(self, message: Any, folder: FolderId) -> Any:
        """Save a message in a folder; `call` wants a folder object that was fetched first."""
        found = self._chunked_get_elements(
            self.get_payload,
            items=[message],
            folder=folder,
            message_disposition=SAVE_ONLY,
            send_meeting_invitations=SEND_TO_NONE,
        )
        return next(iter(self._elems_to_objs(found)))


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
        found = list(_Folders(account=self._account).call(folders=asked, additional_fields=None, shape=ID_ONLY))
        for error in found[:1]:  # without an Inbox there is nothing
            if isinstance(error, Exception):
                raise error
        self.roles = {
            _id(elem, "FolderId"): ROLES[name]
            for name, elem in zip(ROLES, found, strict=True)
            if not isinstance(elem, Exception)
        }

    def folders(self) -> list[Listed]:
        """List every mail folder below the mailbox's root, parents before their children."""
        with translated(self.spec):
            service = _Hierarchy(account=self._account)
            found: list[Any] = []
            state: str | None = None
            turns = 0
            while True:
                root = self._distinguished("msgfolderroot")
                found += service.call(folder=root, shape=ID_ONLY, additional_fields=_FOLDER, sync_state=state)
                if service.includes_last_item_in_range or service.sync_state == state:
                    break
                if len(found) > MOST_FOLDERS or (turns := turns + 1) > MOST_TURNS:
                    raise TransientError("imap.unavailable", host=self.spec.host, answer="SyncFolderHierarchy")
                state = service.sync_state
            out: dict[str, Listed] = {}  # a folder that came twice is what it was last
            for elem in found:
                if elem is None or isinstance(elem, Exception) or elem.tag != f"{{{TNS}}}Folder":
                    continue
                if _text(elem, "FolderClass") not in ("", "IPF", "IPF.Note") and not _text(
                    elem, "FolderClass"
                ).startswith("IPF.Note."):
                    continue
                key = _id(elem, "FolderId")
                if key and len(key) <= MOST_ID:
                    parent = _id(elem, "ParentFolderId")
                    out[key] = Listed(key, parent, _text(elem, "DisplayName"), self.roles.get(key, ""))
            return list(out.values())

    def changes(self, folder_id: str, state: str, name: str) -> Page:
        """Return what changed in a folder after `state` ("": all that is there), one answer at a time.

        Raises StateLost when the server knows the state no more, PermanentError `imap.folder_missing`.
        """
        with translated(self.spec, folder=name):
            service = _Sync(account=self._account)
            changed: dict[str, Item] = {}
            read: dict[str, bool] = {}
            gone: list[str] = []
            for found in service.call(
                folder=FolderId(folder_id, None),
                shape=ID_ONLY,
                additional_fields=_ITEM,
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
            key: Looked(_text(elem, "IsRead") == "true", _text(elem, "InternetMessageId"))
            for key, elem in self._items(ids, _LOOK)
        }

    def fields(self, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Ask who items are from and to: addresses by field; who is gone is not in the answer."""
        return {
            key: {name: tuple(_addresses(elem, name)) for name in PEOPLE} for key, elem in self._items(ids, _PEOPLE)
        }

    def mime(self, ids: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Fetch whole messages in their order; None for one that the server can't write as MIME.

        Who is gone is not in the answer.
        """
        with self._way.large():
            for key, elem in self._items(ids, _MIME, broken=True):
                if elem is None:
                    yield key, None
                    continue
                try:
                    yield key, base64.b64decode(_text(elem, "MimeContent"), validate=False)
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
            made = _Create(account=self._account).file(message, FolderId(folder_id, None))
            if isinstance(made, Exception):
                raise made
            return str(made.id)

    def send(self, raw: bytes) -> None:
        """Send a message to the recipients in its header, Bcc too; the server keeps no copy.

        Raises what the library raises: whether it may be sent all the same is for the caller to tell (submit.py).
        """
        message = Message(account=self._account, mime_content=raw)
        service = _Create(account=self._account)
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
                found = list(_Get(account=self._account).call(items=items, additional_fields=fields, shape=ID_ONLY))
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
            credentials=_Once(spec.username, password),
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
        protocol = type.__call__(_Protocol, config=config)
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


def _item(elem: Any) -> Item | None:
    key = _id(elem)
    if not key or len(key) > MOST_ID:
        return None
    draft = _text(elem, "IsDraft") == "true"
    name = ""
    for found in elem.iterfind(f"{{{TNS}}}ExtendedProperty/{{{TNS}}}Value"):
        with contextlib.suppress(binascii.Error, ValueError):
            name = base64.b64decode(found.text or "").hex()[:200]
    size = _text(elem, "Size")
    return Item(
        key,
        int(size) if size.isdecimal() and len(size) < 12 else 0,
        _moment(_text(elem, "DateTimeReceived")),
        _text(elem, "IsRead") != "false",  # what has no read mark is nothing to read
        draft,
        f"{DRAFT}{_change_key(elem)[:200]}" if draft else name,
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _addresses(elem: Any, tag: str) -> Iterator[str]:
    for found in elem.iterfind(f"{{{TNS}}}{tag}/{{{TNS}}}Mailbox/{{{TNS}}}EmailAddress"):
        if found.text and "@" in found.text and found.text.isprintable():
            yield found.text


def _change_key(elem: Any) -> str:
    found = elem.find(f"{{{TNS}}}ItemId")
    return "" if found is None else str(found.get("ChangeKey") or "")


def _id(elem: Any, tag: str = "ItemId") -> str:
    found = elem.find(f"{{{TNS}}}{tag}")
    return "" if found is None else str(found.get("Id") or "")


def _text(elem: Any, tag: str) -> str:
    found = elem.find(f"{{{TNS}}}{tag}")
    return "" if found is None else str(found.text or "")
