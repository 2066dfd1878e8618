"""Folder roles: RFC 6154 attributes before names, each role once (providers.md section 7)."""

from mailcrm.services.mail.imap.folder_names import NAMES
from mailcrm.services.mail.imap.folders import folded, with_roles


def roles(*listed: tuple[tuple[str, ...], str | None, str]) -> dict[str, str | None]:
    return {folder.name: folder.role for folder in with_roles(listed)}


def test_an_attribute_beats_a_name() -> None:
    assert roles(((), "/", "Sent"), (("\\Sent",), "/", "Envoyes 2024")) == {"Sent": None, "Envoyes 2024": "sent"}


def test_names_in_other_languages_and_below_inbox() -> None:
    assert roles(
        ((), ".", "INBOX"), ((), ".", "INBOX.Gesendete Elemente"), ((), ".", "ゴミ箱"), ((), ".", "INBOX.Sent")
    ) == {"INBOX": "inbox", "INBOX.Gesendete Elemente": "sent", "ゴミ箱": "trash", "INBOX.Sent": None}


def test_gmails_folders() -> None:
    found = with_roles(
        [
            (("\\HasNoChildren",), "/", "INBOX"),
            (("\\HasChildren", "\\Noselect"), "/", "[Gmail]"),
            (("\\All", "\\HasNoChildren"), "/", "[Gmail]/All Mail"),
            (("\\HasNoChildren", "\\Junk"), "/", "[Gmail]/Spam"),
        ]
    )
    assert [(f.role, f.selectable) for f in found] == [("inbox", True), (None, False), ("all", True), ("junk", True)]


def test_a_folder_that_only_looks_like_it_is_no_inbox() -> None:
    assert roles(((), "/", "Old/INBOX"), (("\\Inbox",), "/", "x")) == {"Old/INBOX": None, "x": None}


def test_names_of_the_providers() -> None:
    """providers.md section 3: what they call theirs, in their languages, decoded from modified UTF-7."""
    for name, role in {
        "Sent Messages": "sent", "Deleted Messages": "trash", "Sent Items": "sent", "Deleted Items": "trash",
        "Junk Email": "junk", "Bulk Mail": "junk", "Bulk": "junk", "Draft": "drafts", "Junk E-mail": "junk",
        "草稿箱": "drafts", "已发送": "sent", "已删除": "trash", "垃圾邮件": "junk", "Gesendet": "sent", "Entwürfe": "drafts",
        "Papierkorb": "trash", "Spamverdacht": "junk", "Отправленные": "sent", "Корзина": "trash", "Спам": "junk",
        "送信済みアイテム": "sent", "迷惑メール": "junk", "下書き": "drafts", "보낸메일함": "sent", "휴지통": "trash",
        "Éléments envoyés": "sent", "E\u0301le\u0301ments supprime\u0301s": "trash", "ÉLÉMENTS ENVOYÉS": "sent",
        "ｺﾞﾐ箱": "trash", "Gönderilmiş Öğeler": "sent", "Lähetetyt": "sent", "Wersje robocze": "drafts",
    }.items():  # fmt: skip
        assert roles(((), "/", name)) == {name: role}, name
        assert roles(((), ".", f"INBOX.{name}")) == {f"INBOX.{name}": role}, name


def test_an_outbox_is_not_sent_mail_and_a_to_do_list_is_not_all_mail() -> None:
    for name in ("Outbox", "Postausgang", "送信トレイ", "Todo", "Projects"):
        assert roles(((), "/", name)) == {name: None}


def test_no_name_has_two_roles() -> None:
    spelled = [(folded(name), role) for role, names in NAMES.items() for name in names.split(", ")]
    assert len(dict(spelled)) == len({name for name, _ in spelled}) == len(set(spelled))
    assert all(name and name == name.strip() for name, _ in spelled)


def test_attributes_of_xlist() -> None:
    """Yandex and Netease tell uses only there."""
    assert roles((("\\AllMail",), "|", "x"), (("\\Spam",), "|", "y"), (("\\Starred",), "|", "z")) == {
        "x": "all", "y": "junk", "z": "flagged",
    }  # fmt: skip
