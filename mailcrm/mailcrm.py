"""The composition root: the app, its pages, its routes, its one background task. No logic."""

import reflex as rx
from starlette.applications import Starlette
from starlette.routing import Mount

from mailcrm import routes
from mailcrm.endpoints import api as rest
from mailcrm.endpoints import auth, health, messages, quarantine, tracking
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.pages import deal, deals, mail, people, person, settings_people, settings_profile, settings_sync, welcome
from mailcrm.state.bell import BellState
from mailcrm.state.board import BoardState
from mailcrm.state.deal import DealState
from mailcrm.state.inbox import InboxState
from mailcrm.state.live import notifier
from mailcrm.state.nav import NavState
from mailcrm.state.people import PeopleState
from mailcrm.state.person import PersonState
from mailcrm.state.profile import ProfileState
from mailcrm.state.session import Gate, show_error
from mailcrm.state.settings import MailboxesState
from mailcrm.state.team import TeamState
from mailcrm.state.welcome import WelcomeState

FRAME = [NavState.load, BellState.refresh]
#: path -> (component, what it loads)
PAGES = {
    routes.ROOT: (mail.inbox, [*FRAME, InboxState.open_page]),
    routes.INBOX: (mail.inbox, [*FRAME, InboxState.open_page]),
    routes.DRAFTS: (mail.drafts, [*FRAME, InboxState.open_page]),
    routes.OUTBOX: (mail.outbox, [*FRAME, InboxState.open_page]),
    routes.SENT: (mail.sent, [*FRAME, InboxState.open_page]),
    routes.ARCHIVE: (mail.archive, [*FRAME, InboxState.open_page]),
    routes.THREAD: (mail.thread, [*FRAME, InboxState.open_page]),
    routes.DEALS: (deals.deals, [*FRAME, BoardState.open_page]),
    routes.DEAL: (deal.deal, [*FRAME, DealState.open_page]),
    routes.PEOPLE: (people.people, [*FRAME, PeopleState.open_page]),
    routes.PERSON: (person.person, [*FRAME, PersonState.open_page]),
    routes.SETTINGS: (settings_sync.settings_sync, [*FRAME, MailboxesState.load]),
    routes.SETTINGS_SYNC: (settings_sync.settings_sync, [*FRAME, MailboxesState.load]),
    routes.SETTINGS_PEOPLE: (settings_people.settings_people, [*FRAME, TeamState.load]),
    routes.SETTINGS_PROFILE: (settings_profile.settings_profile, [*FRAME, ProfileState.load]),
    routes.LOGIN: (welcome.login, [WelcomeState.open_login]),
    routes.SETUP: (welcome.setup, [WelcomeState.open_setup]),
    routes.INVITE: (welcome.invite, [WelcomeState.open_invite]),
}

api = Starlette(
    routes=[
        *auth.ROUTES,
        *health.routes,
        *messages.ROUTES,
        *quarantine.ROUTES,
        *tracking.ROUTES,
        Mount(rest.PREFIX, rest.app),
    ]
)

app = rx.App(
    stylesheets=["tokens.css", "app.css", "pages.css"],
    head_components=[
        rx.el.link(rel="icon", type="image/svg+xml", href="/favicon.svg"),
        rx.el.script(src="/keys.js", defer=True),
        rx.el.meta(name="color-scheme", content="light dark"),
    ],
    html_lang="en",
    toaster=rx.toast.provider(position="bottom-left", visible_toasts=3),
    api_transformer=[api, SecurityHeaders],
    backend_exception_handler=show_error,
)
for path, (page, on_load) in PAGES.items():
    app.add_page(page, route=path, title="mailcrm", on_load=on_load)
app.add_middleware(Gate(), index=0)


@app.register_lifespan_task
async def live():
    """Push changes to open tabs."""
    await notifier(app)
