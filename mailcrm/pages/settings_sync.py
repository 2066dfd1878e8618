"""Settings › Email sync: connected mailboxes, their sync and ledger, and the defaults of their mail."""

import reflex as rx

from mailcrm.components.aliases import other_addresses
from mailcrm.components.blocking import blocked_addresses
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.connect_form import connect_form
from mailcrm.components.connect_fresh import fresh_mailbox
from mailcrm.components.dialogs import question
from mailcrm.components.icons import icon
from mailcrm.components.reconnect import sign_in_again
from mailcrm.components.settings import option, radio_row, settings_page, sharing_choice, switch_row, sync_tabs, tick
from mailcrm.components.states import bones
from mailcrm.components.sync_folders import stored_mail, synced_folders
from mailcrm.components.sync_health import dot, importing, sync_button, sync_health
from mailcrm.state.connect import ConnectState
from mailcrm.state.connect_fresh import FreshState
from mailcrm.state.i18n import tr
from mailcrm.state.settings import MailboxesState, MailboxRow
from mailcrm.state.settings_health import HealthState

BOX = MailboxesState.chosen


def settings_sync() -> rx.Component:
    """Return the page."""
    return settings_page(
        sync_tabs("account"),
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
            text=rx.fragment(
                tr(
                    "Its email and stored password are deleted from mailcrm, for you and for colleagues it was shared "
                    "with. The mailbox on the mail server is not touched. This can’t be undone."
                ),
                rx.cond(
                    MailboxesState.leaving_mail != "",
                    rx.el.span(" ", MailboxesState.leaving_mail, class_name="b", data_testid="mailbox-leaving"),
                ),
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
    return rx.cond(
        (FreshState.mailbox_id > 0) & (FreshState.mailbox_id == BOX.id),
        fresh_mailbox(
            rx.fragment(synced_folders(), stored_mail()),
            rx.fragment(
                _sharing(),
                _tracking(),
                _linking(),
            ),
        ),
        _sections(),
    )


def _sections() -> rx.Component:
    return rx.fragment(
        rx.cond(ConnectState.wrong != "", _came_back()),
        rx.el.ul(rx.foreach(MailboxesState.rows, _row), class_name="mailbox-rows"),
        rx.cond(BOX.signed_out | (HealthState.trouble_act == "password"), sign_in_again()),
        importing(),
        synced_folders(),
        stored_mail(),
        _write_back(),
        _tracking(),
        _sharing(),
        _linking(),
        other_addresses(),
        blocked_addresses(),
        rx.cond(MailboxesState.no_letters, _no_letters()),
        sync_health(),
    )


def _came_back() -> rx.Component:
    """Say what went wrong at the provider's page: the banner and the form below are the way on."""
    return rx.el.div(
        icon("triangle-alert"),
        rx.el.p(ConnectState.wrong, class_name="grow"),
        icon_button("x", tr("Close"), on_click=ConnectState.back),
        class_name="note note-bad",
        role="alert",
        data_testid="came-back",
    )


def _no_letters() -> rx.Component:
    """Say where news of a lost sign-in comes, while no letter could bring it."""
    return rx.el.div(
        icon("mail-warning"),
        rx.el.p(
            tr(
                "If this mailbox needs you to sign in again, mailcrm says so on every page and in the bell. An email about it "
                "needs another way out: a second mailbox of yours, or a server for mailcrm’s own email, which an "
                "administrator sets with MAILCRM_SMTP_HOST."
            ),
            class_name="grow",
        ),
        class_name="note",
        data_testid="no-letters",
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
            tr("Keep copies of drafts there"),
            tr(
                "In the mailbox’s drafts folder, for other mail programs. A copy goes when the email is sent or discarded. Gmail and Exchange’s web services don’t take part."
            ),
            "write_drafts",
            BOX.write_drafts,
            "write-drafts",
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
            tr("Track links in plain text, too"),
            tr("For mail programs that show no HTML. Their readers see this server’s address in place of the link’s."),
            "track_text",
            BOX.track_text,
            "track-text-default",
        ),
        _switch(
            tr("Know who opened"),
            tr(
                "Sends each recipient a copy of their own, up to 25 of them. Each copy counts against the number of "
                "emails that your provider lets you send in a day."
            ),
            "track_copies",
            BOX.track_copies,
            "track-copies-default",
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
    return sharing_choice(
        "sharing",
        shared=BOX.shared,
        saved=MailboxesState.saved,
        on_pick=lambda value: MailboxesState.share(BOX.id, value),
    )


def _linking() -> rx.Component:
    return option(
        tr("Linking"),
        tr("Email always links to people by address."),
        _switch(
            tr("Link to open deals automatically"),
            tr("An email links to its person’s open deal, also when the deal opens later."),
            "auto_link_deals",
            BOX.auto_link_deals,
            "auto-link-deals",
        ),
        rx.cond(
            BOX.auto_link_deals,
            rx.el.div(
                rx.el.p(tr("When a person has several open deals"), class_name="b"),
                *[_policy(value, label, text, mark) for value, label, text, mark in _policies()],
                tick(MailboxesState.saved == "linking"),
                class_name="col gap12 radio-group",
                role="radiogroup",
                aria_label=tr("When a person has several open deals"),
            ),
        ),
    )


def _policies() -> tuple[tuple[str, rx.Var[str], rx.Var[str], str], ...]:
    return (
        ("ask", tr("Ask me"), tr("The conversation waits in the list until you pick one."), "circle-help"),
        ("newest", tr("The newest"), tr("Links to the deal that was opened last."), "clock"),
        ("all", tr("All of them"), tr("The email shows up in every one of these deals."), "layers"),
        ("none", tr("None"), tr("Links only to the person. You can still link by hand."), "circle-slash"),
    )


def _policy(value: str, label: rx.Var[str], text: rx.Var[str], mark: str) -> rx.Component:
    return radio_row(
        "deal-policy",
        value,
        label,
        text,
        mark=mark,
        checked=BOX.deal_policy == value,
        on_pick=MailboxesState.choose_deals(BOX.id, value),
    )
