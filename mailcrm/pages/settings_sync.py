"""Settings › Email sync: connected mailboxes, their sync and ledger, and the defaults of their mail."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.connect_form import connect_form
from mailcrm.components.dialogs import question
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, radio_row, settings_page, switch_row, tick
from mailcrm.components.states import bones
from mailcrm.components.sync_folders import stored_mail, synced_folders
from mailcrm.components.sync_health import dot, importing, sync_button, sync_health
from mailcrm.state.connect import ConnectState
from mailcrm.state.i18n import tr
from mailcrm.state.settings import MailboxesState, MailboxRow
from mailcrm.state.settings_health import HealthState

BOX = MailboxesState.chosen


def settings_sync() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(
            MailboxesState.loaded,
            rx.fragment(
                rx.cond(
                    ConnectState.open | (MailboxesState.rows.length() == 0),
                    connect_form(can_close=MailboxesState.rows.length() > 0),
                    _mailboxes(),
                ),
            ),
            bones(4),
        ),
        question(
            open_when=MailboxesState.leaving > 0,
            on_open_change=MailboxesState.close_question,
            title=tr("Remove {address}?", address=MailboxesState.leaving_address),
            text=tr(
                "Its email, drafts and stored password are deleted from mailcrm, for you and for colleagues it was "
                "shared with. The mailbox on the mail server is not touched. This can’t be undone."
            ),
            label=tr("Remove mailbox"),
            on_confirm=MailboxesState.remove,
            testid="mailbox-remove-confirm",
        ),
        here="sync",
        title=tr("Email sync"),
        action=rx.cond(
            (MailboxesState.rows.length() > 0) & ~ConnectState.open,
            button(icon("plus"), tr("Add mailbox"), on_click=ConnectState.show(True), data_testid="mailbox-add"),
        ),
    )


def _mailboxes() -> rx.Component:
    return rx.fragment(
        rx.el.ul(rx.foreach(MailboxesState.rows, _row), class_name="mailbox-rows"),
        rx.cond(BOX.signed_out | (HealthState.trouble_act == "password"), _sign_in_again()),
        importing(),
        synced_folders(),
        stored_mail(),
        _write_back(),
        _tracking(),
        _sharing(),
        _linking(),
        sync_health(),
    )


def _row(row: rx.Var[MailboxRow]) -> rx.Component:
    several = MailboxesState.rows.length() > 1
    return rx.el.li(
        rx.el.button(
            rx.el.span(row.letter, class_name="av av-md av-org", custom_attrs={"data-hue": "1"}, aria_hidden="true"),
            rx.el.span(
                rx.el.span(row.address, class_name="b cut", dir="auto"),
                rx.el.span(row.since, class_name="t1 dim"),
                class_name="col grow",
            ),
            type="button",
            class_name="mailbox-pick",
            on_click=MailboxesState.choose(row.id),
            disabled=~several,
            aria_pressed=several & (row.id == BOX.id),
        ),
        rx.el.span(
            dot(row.kind),
            rx.el.span(row.status, class_name="b"),
            rx.el.span(row.at, class_name="dim num"),
            class_name="row",
            role="status",
            data_testid="mailbox-status",
            custom_attrs={"data-kind": row.kind},
        ),
        rx.el.div(
            rx.cond(
                row.paused,
                button(
                    tr("Resume"),
                    size="btn-sm",
                    on_click=MailboxesState.pause(row.id, False),
                    data_testid="mailbox-resume",
                ),
                sync_button(row.id),
            ),
            rx.dropdown_menu.root(
                rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More actions"), data_testid="mailbox-menu")),
                rx.dropdown_menu.content(
                    rx.cond(
                        row.paused,
                        rx.dropdown_menu.item(tr("Resume"), on_select=MailboxesState.pause(row.id, False)),
                        rx.dropdown_menu.item(tr("Pause"), on_select=MailboxesState.pause(row.id, True)),
                    ),
                    rx.dropdown_menu.item(
                        tr("Remove mailbox"), color="red", on_select=MailboxesState.ask_remove(row.id)
                    ),
                    align="end",
                ),
            ),
            class_name="row",
        ),
        rx.cond(
            row.error != "",
            rx.el.p(
                icon("triangle-alert", size=14), rx.el.span(row.error), class_name="wrong mailbox-error", role="alert"
            ),
        ),
        class_name="mailbox-row",
        data_testid="mailbox-row",
        custom_attrs={"data-address": row.address},
        key=row.id,
    )


def _sign_in_again() -> rx.Component:
    return option(
        tr("Sign in again"),
        tr("The mail server no longer takes the stored password. Sync goes on when it has a new one."),
        rx.el.form(
            field(
                tr("Password or app password"),
                text_input("new_password", type="password", auto_complete="off", data_testid="mailbox-new-password"),
                name="new_password",
            ),
            error_line(MailboxesState.wrong),
            rx.el.div(button(tr("Sign in again"), look="ink", type="submit", data_testid="mailbox-reconnect")),
            on_submit=MailboxesState.sign_in_again,
            reset_on_submit=True,
            class_name="col gap12",
            id="reconnect",
        ),
    )


def _write_back() -> rx.Component:
    return option(
        tr("Archive and delete"),
        tr("What happens in the mailbox when you tidy up here."),
        _switch(
            tr("Reading here marks as read there"),
            tr("And marking as unread, too."),
            "write_read",
            BOX.write_read,
            "write-read",
        ),
        _switch(
            tr("Archiving here archives there"),
            tr("Moves the email to the mailbox’s archive folder."),
            "write_archive",
            BOX.write_archive,
            "write-archive",
        ),
        _switch(
            tr("Deleting here deletes there"),
            tr("Moves the email to the mailbox’s trash. Nothing is ever deleted for good."),
            "write_delete",
            BOX.write_delete,
            "write-delete",
        ),
        _switch(
            tr("Hide email that was deleted in the mailbox"),
            tr("Otherwise linked email stays in histories, with a note."),
            "hide_gone",
            BOX.hide_gone,
            "hide-gone",
        ),
    )


def _tracking() -> rx.Component:
    return option(
        tr("Tracking"),
        tr("Defaults for new emails. You can change them on each email before it goes out."),
        _switch(
            tr("Track opens"),
            tr("Adds an invisible image. Doesn’t work when images are blocked or the email is plain text."),
            "track_opens",
            BOX.track_opens,
            "track-opens-default",
        ),
        _switch(
            tr("Track links"),
            tr("Sends links through this server, so that it sees when one is followed."),
            "track_clicks",
            BOX.track_clicks,
            "track-clicks-default",
        ),
        _switch(
            tr("Notify me when someone opens or clicks"),
            tr("An email that you switch tracking on for by hand always tells you."),
            "track_notify",
            BOX.track_notify,
            "track-notify-default",
        ),
        rx.el.div(
            icon("shield-check", cls="dim"),
            rx.el.p(
                tr(
                    "Tracking is off until you turn it on. EU regulators advise asking people before you track them. "
                    "Nobody who declined on their contact page is ever tracked."
                ),
                class_name="dim",
            ),
            class_name="note",
        ),
    )


def _switch(
    label: rx.Var[str], text: rx.Var[str] | None, name: str, checked: rx.Var[bool], testid: str
) -> rx.Component:
    return switch_row(
        label,
        text,
        name=name,
        checked=checked,
        on_change=MailboxesState.switch(BOX.id, name),
        saved=MailboxesState.saved,
        testid=testid,
    )


def _sharing() -> rx.Component:
    return option(
        tr("Sharing"),
        tr("Applies to email that arrives from now on. Existing email keeps its setting."),
        rx.el.div(
            radio_row(
                "sharing",
                "shared",
                tr("Shared"),
                tr("People who can see the contact or deal can read its email."),
                mark="users-round",
                checked=BOX.shared,
                on_pick=MailboxesState.share(BOX.id, "shared"),
            ),
            radio_row(
                "sharing",
                "private",
                tr("Private"),
                tr("Only you. Not even administrators can see it."),
                mark="lock",
                checked=~BOX.shared,
                on_pick=MailboxesState.share(BOX.id, "private"),
            ),
            tick(MailboxesState.saved == "sharing"),
            class_name="col gap12 radio-group",
            role="radiogroup",
            aria_label=tr("Sharing"),
        ),
    )


def _linking() -> rx.Component:
    return option(
        tr("Linking"),
        tr("Email always links to people by address."),
        _switch(
            tr("Link to open deals automatically"),
            tr("Skipped when a person has more than one open deal."),
            "auto_link_deals",
            BOX.auto_link_deals,
            "auto-link-deals",
        ),
    )
