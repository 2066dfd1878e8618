"""A deal's page: stages, facts, history, and a place to write."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.bcc_address import record_address
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.deal_panel import person_head
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.edit_field import edit_field
from mailcrm.components.forms import field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.record_side import record_side
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty, wrong
from mailcrm.components.timeline import record
from mailcrm.state.composer import ComposerState
from mailcrm.state.deal import DealState, Found
from mailcrm.state.i18n import tr
from mailcrm.state.present import Step
from mailcrm.state.timeline import TimelineState

FACTS = DealState.facts
WHO = DealState.person


def deal() -> rx.Component:
    """Show one deal."""
    all_deals = rx.el.a(tr("All deals"), href=routes.DEALS, class_name="btn btn-soft")
    return shell(
        rx.cond(
            DealState.missing,
            empty("circle-dollar-sign", tr("No such deal"), tr("It was deleted, or the address is wrong."), all_deals),
            rx.cond(DealState.loading & (FACTS.id == 0), bones(6), rx.fragment(_head(), _body())),
        ),
        _lost(),
        _picker(),
        here="deals",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.div(
            rx.el.a(tr("Deals"), href=routes.DEALS),
            icon("chevron-right", size=14),
            rx.el.span(FACTS.pipeline, dir="auto"),
            class_name="crumbs",
        ),
        rx.el.div(
            rx.el.h1(
                rx.el.span(FACTS.title, class_name="sizer", aria_hidden="true"),
                edit_field(
                    FACTS.title,
                    tr("Title"),
                    lambda text: DealState.save("title", text),
                    "deal-edit-title",
                    cls="t5",
                    dir="auto",
                ),
                class_name="t5 deal-title",
                aria_label=FACTS.title,
            ),
            rx.el.span(FACTS.value, class_name="t5 dim num light"),
            rx.el.span(class_name="grow"),
            rx.el.select(
                rx.el.option(tr("Nobody"), value=""),
                rx.foreach(DealState.owners, lambda one: rx.el.option(one.name, value=one.more, key=one.id)),
                value=FACTS.owner_id,
                on_change=DealState.give,
                class_name="pick deal-owner",
                aria_label=tr("Owner"),
                data_testid="deal-owner",
            ),
            rx.cond(FACTS.status == "open", _close_buttons(), _closed()),
            icon_button("trash-2", tr("Delete the deal"), on_click=DealState.delete, data_testid="deal-delete"),
            class_name="row gap12",
        ),
        _wrong("title"),
        rx.el.ol(rx.foreach(DealState.steps, _chevron), class_name="chevrons", aria_label=tr("Stages")),
        class_name="record-head",
    )


def _close_buttons() -> rx.Component:
    return rx.fragment(
        button(icon("trophy"), tr("Won"), look="won", on_click=DealState.win, data_testid="deal-win"),
        button(
            icon("thumbs-down"), tr("Lost"), look="bad", on_click=DealState.set_losing(True), data_testid="deal-lose"
        ),
    )


def _closed() -> rx.Component:
    return rx.fragment(
        rx.cond(
            FACTS.status == "won",
            rx.el.span(
                icon("trophy", size=14), tr("Won"), class_name="chip chip-lg chip-won", data_testid="deal-status"
            ),
            rx.el.span(
                icon("thumbs-down", size=14), tr("Lost"), class_name="chip chip-lg chip-bad", data_testid="deal-status"
            ),
        ),
        button(tr("Reopen"), on_click=DealState.reopen, data_testid="deal-reopen"),
    )


def _chevron(step: rx.Var[Step]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(step.name, class_name="cut", dir="auto"),
            rx.el.span(step.days, class_name="num"),
            type="button",
            on_click=DealState.move(step.id),
            data_testid="deal-stage",
        ),
        class_name="chevron",
        custom_attrs={
            "data-state": step.state,
            "aria-current": rx.cond(step.state == "here", "step", rx.Var("undefined")),
        },
        key=step.id,
    )


def _body() -> rx.Component:
    return rx.el.div(
        rx.el.aside(
            _summary(),
            record_side(),
            _person(),
            _participants(),
            _organization(),
            _mail(),
            record_address(tr("Add this address as Bcc to an email, or forward one to it, and it is in this deal.")),
            class_name="record-side",
        ),
        rx.el.div(
            *record(address=WHO.address, name=rx.cond(WHO.id > 0, WHO.name, ""), deal_id=FACTS.id),
            class_name="record-main",
        ),
        class_name="record",
    )


def _summary() -> rx.Component:
    return rx.el.section(
        rx.el.h2(tr("Summary"), class_name="b"),
        rx.el.dl(
            rx.el.dt(tr("Value")),
            rx.el.dd(
                rx.el.span(
                    edit_field(
                        FACTS.typed_value,
                        tr("Value"),
                        lambda text: DealState.save("value", text),
                        "deal-edit-value",
                        inputmode="decimal",
                        shown=FACTS.value,
                    ),
                    class_name="row gap4",
                ),
                _wrong("value"),
            ),
            rx.el.dt(tr("Probability")),
            rx.el.dd(FACTS.probability, class_name="num"),
            rx.el.dt(tr("Expected close")),
            rx.el.dd(
                edit_field(
                    FACTS.typed_close,
                    tr("Expected close"),
                    lambda text: DealState.save("close", text),
                    "deal-edit-close",
                    kind="date",
                ),
                _wrong("close"),
            ),
            rx.cond(FACTS.created != "", rx.fragment(rx.el.dt(tr("Created")), rx.el.dd(FACTS.created))),
            rx.cond(
                FACTS.lost_reason != "",
                rx.fragment(rx.el.dt(tr("Lost because")), rx.el.dd(FACTS.lost_reason, dir="auto")),
            ),
            class_name="facts facts-left",
        ),
        class_name="sect",
    )


def _person() -> rx.Component:
    address = rx.el.button(
        WHO.address,
        type="button",
        class_name="plain link",
        on_click=[TimelineState.choose_tab("email"), ComposerState.compose_here(WHO.address, FACTS.id)],
    )
    return rx.el.section(
        _side_head(tr("Person"), rx.cond(WHO.id > 0, tr("Change"), tr("Add")), "person"),
        rx.cond(
            WHO.id > 0,
            rx.fragment(
                person_head(WHO),
                rx.el.dl(
                    rx.cond(WHO.address != "", rx.fragment(rx.el.dt(tr("Email")), rx.el.dd(address))),
                    rx.cond(WHO.phone != "", rx.fragment(rx.el.dt(tr("Phone")), rx.el.dd(WHO.phone, class_name="num"))),
                    class_name="facts facts-left",
                ),
            ),
            rx.el.p(tr("No person on this deal yet."), class_name="dim"),
        ),
        class_name="sect",
    )


def _participants() -> rx.Component:
    return rx.el.section(
        _side_head(tr("Participants"), tr("Add"), "participant"),
        rx.el.ul(
            rx.foreach(
                DealState.participants,
                lambda row: rx.el.li(
                    avatar(row.initials, row.hue),
                    rx.el.a(row.name, href=row.href, class_name="cut grow row-title", dir="auto"),
                    icon_button(
                        "x",
                        tr("Take {name} off", name=row.name),
                        on_click=DealState.leave(row.id),
                        data_testid="participant-remove",
                    ),
                    class_name="row",
                    key=row.id,
                    data_testid="participant",
                ),
            )
        ),
        rx.cond(DealState.participants.length() == 0, rx.el.p(tr("Nobody else takes part yet."), class_name="dim")),
        class_name="sect",
    )


def _side_head(title: rx.Var[str], act: rx.Var[str], what: str) -> rx.Component:
    return rx.el.div(
        rx.el.h2(title, class_name="b grow"),
        button(act, look="ghost", size="btn-sm", on_click=DealState.pick(what), data_testid=f"pick-{what}"),
        class_name="row side-head",
    )


def _wrong(name: str) -> rx.Component:
    return rx.cond((DealState.wrong != "") & (DealState.wrong_field == name), wrong(DealState.wrong))


def _picker() -> rx.Component:
    return form_dialog(
        rx.el.input(
            type="search",
            auto_focus=True,
            class_name="input",
            placeholder=tr("Type a name"),
            aria_label=tr("Type a name"),
            on_change=lambda text: DealState.find(text).debounce(180),
            data_testid="pick-search",
        ),
        rx.el.ul(rx.foreach(DealState.found, _found), class_name="matches"),
        rx.cond(
            DealState.picking != "participant",
            rx.el.div(
                button(icon("x", size=14), tr("Leave it empty"), look="ghost", on_click=DealState.take(0)),
                class_name="row",
            ),
        ),
        open_when=DealState.picking != "",
        on_open_change=DealState.close_pick,
        title=rx.match(
            DealState.picking,
            ("organization", tr("Choose the organization")),
            ("participant", tr("Who takes part?")),
            tr("Choose the person"),
        ),
        text=None,
    )


def _found(row: rx.Var[Found]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(row.name, class_name="cut", dir="auto"),
            rx.el.span(row.more, class_name="t1 dim cut", dir="auto"),
            type="button",
            class_name="menu-item",
            on_click=DealState.take(row.id),
            data_testid="pick-found",
        ),
        key=row.id,
    )


def _organization() -> rx.Component:
    return rx.el.section(
        _side_head(tr("Organization"), rx.cond(FACTS.organization != "", tr("Change"), tr("Add")), "organization"),
        rx.cond(
            FACTS.organization != "",
            rx.el.div(
                rx.el.span(icon("building-2"), class_name="av av-md av-org"),
                rx.el.a(FACTS.organization, href=FACTS.organization_href, class_name="b cut row-title", dir="auto"),
                class_name="row gap12",
            ),
            rx.el.p(tr("No organization on this deal yet."), class_name="dim"),
        ),
        class_name="sect",
    )


def _mail() -> rx.Component:
    """Say who reads the deal's email, how much there is, and what of it is the viewer's alone (M24)."""
    mail = TimelineState.mail
    return rx.el.section(
        rx.el.h2(tr("noun|Email"), class_name="b"),
        rx.el.p(
            tr(
                "Shared email is read by everybody who sees this deal. Private email stays with whoever’s mailbox it is in."
            ),
            class_name="t1 dim",
            style={"marginBlockStart": "6px"},
            data_testid="deal-mail-who",
        ),
        rx.el.dl(
            rx.el.dt(tr("Linked")),
            rx.el.dd(mail.linked, class_name="num", data_testid="deal-mail-linked"),
            rx.cond(
                mail.private != "",
                rx.fragment(
                    rx.el.dt(tr("Private")),
                    rx.el.dd(
                        icon("lock", size=14), mail.private, class_name="row gap4", data_testid="deal-mail-private"
                    ),
                ),
            ),
            class_name="facts facts-left",
        ),
        class_name="sect",
        data_testid="deal-mail",
    )


def _lost() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title(tr("Mark as lost"), class_name="t4"),
            rx.el.form(
                field(
                    tr("Why was it lost?"),
                    text_input(
                        "lost-reason", form_name="reason", auto_focus=True, dir="auto", data_testid="deal-lost-reason"
                    ),
                    name="lost-reason",
                ),
                rx.el.div(
                    button(tr("Mark as lost"), look="bad", type="submit", data_testid="deal-lost-save"),
                    rx.dialog.close(button(tr("Cancel"), look="ghost")),
                    class_name="row",
                ),
                on_submit=DealState.lose,
                class_name="col gap16",
            ),
            max_width="380px",
        ),
        open=DealState.losing,
        on_open_change=DealState.set_losing,
    )
