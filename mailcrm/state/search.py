"""The search box of the shell: it opens the inbox list with a query in the address."""

from urllib.parse import quote

import reflex as rx

from mailcrm import routes
from mailcrm.state.coerce import as_form


class SearchState(rx.State):
    """What was searched for."""

    query: str = ""

    @rx.event
    async def search(self, form: dict):
        """Show the conversations that match."""
        self.query = as_form(form).get("query", "").strip()[:200]
        return rx.redirect(f"{routes.INBOX}?q={quote(self.query)}" if self.query else routes.INBOX)
