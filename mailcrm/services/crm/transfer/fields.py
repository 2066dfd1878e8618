"""What a column can become, and how the columns of known exports are called: Pipedrive's, ours, in English and Japanese.

Pure. Pipedrive heads its columns "Person - Email - Work" in exports of a list and "Email - Work" in others, "Deal - Deal
created", and marks required ones with an asterisk in its templates; columns of the linked person or organization carry
that one's prefix. `recognise` only proposes; a person may choose otherwise for every column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcrm.services.i18n import N_

KINDS = ("person", "organization", "deal", "lead")
OWN_ID = "mailcrm ID"
#: Columns that the file of bad lines has more than the imported one; they are never imported.
BAD_LINE, BAD_REASON = "mailcrm line", "mailcrm problem"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a kind. `several`: values of several columns are put together; `names`: how columns are called."""

    key: str
    label: str
    names: str = ""
    several: bool = False


_OWNER = Field("owner", N_("Owner"), "owner|担当者|所有者|担当|オーナー|account owner|assigned to|assigned to user")
_LABEL = Field("label", N_("Labels"), "label|labels|tag|tags|ラベル|タグ", several=True)
_CREATED = Field(
    "created_at",
    N_("Created"),
    "created|created at|add time|creation date|creation time|created time|person created|organization created|"
    "organisation created|deal created|lead created|作成日|作成日時|登録日",
)
_ID = Field(
    "id",
    N_("ID in the other system"),
    "id|pipedrive system id|system id|external id|person id|deal id|lead id|organization id",
)
_OWN = Field("own_id", OWN_ID, OWN_ID.lower())
_ORGANIZATION = Field(
    "organization",
    N_("Organization"),
    "organization|organisation|organization name|organisation name|company|company name|organization.name|会社|会社名|組織|組織名|企業|企業名|取引先|所属",
)
_PERSON = Field(
    "person",
    N_("Contact person"),
    "contact person|person|contact|person name|contact name|person.name|連絡先|連絡担当者|担当者名|人物|先方担当者|顧客名",
)
_PERSON_ADDRESS = Field(
    "person_address",
    N_("Email of the contact person"),
    "person.email|person.email - work|person.email - home|person.email - other|email|email - work|e-mail|email address|contact email|person email|メール|メールアドレス",
    several=True,
)
_PERSON_ID = Field("person_id", N_("ID of the contact person"), "person.id|person.pipedrive system id")
_ORGANIZATION_ID = Field(
    "organization_id", N_("ID of the organization"), "organization.id|organization.pipedrive system id"
)
_TITLE = Field(
    "title", N_("Title"), "title|deal|deal title|deal name|lead|lead title|タイトル|件名|商談名|案件名|取引名|リード名"
)
_VALUE = Field("value", N_("Value"), "value|amount|deal value|lead value|値|金額|価格|商談金額")
_CURRENCY = Field("currency", N_("Currency"), "currency|currency of value|value currency|通貨")

FIELDS: dict[str, tuple[Field, ...]] = {
    "person": (
        Field("name", N_("Name"), "name|full name|display name|contact|contact name|person name|名前|氏名|お名前|名称|姓名|連絡先名"),
        Field("first_name", N_("First name"), "first name|given name|firstname|名|下の名前"),
        Field("last_name", N_("Last name"), "last name|family name|surname|lastname|姓|苗字|名字"),
        Field(
            "address",
            N_("Email addresses"),
            "email|e-mail|emails|email - work|email - home|email - other|email address|e-mail address|email 1|email 2|email 3|メール|メールアドレス|eメール|電子メール",
            several=True,
        ),
        Field(
            "phone",
            N_("Phone numbers"),
            "phone|phones|phone - work|phone - home|phone - mobile|phone - other|phone number|telephone|mobile|tel|電話|電話番号|携帯|携帯電話|連絡先電話番号",
            several=True,
        ),
        Field("job_title", N_("Job title"), "job title|position|role|title|役職|肩書|職位"),
        _ORGANIZATION,
        _ORGANIZATION_ID,
        _OWNER,
        _LABEL,
        _CREATED,
        _ID,
        _OWN,
    ),
    "organization": (
        Field("name", N_("Name"), "name|organization|organisation|organization name|company|company name|名前|名称|会社|会社名|組織|組織名|企業名|取引先名"),
        Field("domain", N_("Mail domains"), "domain|domains|mail domains|website|web|url|homepage|ドメイン|メールドメイン|ウェブサイト|ホームページ", several=True),
        Field("address", N_("Address"), "address|full/combined address of address|full address|postal address|住所|所在地"),
        _OWNER,
        _LABEL,
        _CREATED,
        _ID,
        _OWN,
    ),
    "deal": (
        _TITLE,
        _VALUE,
        _CURRENCY,
        Field("pipeline", N_("Pipeline"), "pipeline|pipeline name|パイプライン"),
        Field("stage", N_("Stage"), "stage|stage (pipeline)|deal stage|ステージ|段階|フェーズ"),
        Field("status", N_("Status"), "status|deal status|ステータス|状態"),
        Field("expected_close", N_("Expected close"), "expected close date|expected close|close date|closing date|expected closing date|完了予定日|クローズ予定日|受注予定日|予定日"),
        _PERSON,
        _PERSON_ADDRESS,
        _PERSON_ID,
        _ORGANIZATION,
        _ORGANIZATION_ID,
        _OWNER,
        _LABEL,
        _CREATED,
        Field("won_at", N_("Won on"), "won time|won on|won date|won|受注日|成約日|成立日"),
        Field("lost_at", N_("Lost on"), "lost time|lost on|lost date|失注日"),
        Field("closed_at", N_("Closed on"), "deal closed on|closed on|close time|closed at|closed|完了日|クローズ日"),
        Field("lost_reason", N_("Lost reason"), "lost reason|loss reason|reason|失注理由"),
        _ID,
        _OWN,
    ),
    "lead": (
        _TITLE,
        _VALUE,
        _CURRENCY,
        _PERSON,
        _PERSON_ADDRESS,
        _PERSON_ID,
        _ORGANIZATION,
        _ORGANIZATION_ID,
        _OWNER,
        _LABEL,
        Field("archived", N_("Archived"), "archived|archive status|is archived|アーカイブ"),
        _CREATED,
        _ID,
        _OWN,
    ),
}  # fmt: skip
#: The field without which a line can't become a row.
NAMED_BY = {"person": "name", "organization": "name", "deal": "title", "lead": "title"}
DAYS = ("expected_close",)
MOMENTS = ("created_at", "won_at", "lost_at", "closed_at")
_PREFIX = re.compile(r"(person|people|contact|organi[sz]ation|company|deal|lead) - (.+)")
_PREFIXES = {"people": "person", "contact": "person", "organisation": "organization", "company": "organization"}


def recognise(kind: str, names: Sequence[str], custom: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Propose what each column becomes: a field's key, "custom:7", or "" for nothing.

    `custom` has the names of the workspace's own fields with their ids. A field that takes one value is given to the
    first column that is called like it.
    """
    known = {name: field for field in FIELDS[kind] for name in field.names.split("|")}
    own = {_plain(name): number for name, number in (custom or {}).items()}
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        key = ""
        field = next((known[each] for each in _spellings(kind, name) if each in known), None)
        if field is not None and (field.several or field.key not in taken):
            key = field.key
        elif field is None and (spelling := next((each for each in _spellings(kind, name) if each in own), None)):
            key = f"custom:{own[spelling]}"
        if key in taken and not (field and field.several):
            key = ""
        taken.add(key)
        found.append(key)
    return tuple(found)


def is_pipedrive(names: Sequence[str]) -> bool:
    """Say whether a header is one of Pipedrive's: its columns carry what they are of."""
    return sum(bool(_PREFIX.fullmatch(_plain(name))) for name in names) >= 2


def is_own(names: Sequence[str]) -> bool:
    """Say whether mailcrm exported the file."""
    return OWN_ID.lower() in {_plain(name) for name in names}


def plain_name(kind: str, name: str) -> str:
    """Return a column's name without its kind before it, as a new field of the workspace's is called."""
    found = re.fullmatch(r"\s*(\w+) - (.+?)[\s*]*", name)
    return found[2] if found and _PREFIXES.get(found[1].lower(), found[1].lower()) == kind else name.strip("* ")


def label_of(kind: str, key: str) -> str:
    """Return the English label of a field, the key itself for one that is not ours."""
    return next((field.label for field in FIELDS[kind] if field.key == key), key)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKC", name.replace("_", " ")).casefold().strip("* \ufeff")
    return re.sub(r"\s*\((work|home|mobile|other)\)$", r" - \1", " ".join(text.split()))


def _spellings(kind: str, name: str) -> tuple[str, ...]:
    """A column's name as it is in the table: with its own kind's prefix taken off, another's made short."""
    plain = _plain(name)
    found = _PREFIX.fullmatch(plain)
    if not found:
        return (plain,)
    prefix = _PREFIXES.get(found[1], found[1])
    return (found[2],) if prefix == kind else (f"{prefix}.{found[2]}",)
