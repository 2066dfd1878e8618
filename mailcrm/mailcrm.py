"""The composition root: the app, its pages, its routes, its one background task. No logic."""

import reflex as rx
from starlette.applications import Starlette
from starlette.routing import Mount

from mailcrm import routes
from mailcrm.build import with_gallery
from mailcrm.endpoints import api as rest
from mailcrm.endpoints import (
    auth,
    confirming,
    drafts,
    health,
    kept,
    messages,
    oauth,
    optout,
    personal,
    quarantine,
    reading,
    reports,
    tracking,
    transfer,
)
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.gallery import gallery
from mailcrm.pages import (
    deal,
    deals,
    leads,
    mail,
    not_found,
    organization,
    organizations,
    people,
    person,
    settings_account,
    settings_audit,
    settings_bcc,
    settings_import,
    settings_notifications,
    settings_people,
    settings_pipelines,
    settings_profile,
    settings_records,
    settings_signatures,
    settings_sync,
    settings_tracking,
    settings_trash,
    settings_webhooks,
    templates,
    tracking_report,
    welcome,
    welcome_back,
)
from mailcrm.state.account import AccountState
from mailcrm.state.audit_log import AuditLogState
from mailcrm.state.bcc_address import BccAddressState
from mailcrm.state.bell import BellState
from mailcrm.state.blocking import BlockingState
from mailcrm.state.board import BoardState
from mailcrm.state.composer import ComposerState
from mailcrm.state.connect import ConnectState
from mailcrm.state.deal import DealState
from mailcrm.state.deal_table import TableState
from mailcrm.state.filtering import FilterState
from mailcrm.state.importing import ImportState
from mailcrm.state.inbox import InboxState
from mailcrm.state.leads import LeadsState
from mailcrm.state.live import notifier
from mailcrm.state.nav import NavState
from mailcrm.state.notifying import NotifyingState
from mailcrm.state.organization import OrganizationState
from mailcrm.state.organizations import OrganizationsState
from mailcrm.state.people import PeopleState
from mailcrm.state.person import PersonState
from mailcrm.state.profile import ProfileState
from mailcrm.state.record import RecordState
from mailcrm.state.remote_images import RemoteImagesState
from mailcrm.state.session import Gate, show_error
from mailcrm.state.settings import MailboxesState
from mailcrm.state.settings_pipelines import PipelinesState
from mailcrm.state.settings_records import RecordsSettingsState
from mailcrm.state.signatures import SignaturesState
from mailcrm.state.smart_bcc import SmartBccState
from mailcrm.state.strangers import forget_when_they_leave
from mailcrm.state.team import TeamState
from mailcrm.state.teams import TeamsState
from mailcrm.state.templates import TemplatesState
from mailcrm.state.timeline import TimelineState
from mailcrm.state.tracking_policy import TrackingPolicyState
from mailcrm.state.tracking_report import TrackingReportState
from mailcrm.state.trash import TrashState
from mailcrm.state.views import ViewsState
from mailcrm.state.webhooks import WebhooksState
from mailcrm.state.welcome import WelcomeState

FRAME = [NavState.load, BellState.refresh, ComposerState.arrive, ViewsState.load]
#: Rows first: a tab's events run one after the other, and the frame's figures take longer than a page of the list.
LIST = [InboxState.open_page, *FRAME, FilterState.load]
#: path -> (component, what it loads)
PAGES = {
    routes.ROOT: (mail.inbox, LIST),
    routes.INBOX: (mail.inbox, LIST),
    routes.DRAFTS: (mail.drafts, LIST),
    routes.OUTBOX: (mail.outbox, LIST),
    routes.SENT: (mail.sent, LIST),
    routes.ARCHIVE: (mail.archive, LIST),
    routes.THREAD: (mail.thread, LIST),
    routes.DEALS: (deals.deals, [*FRAME, BoardState.open_page, TableState.open_page]),
    routes.DEAL: (
        deal.deal,
        [*FRAME, DealState.open_page, TimelineState.open_page, RecordState.open_page, BccAddressState.open_page],
    ),
    routes.LEADS: (leads.leads, [*FRAME, LeadsState.open_page]),
    routes.LEAD: (
        leads.leads,
        [*FRAME, LeadsState.open_page, TimelineState.open_page, RecordState.open_page, BccAddressState.open_page],
    ),
    routes.PEOPLE: (people.people, [*FRAME, PeopleState.open_page]),
    routes.PERSON: (person.person, [*FRAME, PersonState.open_page, TimelineState.open_page, RecordState.open_page]),
    routes.ORGANIZATIONS: (organizations.organizations, [*FRAME, OrganizationsState.open_page]),
    routes.ORGANIZATION: (
        organization.organization,
        [*FRAME, OrganizationState.open_page, TimelineState.open_page, RecordState.open_page],
    ),
    routes.TEMPLATES: (templates.templates, [*FRAME, TemplatesState.open_page]),
    routes.REPORT_TRACKING: (tracking_report.tracking_report, [*FRAME, TrackingReportState.open_page]),
    routes.SETTINGS: (
        settings_sync.settings_sync,
        [*FRAME, MailboxesState.load, ConnectState.arrive, BlockingState.load],
    ),
    routes.SETTINGS_SYNC: (
        settings_sync.settings_sync,
        [*FRAME, MailboxesState.load, ConnectState.arrive, BlockingState.load],
    ),
    routes.SETTINGS_BCC: (settings_bcc.settings_bcc, [*FRAME, SmartBccState.load]),
    routes.SETTINGS_SIGNATURES: (settings_signatures.settings_signatures, [*FRAME, SignaturesState.load]),
    routes.SETTINGS_PEOPLE: (settings_people.settings_people, [*FRAME, TeamState.load, TeamsState.load]),
    routes.SETTINGS_IMPORT: (settings_import.settings_import, [*FRAME, ImportState.open_page]),
    routes.SETTINGS_PIPELINES: (settings_pipelines.settings_pipelines, [*FRAME, PipelinesState.load]),
    routes.SETTINGS_RECORDS: (settings_records.settings_records, [*FRAME, RecordsSettingsState.load]),
    routes.SETTINGS_TRASH: (settings_trash.settings_trash, [*FRAME, TrashState.load]),
    routes.SETTINGS_NOTIFICATIONS: (settings_notifications.settings_notifications, [*FRAME, NotifyingState.load]),
    routes.SETTINGS_TRACKING: (settings_tracking.settings_tracking, [*FRAME, TrackingPolicyState.load]),
    routes.SETTINGS_WEBHOOKS: (settings_webhooks.settings_webhooks, [*FRAME, WebhooksState.load]),
    routes.SETTINGS_PROFILE: (settings_profile.settings_profile, [*FRAME, ProfileState.load, RemoteImagesState.load]),
    routes.SETTINGS_ACCOUNT: (settings_account.settings_account, [*FRAME, AccountState.load]),
    routes.SETTINGS_AUDIT: (settings_audit.settings_audit, [*FRAME, AuditLogState.load]),
    routes.LOGIN_CODE: (welcome_back.login_code, [WelcomeState.open_code]),
    routes.FORGOT: (welcome_back.forgot, [WelcomeState.open_forgot]),
    routes.RESET: (welcome_back.reset, [WelcomeState.open_reset]),
    routes.LOGIN: (welcome.login, [WelcomeState.open_login]),
    routes.SETUP: (welcome.setup, [WelcomeState.open_setup]),
    routes.INVITE: (welcome.invite, [WelcomeState.open_invite]),
}

api = Starlette(
    routes=[
        *tracking.ROUTES,  # asked most
        *auth.ROUTES,
        *confirming.ROUTES,
        *health.routes,
        *messages.ROUTES,
        *reading.ROUTES,
        *drafts.ROUTES,
        *kept.ROUTES,
        *oauth.ROUTES,
        *quarantine.ROUTES,
        *reports.ROUTES,
        *optout.ROUTES,
        *personal.ROUTES,
        *transfer.ROUTES,
        Mount(rest.PREFIX, rest.app),
    ]
)

app = rx.App(
    stylesheets=[
        "tokens.css",
        "app.css",
        "pages.css",
        "editor.css",
        "tracking.css",
        "reading.css",
        "inbox.css",
        "density.css",
    ],
    head_components=[
        rx.el.link(rel="icon", type="image/svg+xml", href="/favicon.svg"),
        rx.el.script(src="/density.js"),
        rx.el.script(src="/keys.js", defer=True),
        rx.el.script(src="/reading.js", defer=True),
        rx.el.script(src="/board.js", defer=True),
        rx.el.script(src="/dates.js", defer=True),
        rx.el.meta(name="color-scheme", content="light dark"),
    ],
    html_lang="en",
    toaster=rx.toast.provider(position="bottom-left", visible_toasts=3),
    api_transformer=[api, SecurityHeaders],
    backend_exception_handler=show_error,
)
app.app_wraps.pop((5, "Overlay"))  # Reflex's own words about a lost connection; the shell has a banner (DESIGN.md §2)
for path, (page, on_load) in PAGES.items():
    app.add_page(page, route=path, title="mailcrm", on_load=on_load)
app.add_page(not_found.not_found, route="404", title="mailcrm")
if with_gallery():
    app.add_page(gallery, route="/gallery", title="mailcrm")
app.add_middleware(Gate(), index=0)
forget_when_they_leave(app)


app.register_lifespan_task(tracking.recording)


@app.register_lifespan_task
async def live():
    """Push changes to open tabs."""
    await notifier(app)
