"""Writes docs/providers.md: the provider table with the marks of the contract suite's last run.

    pytest tests/integration/providers/test_contract.py --junitxml=results.xml
    python -m tests.integration.providers.marks results.xml

A mark is what the results say and nothing else; a row that was not run has none.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from mailcrm.services.mail.providers import table
from tests.integration.providers.scripts import spoken

DOCS = Path(__file__).parents[3] / "docs" / "providers.md"
COLUMNS = ("sign_in", "refusals", "folders", "sync", "sent_copy", "limits", "trouble")
HEADS = ("Sign-in", "Refusals", "Folders", "Sync", "Sent copy", "Limits", "Trouble")
SIGN_IN = {
    "google": "Sign in with Google", "microsoft": "Sign in with Microsoft", "app_password": "App password",
    "password": "Password", "code": "Authorisation code",
}  # fmt: skip
BEGIN, END = "<!-- marks: begin -->", "<!-- marks: end -->"
_CASE = re.compile(r"test_(\w+)\[(\w+)\]")


def results(path: Path) -> dict[tuple[str, str], str]:
    """Return the mark of each (row, column) that was run: "✓" or "✗"."""
    found: dict[tuple[str, str], str] = {}
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314  (our own file)
        named = _CASE.fullmatch(case.get("name", ""))
        if named and named[1] in COLUMNS:
            bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
            found[named[2], named[1]] = "✗" if bad else "✓"
    return found


def printed(marks: dict[tuple[str, str], str]) -> str:
    """Return the two tables: what is known of each provider, and how its contract went."""
    lines = [
        "| # | Provider | Sign-in | IMAP | SMTP | Sent copy by itself | Not sure of |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(table.providers(), key=lambda each: each.system):
        ways = ", ".join(SIGN_IN[each] for each in row.auth)
        imap, smtp = (f"{w.host or 'its own'}:{w.port}" for w in (row.imap, row.smtp))
        lines.append(
            f"| {row.system} | {row.title} | {ways} | {imap} | {smtp} | {row.bears.saves_sent} | {row.unsure} |"
        )
    lines += ["", "| Provider | Server’s words | " + " | ".join(HEADS) + " |", "|---|---|" + "---|" * len(HEADS)]
    for row in sorted(table.providers(), key=lambda each: each.system):
        words = "recorded" if spoken(row.key).recorded else "assumed"
        cells = " | ".join(marks.get((row.key, column), "") for column in COLUMNS)
        lines.append(f"| {row.title} | {words} | {cells} |")
    passed, run = sum(mark == "✓" for mark in marks.values()), len(marks)
    return "\n".join([*lines, "", f"{passed} of {run} passed."])


def main() -> None:
    """Write the tables between the marks of docs/providers.md."""
    text = DOCS.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    DOCS.write_text(f"{head}{BEGIN}\n{printed(results(Path(sys.argv[1])))}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
