"""What mailcrm has of its own in exchangelib: its connections, credentials and calls, and what their answers hold.

Imported by wire.py alone. Answers are read element by element: the library's own objects would ask for what is not there.
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
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from exchangelib import Credentials, Message
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.fields import ExtendedPropertyField, FieldPath
from exchangelib.folders import Folder
from exchangelib.items import SAVE_ONLY, SEND_TO_NONE
from exchangelib.properties import FolderId
from exchangelib.protocol import Protocol
from exchangelib.services import CreateItem, GetFolder, GetItem, SyncFolderHierarchy, SyncFolderItems
from exchangelib.services.sync_folder_hierarchy import SyncFolder
from exchangelib.transport import AUTH_TYPE_MAP, DEFAULT_HEADERS, NTLM
from exchangelib.util import TNS
from requests_ntlm import HttpNtlmAuth
from requests_ntlm.requests_ntlm import _get_certificate_hash

from mailcrm.services.mail.ews.http import Way
from mailcrm.services.mail.ews.values import DRAFT, Item

MOST_ID = 1000  # characters: Exchange's have about 150, of an index PostgreSQL takes 2,700 bytes

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

ITEM = (
    *(
        FieldPath(field=Message.get_field_by_fieldname(name))
        for name in ("size", "datetime_received", "is_read", "is_draft")
    ),
    FieldPath(field=ExtendedPropertyField("mailcrm_search_key", value_cls=_SearchKey)),
)
LOOK = tuple(FieldPath(field=Message.get_field_by_fieldname(name)) for name in ("is_read", "message_id"))
PEOPLE = ("From", "ReplyTo", "ToRecipients", "CcRecipients", "BccRecipients")
PEOPLE_FIELDS = tuple(
    FieldPath(field=Message.get_field_by_fieldname(name))
    for name in ("author", "reply_to", "to_recipients", "cc_recipients", "bcc_recipients")
)
MIME = (FieldPath(field=Message.get_field_by_fieldname("mime_content")),)
FOLDER = tuple(
    FieldPath(field=Folder.get_field_by_fieldname(name)) for name in ("name", "parent_folder_id", "folder_class")
)


class Once(Credentials):
    """Credentials that are nobody else's: the library keeps connections by them."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class OwnProtocol(Protocol):
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


class Sync(SyncFolderItems):
    """What changed in a folder: (kind, id, read) or (kind, item)."""

    def _get_element_container(self, message: Any, name: Any = None) -> Any:
        if message.get("ResponseClass") == "Error":  # which need not hold a state, and the library looks for it first
            return super(SyncFolder, self)._get_element_container(message=message, name=name)
        return super()._get_element_container(message=message, name=name)

    def _elem_to_obj(self, elem: Any) -> Any:
        kind = elem.tag.removeprefix(f"{{{TNS}}}")
        if kind in ("Delete", "ReadFlagChange"):
            return kind, id_of(elem), text_of(elem, "IsRead") == "true"
        return kind, item_of(elem[0])


class Hierarchy(SyncFolderHierarchy):
    """The folders of a mailbox, as elements; those that are gone are None."""

    def _elem_to_obj(self, elem: Any) -> Any:
        return elem[0] if elem.tag in (f"{{{TNS}}}Create", f"{{{TNS}}}Update") else None


class Folders(GetFolder):
    """Folders as elements."""

    def _elems_to_objs(self, elems: Any) -> Any:
        return elems


class Get(GetItem):
    """Items as elements."""

    def _elem_to_obj(self, elem: Any) -> Any:
        return elem


class Create(CreateItem):
    """New items: sent, or put into a folder."""

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


def item_of(elem: Any) -> Item | None:
    key = id_of(elem)
    if not key or len(key) > MOST_ID:
        return None
    draft = text_of(elem, "IsDraft") == "true"
    name = ""
    for found in elem.iterfind(f"{{{TNS}}}ExtendedProperty/{{{TNS}}}Value"):
        with contextlib.suppress(binascii.Error, ValueError):
            name = base64.b64decode(found.text or "").hex()[:200]
    size = text_of(elem, "Size")
    return Item(
        key,
        int(size) if size.isdecimal() and len(size) < 12 else 0,
        _moment(text_of(elem, "DateTimeReceived")),
        text_of(elem, "IsRead") != "false",  # what has no read mark is nothing to read
        draft,
        f"{DRAFT}{_change_key(elem)[:200]}" if draft else name,
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def addresses_of(elem: Any, tag: str) -> Iterator[str]:
    for found in elem.iterfind(f"{{{TNS}}}{tag}/{{{TNS}}}Mailbox/{{{TNS}}}EmailAddress"):
        if found.text and "@" in found.text and found.text.isprintable():
            yield found.text


def _change_key(elem: Any) -> str:
    found = elem.find(f"{{{TNS}}}ItemId")
    return "" if found is None else str(found.get("ChangeKey") or "")


def id_of(elem: Any, tag: str = "ItemId") -> str:
    found = elem.find(f"{{{TNS}}}{tag}")
    return "" if found is None else str(found.get("Id") or "")


def text_of(elem: Any, tag: str) -> str:
    found = elem.find(f"{{{TNS}}}{tag}")
    return "" if found is None else str(found.text or "")
