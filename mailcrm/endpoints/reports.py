"""The tracking report's emails as CSV.

    GET /reports/tracking.csv?days=28&mailbox=1&member=2   what the session's user may see; excel=1 marks it as UTF-8

Does not count and does not decide who may see what: services/tracking/report_export.py does.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailcrm.endpoints.transfer import as_csv
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.crm.transfer.formulas import neutral
from mailcrm.services.i18n import gettext, sentence, sentence_of
from mailcrm.services.tracking.report_export import Sent, export
from mailcrm.services.tracking.report_views import Scope

_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


async def tracking(request: Request) -> Response:
    """Answer the tracked emails of a period."""
    cookie = request.headers.get("cookie", "")
    asked = request.query_params
    scope = Scope(
        _number(asked.get("days", "28")), _number(asked.get("mailbox", "0")), _number(asked.get("member", "0"))
    )

    def work() -> Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return PlainTextResponse(sentence_of("auth.signed_out", "en"), 401, headers=_HEADERS)
        try:
            found = export(actor, scope)
        except MailcrmError as error:
            return PlainTextResponse(sentence(error, actor.language), 404, headers=_HEADERS)
        return as_csv(_written(actor, found, bom=asked.get("excel") == "1"), "tracking.csv")

    return await asyncio.to_thread(work)


ROUTES = [Route("/reports/tracking.csv", tracking, methods=["GET"])]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else -1


def _written(actor: Actor, found: Iterator[Sent], *, bom: bool) -> Iterator[bytes]:
    """Write lines as RFC 4180; times are the reader's, with their offset."""
    zone, words = i18n.zone(actor.time_zone), actor.language
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def taken() -> bytes:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text.encode()

    def at(moment: datetime | None) -> str:
        return moment.astimezone(zone).isoformat(timespec="seconds") if moment else ""

    writer.writerow(
        [
            gettext(words, "Sent"),
            gettext(words, "Team member"),
            gettext(words, "To"),
            gettext(words, "Subject"),
            gettext(words, "Opens"),
            gettext(words, "Clicks"),
            gettext(words, "First opened"),
            gettext(words, "Last opened"),
            gettext(words, "Last clicked"),
            gettext(words, "Answered"),
            gettext(words, "Opens recorded"),
            gettext(words, "Clicks recorded"),
        ]
    )
    yield (b"\xef\xbb\xbf" if bom else b"") + taken()
    for row in found:
        writer.writerow(
            [
                at(row.sent_at), neutral(row.member), neutral(row.recipients), neutral(row.subject), row.opens,
                row.clicks, at(row.first_opened_at), at(row.last_opened_at), at(row.last_clicked_at),
                at(row.replied_at), row.recorded_opens, row.recorded_clicks,
            ]
        )  # fmt: skip
        yield taken()
