"""An Exchange server on loopback, as far as EWS goes: its web services' wire messages, over HTTP with Basic or NTLM.

Speaks what the product asks through exchangelib, spelled as Exchange 2016 does: ConvertId (version), GetFolder,
SyncFolderHierarchy, SyncFolderItems, GetItem, CreateItem, UpdateItem, MoveItem. Ids change with every move, sizes count
something else than MIME, drafts change under one id, and a sync state is a position in a log. `faults` plays what
goes wrong. Keeps everything in memory; `sent` is what would have left the house.
"""

from __future__ import annotations

import base64
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import getaddresses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import spnego
import spnego.exceptions
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
NS = {"m": M, "t": T}
_TRUE = ("1", "true")  # xs:boolean has both
_FIRST = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass
class Item:
    """A message on the server."""

    id: str
    raw: bytes
    received: datetime
    key: bytes
    seen: bool = False
    draft: bool = False
    change: int = 1
    broken: bool = False  # ErrorMimeContentConversionFailed


@dataclass
class Store:
    """A folder: its items, and a log of what happened in it."""

    id: str
    name: str
    parent: str
    kind: str = "IPF.Note"
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass
class Fault:
    """What happens to the next requests of an operation ("" for all): `how` is a ResponseCode, or
    "401", "503", "cut", "late cut" (done, then no answer), "garbage", "slow"."""

    operation: str
    how: str
    times: int = 1
    skip: int = 0
    back_off_ms: int = 0


class EwsServer:
    """A server with one mailbox, ann@home.test; a context manager."""

    def __init__(self, *, user: str = "ann@home.test", password: str = "secret", ntlm: bool = False) -> None:
        self.user, self.password = user, password
        self.ntlm = ntlm  # as Exchange is at first: Negotiate and NTLM, nothing else; NTLM_USER_FILE has the password
        #: Answers instead of the server, where it returns an answer's status, body and headers.
        self.hostile: Callable[[str, Any], tuple[int, bytes, dict[str, str]] | None] = lambda _operation, _headers: None
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.sent: list[tuple[bytes, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.page = 512
        self.epoch = 1  # states of an older one are not known any more
        self.hide: set[str] = set()  # items that a listing leaves out, once each
        self._numbers = itertools.count(1)
        self.folders: dict[str, Store] = {}
        self.root = "AAMkRoot="
        self.named: dict[str, str] = {"msgfolderroot": self.root}
        for name, key, kind in (
            ("Posteingang", "inbox", "IPF.Note"), ("Entwürfe", "drafts", "IPF.Note"),
            ("Gesendete Elemente", "sentitems", "IPF.Note"), ("Gelöschte Elemente", "deleteditems", "IPF.Note"),
            ("Junk-E-Mail", "junkemail", "IPF.Note"), ("Kalender", "calendar", "IPF.Appointment"),
            ("Archiv", "", "IPF.Note"),
        ):  # fmt: skip
            made = self.add_folder(name, kind=kind)
            if key:
                self.named[key] = made.id
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> EwsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    # What other programs do.

    def add_folder(self, name: str, *, parent: str = "", kind: str = "IPF.Note") -> Store:
        with self.lock:
            key = f"AAMkFolder{next(self._numbers)}/+="
            self.folders[key] = made = Store(key, name, self.folder(parent).id if parent else self.root, kind)
            return made

    def folder(self, name: str) -> Store:
        """A folder by distinguished name, else by its own."""
        if name in self.named:
            return self.folders[self.named[name]]
        return next(store for store in self.folders.values() if store.name == name)

    def deliver(self, raw: bytes, folder: str = "inbox", *, seen: bool = False, draft: bool = False, n: int = 0) -> str:
        """Put a message into a folder; return its id."""
        with self.lock:
            number = next(self._numbers)
            item = Item(
                self._item_id(), raw, _FIRST + timedelta(minutes=n or number), f"key{number}".encode(), seen, draft
            )
            self._put(self.folder(folder), item)
            return item.id

    def move(self, item_id: str, folder: str) -> str:
        with self.lock:
            store = self._store_of(item_id)
            item = store.items.pop(item_id)
            store.log.append(("Delete", item_id))
            item.id = self._item_id()
            self._put(self.folder(folder), item)
            return item.id

    def delete(self, item_id: str) -> None:
        with self.lock:
            store = self._store_of(item_id)
            del store.items[item_id]
            store.log.append(("Delete", item_id))

    def mark(self, item_id: str, seen: bool) -> None:
        with self.lock:
            store = self._store_of(item_id)
            store.items[item_id].seen = seen
            store.items[item_id].change += 1
            store.log.append(("ReadFlagChange", item_id))

    def edit(self, item_id: str, raw: bytes) -> None:
        """Save a draft again: other content, the same id."""
        with self.lock:
            store = self._store_of(item_id)
            store.items[item_id].raw = raw
            store.items[item_id].change += 1
            store.log.append(("Update", item_id))

    def messages(self, folder: str) -> dict[str, Item]:
        """What a folder holds, by Message-ID."""
        with self.lock:
            return {str(message_from_bytes(i.raw)["Message-ID"]): i for i in self.folder(folder).items.values()}

    def _item_id(self) -> str:
        return f"AAMkItem{next(self._numbers):08d}aA/+=="

    def _put(self, store: Store, item: Item) -> None:
        store.items[item.id] = item
        store.log.append(("Create", item.id))

    def _store_of(self, item_id: str) -> Store:
        return next(store for store in self.folders.values() if item_id in store.items)

    # What is asked.

    def answer(self, operation: str, body: Any, address: str) -> bytes:
        self.addresses.append(address)
        work: Callable[[Any], str] | None = getattr(self, f"_on_{operation}", None)
        if work is None:
            return _response(operation, _error("ErrorInvalidOperation", operation))
        with self.lock:
            return _response(operation, work(body))

    def _on_ConvertId(self, body: Any) -> str:
        return _error("ErrorInvalidIdMalformed", "ConvertId")

    def _on_GetFolder(self, body: Any) -> str:
        out = ""
        for asked in body.find("m:FolderIds", NS):
            name = asked.get("Id")
            store = self.folders.get(self.named.get(name, name) or "")
            if store is None:
                out += _error("ErrorFolderNotFound", "GetFolder")
            else:
                out += _ok("GetFolder", f"<m:Folders>{_folder(store)}</m:Folders>")
        return out

    def _on_SyncFolderHierarchy(self, body: Any) -> str:
        state = body.findtext("m:SyncState", "", NS)
        listed = list(self.folders.values())
        start = int(state or 0)
        part = listed[start : start + self.page]
        changes = "".join(f"<t:Create>{_folder(store)}</t:Create>" for store in part)
        last = "true" if start + len(part) >= len(listed) else "false"
        return _ok(
            "SyncFolderHierarchy",
            f"<m:SyncState>{start + len(part)}</m:SyncState><m:IncludesLastFolderInRange>{last}"
            f"</m:IncludesLastFolderInRange><m:Changes>{changes}</m:Changes>",
        )

    def _on_SyncFolderItems(self, body: Any) -> str:
        store = self.folders.get(body.find("m:SyncFolderId", NS)[0].get("Id"))
        if store is None:
            return _error("ErrorSyncFolderNotFound", "SyncFolderItems")
        state = base64.b64decode(body.findtext("m:SyncState", "", NS)).decode()
        most = min(self.page, int(body.findtext("m:MaxChangesReturned", "512", NS)))
        if not state:
            state = f"{self.epoch}:{len(store.log)}:0"
        epoch, at, offset = state.split(":")
        if int(epoch) != self.epoch:
            return _error("ErrorInvalidSyncStateData", "SyncFolderItems")
        changes: list[str] = []
        if offset != "-":  # the first listing, newest first, page by page
            listed = sorted(store.items.values(), key=lambda item: item.received, reverse=True)
            part = listed[int(offset) : int(offset) + most]
            changes = [f"<t:Create>{_item(item)}</t:Create>" for item in part if item.id not in self.hide]
            last = int(offset) + len(part) >= len(listed)
            if last:
                self.hide.clear()
            state = f"{epoch}:{at}:{'-' if last else int(offset) + len(part)}"
        else:
            events = store.log[int(at) : int(at) + most]
            last = int(at) + len(events) >= len(store.log)
            for kind, key in {key: (kind, key) for kind, key in events}.values():
                item = store.items.get(key)
                if item is None:
                    changes.append(f"<t:Delete><t:ItemId Id={quoteattr(key)}/></t:Delete>")
                elif kind == "ReadFlagChange" and all(k == kind for k, i in events if i == key):
                    changes.append(
                        f"<t:ReadFlagChange>{_item_id(item)}<t:IsRead>{_bool(item.seen)}</t:IsRead></t:ReadFlagChange>"
                    )
                else:
                    new = any(k == "Create" for k, i in events if i == key)
                    tag = "Create" if new else "Update"
                    changes.append(f"<t:{tag}>{_item(item)}</t:{tag}>")
            state = f"{epoch}:{int(at) + len(events)}:-"
        token = base64.b64encode(state.encode()).decode()
        return _ok(
            "SyncFolderItems",
            f"<m:SyncState>{token}</m:SyncState><m:IncludesLastItemInRange>{_bool(last)}</m:IncludesLastItemInRange>"
            f"<m:Changes>{''.join(changes)}</m:Changes>",
        )

    def _on_GetItem(self, body: Any) -> str:
        uris = {uri.get("FieldURI") for uri in body.iterfind(".//t:FieldURI", NS)}
        out = ""
        for asked in body.find("m:ItemIds", NS):
            found = next((s.items[asked.get("Id")] for s in self.folders.values() if asked.get("Id") in s.items), None)
            if found is None:
                out += _error("ErrorItemNotFound", "GetItem")
            elif found.broken and "item:MimeContent" in uris:
                out += _error("ErrorMimeContentConversionFailed", "GetItem")
            else:
                out += _ok("GetItem", f"<m:Items>{_item(found, uris)}</m:Items>")
        return out

    def _on_UpdateItem(self, body: Any) -> str:
        out = ""
        for change in body.iterfind(".//t:ItemChange", NS):
            key = change.find("t:ItemId", NS).get("Id")
            store = next((s for s in self.folders.values() if key in s.items), None)
            if store is None:
                out += _error("ErrorItemNotFound", "UpdateItem")
                continue
            fields = change.findall("t:Updates/t:SetItemField", NS)
            assert [each.find("t:FieldURI", NS).get("FieldURI") for each in fields] == ["message:IsRead"]
            self.mark(key, fields[0].findtext("t:Message/t:IsRead", "", NS) in _TRUE)
            out += _ok("UpdateItem", f"<m:Items><t:Message>{_item_id(store.items[key])}</t:Message></m:Items>")
        return out

    def _on_MoveItem(self, body: Any) -> str:
        target = self.folders.get(body.find("m:ToFolderId", NS)[0].get("Id"))
        out = ""
        for asked in body.find("m:ItemIds", NS):
            key = asked.get("Id")
            store = next((s for s in self.folders.values() if key in s.items), None)
            if target is None:
                out += _error("ErrorToFolderNotFound", "MoveItem")
            elif store is None:
                out += _error("ErrorItemNotFound", "MoveItem")
            else:
                new = self.move(key, target.name)
                out += _ok("MoveItem", f"<m:Items><t:Message>{_item_id(target.items[new])}</t:Message></m:Items>")
        return out

    def _on_CreateItem(self, body: Any) -> str:
        message = body.find("m:Items/t:Message", NS)
        raw = base64.b64decode(message.findtext("t:MimeContent", "", NS))
        if body.get("MessageDisposition") == "SendOnly":
            parsed = message_from_bytes(raw)
            fields = [str(value) for name in ("To", "Cc", "Bcc") for value in parsed.get_all(name, [])]
            people = tuple(address for _, address in getaddresses(fields))
            if any(address.endswith(".invalid") for address in people):
                return _error("ErrorInvalidRecipients", "CreateItem")
            left = re.sub(rb"(?im)^bcc:.*\r\n(?:[ \t].*\r\n)*", b"", raw, count=1)
            self.sent.append((left, people))
            return _ok("CreateItem", "<m:Items/>")
        store = self.folders[body.find("m:SavedItemFolderId", NS)[0].get("Id")]
        flags = [
            prop.findtext("t:Value", "", NS)
            for prop in message.iterfind("t:ExtendedProperty", NS)
            if prop.find("t:ExtendedFieldURI", NS).get("PropertyTag") == "0xe07"
        ]
        key = self.deliver(raw, store.name, seen=message.findtext("t:IsRead", "", NS) in _TRUE, draft=flags != ["1"])
        return _ok("CreateItem", f"<m:Items><t:Message>{_item_id(store.items[key])}</t:Message></m:Items>")


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _folder(store: Store) -> str:
    tag = "Folder" if store.kind == "IPF.Note" else "CalendarFolder"
    return (
        f"<t:{tag}><t:FolderId Id={quoteattr(store.id)} ChangeKey='AQ=='/>"
        f"<t:ParentFolderId Id={quoteattr(store.parent)} ChangeKey='AQ=='/>"
        f"<t:FolderClass>{store.kind}</t:FolderClass><t:DisplayName>{escape(store.name)}</t:DisplayName></t:{tag}>"
    )


def _item_id(item: Item) -> str:
    return f"<t:ItemId Id={quoteattr(item.id)} ChangeKey='CQ{item.change:04d}=='/>"


def _item(item: Item, uris: set[str | None] | None = None) -> str:
    parsed = message_from_bytes(item.raw)
    parts: dict[str, str] = {}
    if uris is not None and "item:MimeContent" in uris:
        encoded = base64.b64encode(item.raw).decode()
        parts["item:MimeContent"] = f"<t:MimeContent CharacterSet='UTF-8'>{encoded}</t:MimeContent>"
    parts["id"] = _item_id(item)
    parts["item:DateTimeReceived"] = f"<t:DateTimeReceived>{item.received:%Y-%m-%dT%H:%M:%SZ}</t:DateTimeReceived>"
    parts["item:Size"] = f"<t:Size>{len(item.raw) * 2 + 1234}</t:Size>"
    parts["item:IsDraft"] = f"<t:IsDraft>{_bool(item.draft)}</t:IsDraft>"
    key = base64.b64encode(item.key).decode()
    parts["key"] = (
        "<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag='0x300b' PropertyType='Binary'/>"
        f"<t:Value>{key}</t:Value></t:ExtendedProperty>"
    )
    for uri, tag, name in (
        ("message:ToRecipients", "ToRecipients", "To"), ("message:CcRecipients", "CcRecipients", "Cc"),
        ("message:BccRecipients", "BccRecipients", "Bcc"), ("message:From", "From", "From"),
    ):  # fmt: skip
        people = "".join(
            f"<t:Mailbox><t:EmailAddress>{escape(address)}</t:EmailAddress></t:Mailbox>"
            for _, address in getaddresses([str(value) for value in parsed.get_all(name, [])])
        )
        if people:
            parts[uri] = f"<t:{tag}>{people}</t:{tag}>"
    if parsed["Message-ID"]:
        name = escape(str(parsed["Message-ID"]).strip())
        parts["message:InternetMessageId"] = f"<t:InternetMessageId>{name}</t:InternetMessageId>"
    parts["message:IsRead"] = f"<t:IsRead>{_bool(item.seen)}</t:IsRead>"
    wanted = [text for uri, text in parts.items() if uris is None or uri == "id" or uri in uris]
    return f"<t:Message>{''.join(wanted)}</t:Message>"


def _ok(operation: str, inside: str) -> str:
    tag = f"m:{operation}ResponseMessage"
    return f"<{tag} ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode>{inside}</{tag}>"


def _error(code: str, operation: str, back_off_ms: int = 0) -> str:
    tag = f"m:{operation}ResponseMessage"
    return (
        f"<{tag} ResponseClass='Error'><m:MessageText>Der Vorgang ist fehlgeschlagen.</m:MessageText>"
        f"<m:ResponseCode>{code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey></{tag}>"
    )


def _response(operation: str, messages: str) -> bytes:
    return (
        "<?xml version='1.0' encoding='utf-8'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>"
        f"<s:Header><t:ServerVersionInfo xmlns:t='{T}' MajorVersion='15' MinorVersion='1' MajorBuildNumber='2507' "
        "MinorBuildNumber='6' Version='V2017_07_11'/></s:Header>"
        f"<s:Body><m:{operation}Response xmlns:m='{M}' xmlns:t='{T}'><m:ResponseMessages>{messages}"
        f"</m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>"
    ).encode()


def _busy(back_off_ms: int) -> bytes:
    return (
        "<?xml version='1.0'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault>"
        "<faultcode xmlns:a='http://schemas.microsoft.com/exchange/services/2006/types'>a:ErrorServerBusy</faultcode>"
        "<faultstring>The server cannot service this request right now.</faultstring><detail>"
        "<e:ResponseCode xmlns:e='http://schemas.microsoft.com/exchange/services/2006/errors'>ErrorServerBusy"
        "</e:ResponseCode><e:Message xmlns:e='http://schemas.microsoft.com/exchange/services/2006/errors'>busy"
        f"</e:Message><t:MessageXml xmlns:t='{T}'><t:Value Name='BackOffMilliseconds'>{back_off_ms}</t:Value>"
        "</t:MessageXml></detail></s:Fault></s:Body></s:Envelope>"
    ).encode()


def _handler(server: EwsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        handshake: spnego.ContextProxy | None = None

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.lower() != "/ews/exchange.asmx":
                self.reply(404, b"<html>not here</html>")
                return
            if not self.is_let_in():
                return
            body = etree.fromstring(data).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
            assert body is not None
            operation = etree.QName(body[0]).localname
            server.calls.append(operation)
            instead = server.hostile(operation, self.headers)
            if instead is not None:
                status, answer, headers = instead
                self.reply(status, answer, **headers)
                return
            how = self.fault(operation)
            if how is not None and how.how != "late cut":
                self.fail(how, operation)
                return
            answer = server.answer(operation, body[0], self.headers.get("X-AnchorMailbox") or "")
            if how is not None:
                self.hang_up()
                return
            self.reply(200, answer)

        def is_let_in(self) -> bool:
            given = self.headers.get("Authorization") or ""
            if not server.ntlm:
                expected = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
                if given == f"Basic {expected}":
                    return True
                self.reply(401, WWW_Authenticate='Basic realm="home.test"')
                return False
            if self.handshake is not None and self.handshake.complete:
                return True  # NTLM signs a connection in, not a request
            scheme, _, token = given.partition(" ")
            answer = b""
            if scheme == "NTLM":
                options = spnego.NegotiateOptions.use_ntlm
                self.handshake = self.handshake or spnego.server(protocol="ntlm", options=options)
                try:
                    answer = self.handshake.step(base64.b64decode(token)) or b""
                except spnego.exceptions.SpnegoError:
                    self.handshake = None
                if self.handshake is not None and self.handshake.complete:
                    return True
            said = f"NTLM {base64.b64encode(answer).decode()}" if answer else "Negotiate, NTLM"
            self.reply(401, WWW_Authenticate=said)
            return False

        def fault(self, operation: str) -> Fault | None:
            with server.lock:
                for each in server.faults:
                    if each.operation in ("", operation) and each.times > 0:
                        if each.skip:
                            each.skip -= 1
                            continue
                        each.times -= 1
                        return each
            return None

        def fail(self, fault: Fault, operation: str) -> None:
            if fault.how == "401":
                self.reply(401, WWW_Authenticate='Basic realm="home.test"')
            elif fault.how == "503":
                self.reply(503, b"down", Retry_After="7")
            elif fault.how == "cut":
                self.hang_up()
            elif fault.how == "garbage":
                self.reply(200, b"<html>Welcome to the captive portal")
            elif fault.how == "slow":
                time.sleep(3)  # longer than the test's client waits
            elif fault.how == "ErrorServerBusy":
                self.reply(500, _busy(fault.back_off_ms))
            else:
                self.reply(200, _response(operation, _error(fault.how, operation)))

    return Handler
