"""What the folders of a mailbox are for: RFC 6154 attributes first, well-known names after. Pure.

Names are matched decoded, case-folded and without the namespace prefix (providers.md section 7). Does not talk to a
server; modified UTF-7 is decoded by IMAPClient, which keeps names it can't decode as they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mailcrm.services.mail.imap.listing import FolderStatus

FolderRole = Literal["inbox", "sent", "drafts", "archive", "all", "junk", "trash"]

_ATTRIBUTES: dict[str, FolderRole] = {
    "\\inbox": "inbox",
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\trash": "trash",
}

_NAMES: dict[FolderRole, tuple[str, ...]] = {
    "sent": (
        "sent",
        "sent items",
        "sent mail",
        "sent messages",
        "outbox sent",
        "gesendet",
        "gesendete elemente",
        "gesendete objekte",
        "envoyés",
        "messages envoyés",
        "éléments envoyés",
        "enviados",
        "elementos enviados",
        "posta inviata",
        "inviati",
        "verzonden",
        "skickat",
        "sendt",
        "wysłane",
        "отправленные",
        "gönderilmiş öğeler",
        "送信済み",
        "送信済みメール",
        "送信済みアイテム",
        "已发送",
        "已发送邮件",
        "寄件備份",
        "보낸편지함",
        "المرسلة",
    ),
    "drafts": (
        "drafts",
        "draft",
        "entwürfe",
        "brouillons",
        "borradores",
        "rascunhos",
        "bozze",
        "concepten",
        "utkast",
        "kladder",
        "szkice",
        "черновики",
        "taslaklar",
        "下書き",
        "草稿",
        "草稿箱",
        "임시보관함",
        "المسودات",
    ),
    "archive": (
        "archive",
        "archives",
        "archiv",
        "archivo",
        "arquivo",
        "archivio",
        "archief",
        "arkiv",
        "архив",
        "arşiv",
        "アーカイブ",
        "归档",
        "封存",
        "보관함",
    ),
    "junk": (
        "junk",
        "spam",
        "junk email",
        "junk e-mail",
        "bulk mail",
        "bulk",
        "courrier indésirable",
        "indésirables",
        "correo no deseado",
        "lixo eletrônico",
        "posta indesiderata",
        "ongewenst",
        "skräppost",
        "спам",
        "gereksiz",
        "迷惑メール",
        "垃圾邮件",
        "垃圾郵件",
        "스팸메일함",
    ),
    "trash": (
        "trash",
        "deleted items",
        "deleted messages",
        "deleted",
        "bin",
        "papierkorb",
        "gelöschte elemente",
        "gelöschte objekte",
        "corbeille",
        "éléments supprimés",
        "papelera",
        "lixeira",
        "cestino",
        "prullenbak",
        "papperskorgen",
        "papirkurv",
        "kosz",
        "корзина",
        "çöp kutusu",
        "ゴミ箱",
        "削除済みアイテム",
        "已删除",
        "垃圾桶",
        "휴지통",
    ),
    "all": ("all mail", "alle nachrichten", "tous les messages", "todos", "すべてのメール"),
}
_ROLE_OF_NAME: dict[str, FolderRole] = {name: role for role, names in _NAMES.items() for name in names}
_PREFIXES = ("inbox", "[gmail]", "[imap]", "[google mail]")


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder as the server lists it; RFC 3501 calls it a mailbox.

    `name` is decoded for people and is what the other calls take; `delimiter` is None in flat namespaces. `status` is
    there when the server told it with the listing.
    """

    name: str
    delimiter: str | None
    role: FolderRole | None
    selectable: bool
    status: FolderStatus | None = None


def _plain_name(name: str, delimiter: str | None) -> str:
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    if delimiter:
        head, found, tail = text.partition(delimiter)
        if found and head in _PREFIXES:
            return tail
    return text


def with_roles(listed: Iterable[tuple[tuple[str, ...], str | None, str]]) -> list[RemoteFolder]:
    """Return folders with their roles from (attributes, delimiter, name) triples, in the order given.

    Each role is given once: to the folder whose attribute claims it, else to the first whose name suggests it.
    """
    rows = [({a.casefold() for a in attributes}, delimiter, name) for attributes, delimiter, name in listed]
    roles: dict[int, FolderRole] = {}
    for n, (attributes, _, name) in enumerate(rows):
        if name.upper() == "INBOX":
            roles[n] = "inbox"
        else:
            for attribute in sorted(attributes):
                role = _ATTRIBUTES.get(attribute)
                if role and role != "inbox" and role not in roles.values():
                    roles[n] = role
                    break
    for n, (_, delimiter, name) in enumerate(rows):
        role = _ROLE_OF_NAME.get(_plain_name(name, delimiter))
        if n not in roles and role and role not in roles.values():
            roles[n] = role
    return [
        RemoteFolder(name, delimiter, roles.get(n), not attributes & {"\\noselect", "\\nonexistent"})
        for n, (attributes, delimiter, name) in enumerate(rows)
    ]
