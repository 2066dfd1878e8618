"""What the commands print: columns that stand under each other, and an error said once."""

from __future__ import annotations

import pytest

from mailcrm.cli import common, ledger


def test_columns_stand_under_each_other_in_any_script(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of a Japanese mailbox takes two columns a character, a mark that combines none (B07)."""
    names = ("INBOX", "お客様/見積", "Bu\u0308sum", "Büsum")
    common.show([{"folder": name, "server": 12} for name in names], as_json=False)
    header, *lines = capsys.readouterr().out.splitlines()
    width = header.index("server")
    for name, line in zip(names, lines, strict=True):
        wide = sum(each in "お客様見積" for each in name) - name.count("\u0308")
        assert line == name + " " * (width - len(name) - wide) + "12"


def test_an_error_of_the_whole_mailbox_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """M31: ten folders behind a server that is down are one sentence, not ten; --json has it in each line."""
    lines = [dict.fromkeys(ledger.COLUMNS, 1) | {"mailbox": "a@b", "error": "It is down."} for _ in range(3)]
    ledger.table([*lines, lines[0] | {"mailbox": "c@d"}, lines[0] | {"error": ""}])
    errors = [line[2:].split("  ")[-1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert errors == ["It is down.", "the same", "the same", "It is down.", "-"]
