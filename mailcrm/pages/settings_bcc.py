"""Settings › Email sync › Smart Bcc: addresses to send to and from, who reads it, the ways in, and what came."""

import reflex as rx

from mailcrm.components.bcc_address import address_row
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.drop_mailbox import drop_mailbox
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, settings_page, sharing_choice, switch_row, sync_tabs
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.smart_bcc import AlternativeRow, ArrivalRow, SmartBccState

STATE = SmartBccState


def settings_bcc() -> rx.Component:
    """Return the page."""
    return settings_page(
        sync_tabs("smart-bcc"),
        rx.cond(
            STATE.loaded,
            rx.fragment(
                rx.cond(
                    STATE.on,
                    rx.fragment(
                        _address(),
                        _senders(),
                        sharing_choice("bcc-sharing", shared=STATE.shared, saved=STATE.saved, on_pick=STATE.share),
                    ),
                    _off(),
                ),
                rx.cond(STATE.admin, rx.fragment(_people(), drop_mailbox())),
                rx.cond(STATE.on | (STATE.arrivals.length() > 0), _log()),
            ),
            bones(5),
        ),
        here="sync",
        title=tr("Email sync"),
    )


def _off() -> rx.Component:
    return empty(
        "at-sign",
        tr("Smart Bcc is not set up"),
        rx.cond(
            STATE.admin,
            tr(
                "Connect a drop mailbox below, or let mailcrm listen for a domain of yours: docs/smart-bcc.md says how."
            ),
            tr("With it, any email lands here by one more address. Ask an administrator to set it up."),
        ),
    )


def _address() -> rx.Component:
    return option(
        tr("bcc|Address"),
        tr("Works from any mail program."),
        address_row(
            STATE.address,
            rx.cond(
                STATE.admin,
                icon_button(
                    "refresh-cw", tr("New address"), on_click=STATE.reissue, data_testid="bcc-workspace-reissue"
                ),
            ),
            testid="bcc-workspace",
        ),
        rx.el.p(
            tr(
                "Add it as Bcc, or forward email to it. The email links to its people and shows in their histories and in "
                "search; in the Mail tab it is under Archive. Each deal and lead has an address of its own on its page."
            ),
            class_name="t1 dim",
        ),
    )


def _senders() -> rx.Component:
    return option(
        tr("From these addresses"),
        tr("Email from any other address is set aside, and so is email that can’t be proven to be yours."),
        rx.el.ul(
            rx.el.li(
                rx.el.span(STATE.login, class_name="cut grow", dir="auto"),
                rx.el.span(tr("Sign-in address"), class_name="t1 dim"),
                _chip("confirmed"),
                class_name="row blocked-row",
            ),
            rx.foreach(STATE.rows, _alternative),
            class_name="blocked-list",
            data_testid="alternative-list",
        ),
        rx.el.form(
            rx.el.div(
                rx.el.input(
                    id="alternative",
                    name="alternative",
                    key=STATE.version,
                    default_value="",
                    type="text",
                    placeholder=tr("name@company.com"),
                    aria_label=tr("Another address of yours"),
                    auto_complete="email",
                    spell_check=False,
                    dir="auto",
                    class_name="input grow",
                    data_testid="alternative-address",
                ),
                button(tr("Add address"), type="submit", disabled=STATE.sending, data_testid="alternative-add"),
                class_name="row",
            ),
            error_line(STATE.wrong),
            on_submit=STATE.add,
            class_name="col gap6",
        ),
        rx.el.p(
            rx.cond(
                STATE.no_letters,
                tr(
                    "An email with a link goes to it, and nothing here can send one yet: connect a mailbox of yours, or ask an "
                    "administrator to set MAILCRM_SMTP_HOST."
                ),
                tr("An email with a link goes to it. The address works once the link was followed."),
            ),
            class_name="t1 dim",
        ),
    )


def _alternative(row: rx.Var[AlternativeRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.address, class_name="cut grow", dir="auto"),
        rx.el.span(row.note, class_name="t1 dim num"),
        rx.match(
            row.state,
            ("confirmed", _chip("confirmed")),
            ("expired", _chip("expired")),
            _chip("waiting"),
        ),
        rx.cond(
            row.state != "confirmed",
            button(tr("Resend"), size="btn-sm", on_click=STATE.resend(row.id), data_testid="alternative-resend"),
        ),
        icon_button(
            "x",
            tr("Remove {address}", address=row.address),
            on_click=STATE.remove(row.id),
            data_testid="alternative-remove",
        ),
        class_name="row blocked-row",
        data_testid="alternative-row",
        custom_attrs={"data-state": row.state, "data-address": row.address},
        key=row.id,
    )


def _chip(state: str) -> rx.Component:
    label, color, mark = {
        "confirmed": (tr("bcc|Confirmed"), "jade", "check"),
        "waiting": (tr("bcc|Waiting"), "amber", "clock"),
        "expired": (tr("bcc|Expired"), "gray", "circle-slash"),
    }[state]
    return rx.el.span(icon(mark, size=12), label, class_name="chip chip-label", custom_attrs={"data-color": color})


def _people() -> rx.Component:
    return option(
        tr("Unknown people"),
        tr("For the whole workspace."),
        switch_row(
            tr("Add unknown people as contacts"),
            tr("Otherwise they are suggested in the conversation."),
            name="people",
            checked=STATE.makes_people,
            on_change=STATE.make_people,
            saved=STATE.saved,
            testid="bcc-makes-people",
        ),
    )


def _log() -> rx.Component:
    return option(
        tr("What came"),
        rx.cond(
            STATE.admin,
            tr("Of the last 30 days, for the whole workspace. Let in what you know to be genuine."),
            tr("Your email of the last 30 days. An administrator can let in what was set aside."),
        ),
        rx.el.div(
            *[
                rx.el.button(
                    label,
                    type="button",
                    custom_attrs={"aria-pressed": STATE.shown == value},
                    on_click=STATE.choose(value),
                    data_testid=f"arrivals-{value or 'all'}",
                )
                for value, label in (("", tr("All")), ("set_aside", tr("Set aside")))
            ],
            class_name="seg",
            role="group",
            aria_label=tr("What came"),
        ),
        rx.cond(
            STATE.log_failed,
            rx.el.div(
                rx.el.p(tr("The list could not be read."), class_name="dim"),
                button(tr("Try again"), on_click=STATE.refresh),
                class_name="row gap12",
                role="alert",
            ),
            rx.cond(
                STATE.arrivals.length() > 0,
                rx.el.ul(rx.foreach(STATE.arrivals, _arrival), class_name="arrivals", data_testid="arrivals"),
                rx.el.p(tr("Nothing came yet."), class_name="dim", data_testid="arrivals-empty"),
            ),
        ),
        rx.cond(STATE.cursor != "", button(tr("Show more"), on_click=STATE.more, data_testid="arrivals-more")),
    )


def _arrival(row: rx.Var[ArrivalRow]) -> rx.Component:
    color = rx.match(
        row.state, ("stored", "jade"), ("duplicate", "jade"), ("quarantined", "amber"), ("failed", "red"), "gray"
    )
    return rx.el.li(
        rx.el.div(
            rx.el.span(row.sender, class_name="b cut grow", dir="auto"),
            rx.el.span(row.said, class_name="chip chip-label", custom_attrs={"data-color": color}),
            rx.el.span(row.when, class_name="t1 dim num"),
            class_name="row",
        ),
        rx.cond(row.subject != "", rx.el.p(row.subject, class_name="cut", dir="auto")),
        rx.cond(row.sentence != "", rx.el.p(row.sentence, class_name="t1 dim arrival-why")),
        rx.cond(row.checks != "", rx.el.p(row.checks, class_name="t1 dim num arrival-why")),
        rx.el.div(
            rx.cond(
                row.thread_id > 0,
                rx.el.a(tr("Open"), href=f"/thread/{row.thread_id}", class_name="btn btn-soft btn-sm"),
            ),
            rx.cond(
                row.can_release,
                button(tr("Let in"), size="btn-sm", on_click=STATE.release(row.id), data_testid="arrival-release"),
            ),
            rx.cond(
                row.can_delete,
                button(
                    tr("Delete"),
                    size="btn-sm",
                    look="ghost",
                    on_click=STATE.discard(row.id),
                    data_testid="arrival-delete",
                ),
            ),
            class_name="row gap6 arrival-acts",
        ),
        class_name="arrival",
        data_testid="arrival-row",
        custom_attrs={"data-state": row.state},
        key=row.id,
    )
