"""A deal's page: stages, facts, history, and a place to write."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button
from mailcrm.components.composer import in_place
from mailcrm.components.deal_panel import person_head
from mailcrm.components.forms import field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.timeline import timeline
from mailcrm.state.composer import ComposerState
from mailcrm.state.deal import DealState
from mailcrm.state.i18n import tr
from mailcrm.state.present import Step

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
        here="deals",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.div(
            rx.el.a(tr("Deals"), href=routes.DEALS),
            icon("chevron-right", size=14),
            rx.el.span(FACTS.stage, dir="auto"),
            class_name="crumbs",
        ),
        rx.el.div(
            rx.el.h1(FACTS.title, class_name="t5 cut", dir="auto"),
            rx.el.span(FACTS.value, class_name="t5 dim num light"),
            rx.el.span(class_name="grow"),
            rx.cond(
                FACTS.owner != "",
                rx.el.span(
                    rx.el.span(FACTS.owner, class_name="cut", dir="auto"), class_name="chip chip-lg chip-line not-phone"
                ),
            ),
            rx.cond(FACTS.status == "open", _close_buttons(), _closed()),
            class_name="row gap12",
        ),
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
        rx.el.aside(_summary(), _person(), _organization(), class_name="record-side"),
        rx.el.div(
            rx.cond(ComposerState.place == "record", in_place(), _write()),
            rx.el.div(
                _shown("all", tr("All")),
                _shown("emails", tr("Emails")),
                _shown("changes", tr("Changes")),
                class_name="seg",
                role="group",
                aria_label=tr("Filter"),
            ),
            timeline(
                DealState.items,
                DealState.open_ids,
                DealState.remote_ids,
                on_fold=DealState.unfold,
                on_remote=DealState.show_remote,
                shown=DealState.shown,
            ),
            class_name="record-main",
        ),
        class_name="record",
    )


def _summary() -> rx.Component:
    return rx.el.section(
        rx.el.h2(tr("Summary"), class_name="b"),
        rx.el.dl(
            rx.el.dt(tr("Value")),
            rx.el.dd(FACTS.value, class_name="num"),
            rx.cond(FACTS.close != "", rx.fragment(rx.el.dt(tr("Expected close")), rx.el.dd(FACTS.close))),
            rx.cond(FACTS.created != "", rx.fragment(rx.el.dt(tr("Created")), rx.el.dd(FACTS.created))),
            rx.cond(FACTS.owner != "", rx.fragment(rx.el.dt(tr("Owner")), rx.el.dd(FACTS.owner, dir="auto"))),
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
        WHO.address, type="button", class_name="plain link", on_click=ComposerState.compose_here(WHO.address, FACTS.id)
    )
    return rx.el.section(
        rx.el.h2(tr("Person"), class_name="b sect-title"),
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


def _organization() -> rx.Component:
    return rx.cond(
        FACTS.organization != "",
        rx.el.section(
            rx.el.h2(tr("Organization"), class_name="b sect-title"),
            rx.el.div(
                rx.el.span(icon("building-2"), class_name="av av-md av-org"),
                rx.el.span(FACTS.organization, class_name="b cut", dir="auto"),
                class_name="row gap12",
            ),
            class_name="sect",
        ),
    )


def _write() -> rx.Component:
    return rx.el.button(
        icon("mail"),
        rx.cond(WHO.id > 0, tr("Write to {name}", name=WHO.name), tr("Write an email")),
        type="button",
        class_name="reply-box write-box",
        on_click=ComposerState.compose_here(WHO.address, FACTS.id),
        data_testid="deal-compose",
    )


def _shown(name: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        label, type="button", on_click=DealState.choose(name), custom_attrs={"aria-pressed": DealState.shown == name}
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
