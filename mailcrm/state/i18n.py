"""The interface's words in the browser: one table of texts, and `tr` to look one up while a page is compiled.

English is baked into the build; another language arrives as one delta when it is chosen. `tr("Inbox")` is a Var.
Server-made texts (times, toasts) use services/i18n.py with the same catalogues.
"""

from typing import Any

import reflex as rx

from mailcrm.services.i18n import LANGUAGES, catalogue

__all__ = ["LANGUAGES", "I18nState", "tr", "trn"]


class I18nState(rx.State):
    """The texts of the chosen language."""

    t: dict[str, str] = catalogue("en")
    language: str = "en"

    def _use(self, language: str) -> bool:
        """Switch the tab's language; True when that changed anything."""
        if language not in LANGUAGES or language == self.language:
            return False
        self.language = language
        self.t = catalogue(language)
        return True


def tr(msgid: str, **params: Any) -> rx.Var[str]:
    """Return the text of `msgid` as a Var, with `{name}` parameters filled on the client."""
    text = I18nState.t[msgid].to(str)  # pyright: ignore[reportAttributeAccessIssue]
    for name, value in params.items():
        filled = value if isinstance(value, rx.Var) else rx.Var.create(str(value))
        text = text.replace("{" + name + "}", filled.to_string(use_json=False))
    return text


def trn(one: str, many: str, n: rx.Var[int], **params: Any) -> rx.Var[str]:
    """Return the text for a number that only the client knows; both may name `{n}`."""
    return rx.cond(n == 1, tr(one, n=n, **params), tr(many, n=n, **params))
