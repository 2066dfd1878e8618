"""Folder roles: RFC 6154 attributes before names, each role once (providers.md section 7)."""

from mailcrm.services.mail.imap.folders import with_roles


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
