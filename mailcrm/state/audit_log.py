"""Settings › Audit log: who did what when, for administrators."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import audit_log, i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.i18n import N_, gettext
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

PAGE = 50
MOST_ROWS = 1000  # resident in a tab; the filters narrow the rest
_PAGES = {"person": routes.person, "organization": routes.organization, "deal": routes.deal, "lead": routes.lead}
#: What was done, as a word of its own. What has none shows its name in the code.
VERBS = {
    "accept": N_("audit|Accepted"), "add": N_("audit|Added"), "archive": N_("audit|Archived"),
    "unarchive": N_("audit|Brought back"), "change": N_("audit|Changed"), "connect": N_("audit|Connected"),
    "convert": N_("audit|Converted"), "create": N_("audit|Created"), "delete": N_("audit|Deleted"),
    "export": N_("audit|Exported"), "import": N_("audit|Imported"), "undo_import": N_("audit|Undid the import"),
    "invite": N_("audit|Invited"), "lose": N_("audit|Marked as lost"), "win": N_("audit|Marked as won"),
    "reopen": N_("audit|Reopened"), "move": N_("audit|Moved"), "move_to_stage": N_("audit|Moved"),
    "merge": N_("audit|Merged"), "unmerge": N_("audit|Undid the merge"), "order": N_("audit|Put in order"),
    "owner": N_("audit|Gave to another owner"), "reconnect": N_("audit|Reconnected"), "remove": N_("audit|Removed"),
    "rename": N_("audit|Renamed"), "restore": N_("audit|Restored"), "revert": N_("audit|Turned back into a lead"),
    "set_consent": N_("audit|Changed consent"), "erase_tracking": N_("audit|Erased tracking data"),
    "set_fields": N_("audit|Changed fields"), "set_labels": N_("audit|Changed labels"),
    "set_members": N_("audit|Changed members"), "set_scope": N_("audit|Changed who sees what"),
    "set_up": N_("audit|Set up"), "change_tracking_policy": N_("audit|Changed the tracking policy"),
    "disable": N_("audit|Switched off"), "sign_in": N_("audit|Signed in"),
    "end_session": N_("audit|Signed a browser out"), "end_sessions": N_("audit|Signed all other browsers out"),
    "change_password": N_("audit|Changed the password"), "reset_password": N_("audit|Set a new password by link"),
    "make_reset_link": N_("audit|Made a link to a new password"),
    "ask_reset_link": N_("audit|Had a link to a new password sent"),
    "send_reset_link": N_("audit|Sent a link to a new password"),
    "second_on": N_("audit|Switched two-step sign-in on"), "second_off": N_("audit|Switched two-step sign-in off"),
    "second_reset": N_("audit|Reset two-step sign-in"), "renew_codes": N_("audit|Made new recovery codes"),
    "use_recovery_code": N_("audit|Used a recovery code"),
}  # fmt: skip
KINDS = {
    "user": N_("audit|Account"), "invite": N_("audit|Invitation"), "api_token": N_("audit|API token"),
    "team": N_("audit|Team"), "role_access": N_("audit|Roles"), "workspace": N_("audit|Workspace"),
    "drop_mailbox": N_("audit|Smart Bcc mailbox"), "pipeline": N_("audit|Pipeline"), "stage": N_("audit|Stage"),
    "custom_field": N_("audit|Field"), "label": N_("audit|Label"), "webhook": N_("audit|Webhook"),
    "mailbox": N_("audit|Mailbox"), "person": N_("audit|Contact"), "organization": N_("audit|Organization"),
    "deal": N_("audit|Deal"), "lead": N_("audit|Lead"), "import": N_("audit|Import"),
}  # fmt: skip


@dataclass(frozen=True)
class AuditRow:
    """A line of the log; `href` "" where its row has no page."""

    id: int
    when: str
    who: str
    what: str
    about: str
    href: str


@dataclass(frozen=True)
class AuditPerson:
    """A user to filter by."""

    id: str
    name: str


class AuditLogState(rx.State):
    """What /settings/audit shows."""

    loaded: bool = False
    failed: bool = False
    admin: bool = False
    rows: list[AuditRow] = []
    people: list[AuditPerson] = []
    group: str = ""
    person: str = ""
    before: int = 0

    @rx.event
    async def load(self):
        """List the latest entries when the page opens."""
        self.reset()
        yield
        actor = await actor_of(self)
        self.admin = actor.admin
        if not actor.admin:
            self.loaded = True
            return
        found = await asyncio.to_thread(users.all_users, actor)
        self.people = [AuditPerson(str(each.id), each.name) for each in found]
        await self._fill(actor)

    @rx.event
    async def choose_group(self, group: str):
        """List one group of entries; "" lists all."""
        group = as_text(group, 20)
        self.group = group if group in audit_log.GROUPS else ""
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_person(self, person: str):
        """List one user's entries; "" lists everybody's."""
        self.person = str(as_int(person) or "")
        await self._fill(await actor_of(self))

    @rx.event
    async def more(self):
        """List the next ones."""
        if self.before and len(self.rows) < MOST_ROWS:
            await self._fill(await actor_of(self), self.before)

    async def _fill(self, actor: Actor, before: int = 0) -> None:
        group, person = self.group, as_int(self.person)
        try:
            found = await asyncio.to_thread(
                lambda: audit_log.page(actor, group=group, actor_id=person, before=before, limit=PAGE)
            )
        except MailcrmError:
            self.failed, self.loaded, self.rows = True, True, []
            return
        eyes = eyes_of(actor)
        made = [_row(each, eyes) for each in found.rows]
        self.rows = [*self.rows, *made] if before else made
        self.before, self.loaded, self.failed = found.before, True, False


def _row(view: audit_log.AuditView, eyes: Eyes) -> AuditRow:
    kind = gettext(eyes.language, KINDS[view.kind]) if view.kind in KINDS else view.kind
    about = view.about or (f"{kind} {view.row_id}" if view.row_id else kind)
    return AuditRow(
        id=view.id,
        when=i18n.day_and_time(eyes.language, view.at, eyes.now, eyes.zone),
        who=view.actor or gettext(eyes.language, "System"),
        what=gettext(eyes.language, VERBS[view.verb]) if view.verb in VERBS else view.verb.replace("_", " "),
        about=about,
        href=_PAGES[view.kind](view.row_id) if view.kind in _PAGES and view.row_id else "",
    )
