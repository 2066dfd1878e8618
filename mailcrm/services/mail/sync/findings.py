"""What a verification found, in plain words (B01): read from the report that `verify.py` leaves in the mailbox's row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailcrm.models import Mailbox
from mailcrm.services import i18n


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of difference that a verification found, in a sentence; `mended` of `count` are."""

    kind: str
    count: int
    mended: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The comparison with the server: "none", "waiting", "running" (done of total), "sound", "mended" or "failed".

    "sound": nothing differed. "failed": something could not be mended, or the server could not be asked (`error`).
    """

    state: str
    done: int = 0
    total: int = 0
    finished_at: datetime | None = None
    checked: int = 0
    findings: tuple[Finding, ...] = ()
    error: str = ""


def of_mailbox(mailbox: Mailbox, language: str, now: datetime) -> Verification:
    """Read a mailbox's verification from its row, its findings in words."""
    report = mailbox.verify_report
    findings = tuple(
        Finding(kind, found["count"], found["mended"], sentence(kind, found["count"], found["mended"], language))
        for kind, found in report.get("findings", {}).items()
    )
    error = i18n.kept_sentence(str(report.get("error", "")), report.get("params", {}), language)
    finished = report.get("finished_at")
    state = str(report.get("state", "none"))
    if mailbox.verify_until is not None and mailbox.verify_until > now:
        state = "running"
    elif mailbox.verify_requested_at is not None:
        state = "waiting"
    return Verification(
        state=state,
        done=mailbox.verify_done,
        total=mailbox.verify_total,
        finished_at=datetime.fromisoformat(finished) if finished else None,
        checked=int(report.get("checked", 0)),
        findings=findings,
        error=error,
    )


def sentence(kind: str, count: int, mended: int, language: str) -> str:
    """Say a kind of difference in plain words; what could not be mended is said after it."""
    said = {
        "missing": i18n.ngettext(
            language, "One email on the server was missing here.", "{n} emails on the server were missing here.", count
        ),
        "surplus": i18n.ngettext(
            language,
            "One email was noted here that the server no longer has.",
            "{n} emails were noted here that the server no longer has.",
            count,
        ),
        "wrong": i18n.ngettext(
            language,
            "One email here was not the one on the server.",
            "{n} emails here were not the ones on the server.",
            count,
        ),
        "unreadable": i18n.ngettext(
            language,
            "The stored copy of one email was damaged.",
            "The stored copies of {n} emails were damaged.",
            count,
        ),
        "twice": i18n.ngettext(
            language, "One email was counted twice.", "{n} emails were counted twice.", count
        ),
        "cursor": i18n.ngettext(
            language,
            "The place up to which a folder was read was wrong.",
            "The places up to which {n} folders were read were wrong.",
            count,
        ),
        "gone": i18n.ngettext(
            language,
            "One email was marked as deleted although the server has it.",
            "{n} emails were marked as deleted although the server has them.",
            count,
        ),
        "renewed": i18n.ngettext(
            language,
            "A folder was numbered anew on the server; it is compared after the next sync.",
            "{n} folders were numbered anew on the server; they are compared after the next sync.",
            count,
        ),
        "doubtful": i18n.ngettext(
            language,
            "The server’s answers about one folder disagree, so it was left as it is.",
            "The server’s answers about {n} folders disagree, so they were left as they are.",
            count,
        ),
    }  # fmt: skip
    words = said.get(kind) or i18n.ngettext(language, "One difference.", "{n} differences.", count)
    left = count - mended
    if left and kind not in ("renewed", "doubtful"):
        words += " " + i18n.ngettext(language, "One could not be mended.", "{n} could not be mended.", left)
    return words
