"""The line below tracked mail that says so and leads to the opt-out page (T09). Pure: no database, no clock.

It comes after the quoted part, at the very end, in HTML and in plain text; its link is never a tracked one.
"""

from __future__ import annotations

import html as entities

from mailcrm.services.i18n import N_, gettext

#: What TRACKED mail is known by, so that it is not quoted again (mail/outbox/quote strips it).
CLASS = "mailcrm-tracking-footer"
_SAYS = N_("The sender can see when this email is opened and which links are followed.")
_LINK = N_("Turn this off")


def with_footer(html: str, text: str, link: str, language: str) -> tuple[str, str]:
    """Return a document and its plain text with the line at their ends."""
    says, label = gettext(language, _SAYS), gettext(language, _LINK)
    block = (
        f'<p class="{CLASS}" style="margin:1.6em 0 0;font-size:12px;color:#60646c">{entities.escape(says)} '
        f'<a href="{entities.escape(link)}" style="color:#60646c">{entities.escape(label)}</a></p>'
    )
    at = html.lower().rfind("</body>")
    at = at if at >= 0 else len(html)
    return html[:at] + block + html[at:], f"{text.rstrip()}\n\n{says}\n{label}: {link}\n"
