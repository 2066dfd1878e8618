"""A person: details, tracking consent and deals on the one side, history on the other (M03, T09)."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.composer import in_place
from mailcrm.components.deal_form import deal_form
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.timeline import timeline
from mailcrm.state.board import BoardState
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.person import PersonState
from mailcrm.state.present import DealRow

WHO = PersonState.person
JOINED = "\n"


def person() -> rx.Component:
    """Return the page."""
    return shell(
        rx.cond(
            PersonState.missing,
            empty(
                "user-round-x",
                tr("This person doesn’t exist"),
                tr("They may have been deleted, or the address is wrong."),
                rx.el.a(tr("All contacts"), href=routes.PEOPLE, class_name="btn btn-soft"),
            ),
            rx.cond(
                WHO.id > 0,
                rx.fragment(
                    _head(),
                    rx.el.div(
                        rx.el.div(_details(), _consent(), _deals(), class_name="record-side"),
                        rx.el.div(
                            in_place(),
                            timeline(
                                PersonState.items,
                                PersonState.open_ids,
                                PersonState.remote_ids,
                                on_fold=PersonState.unfold,
                                on_remote=PersonState.show_remote,
                            ),
                            rx.cond(
                                PersonState.cursor != "",
                                rx.el.div(button(tr("Load more"), on_click=PersonState.more), class_name="more-row"),
                            ),
                            class_name="record-main",
                        ),
                        class_name="record",
                    ),
                ),
                bones(),
            ),
        ),
        deal_form(),
        _consent_form(),
        here="people",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.nav(
            rx.el.a(tr("Contacts"), href=routes.PEOPLE),
            icon("chevron-right", size=14),
            rx.el.span(WHO.name, class_name="cut", dir="auto"),
            class_name="crumbs",
            aria_label=tr("Where you are"),
        ),
        rx.el.div(
            avatar(WHO.initials, WHO.hue, size="lg"),
            rx.el.div(
                rx.el.h1(WHO.name, class_name="t5 cut", dir="auto"),
                rx.el.p(
                    rx.el.bdi(WHO.job),
                    rx.cond((WHO.job != "") & (WHO.organization != ""), ", ", ""),
                    rx.el.bdi(WHO.organization),
                    class_name="dim cut",
                ),
                class_name="col grow",
            ),
            rx.el.div(
                button(
                    icon("circle-dollar-sign"),
                    tr("New deal"),
                    on_click=BoardState.start_for(WHO.id),
                    data_testid="person-new-deal",
                ),
                ink(
                    icon("pencil-line"),
                    tr("verb|Email"),
                    on_click=ComposerState.compose_here(WHO.address, 0),
                    disabled=WHO.address == "",
                    data_testid="person-email-button",
                ),
                rx.dropdown_menu.root(
                    rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More actions"))),
                    rx.dropdown_menu.content(
                        rx.dropdown_menu.item(tr("Edit details"), on_select=PersonState.edit(True)),
                        rx.dropdown_menu.item(tr("Delete"), color="red", on_select=PersonState.delete),
                        align="end",
                    ),
                ),
                class_name="row person-actions",
            ),
            class_name="row gap12 person-head",
        ),
        class_name="record-head",
    )


def _section(title: rx.Var[str], action: rx.Component, *content: rx.Component) -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(title, class_name="b grow"), action, class_name="row side-head"), *content, class_name="sect"
    )


def _details() -> rx.Component:
    return _section(
        tr("Details"),
        rx.cond(
            PersonState.editing,
            rx.fragment(),
            button(tr("Edit"), look="ghost", size="btn-sm", on_click=PersonState.edit(True), data_testid="person-edit"),
        ),
        rx.cond(PersonState.editing, _edit_form(), _facts()),
    )


def _facts() -> rx.Component:
    return rx.el.dl(
        rx.cond(
            PersonState.addresses.length() > 0,
            rx.fragment(
                rx.el.dt(tr("Email")),
                rx.el.dd(rx.foreach(PersonState.addresses, _address), class_name="col"),
            ),
        ),
        rx.cond(
            PersonState.phones.length() > 0,
            rx.fragment(
                rx.el.dt(tr("Phone")),
                rx.el.dd(
                    rx.foreach(PersonState.phones, lambda each: rx.el.span(each, class_name="num", dir="ltr")),
                    class_name="col",
                ),
            ),
        ),
        _fact(tr("Job title"), WHO.job),
        _fact(tr("Organization"), WHO.organization),
        class_name="facts facts-left",
        data_testid="person-details",
    )


def _address(address: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        address, type="button", class_name="link plain-btn", on_click=ComposerState.compose_here(address, 0), dir="ltr"
    )


def _fact(label: rx.Var[str], value: rx.Var[str]) -> rx.Component:
    return rx.cond(value != "", rx.fragment(rx.el.dt(label), rx.el.dd(value, dir="auto")))


def _edit_form() -> rx.Component:
    return rx.el.form(
        field(
            tr("Name"),
            text_input("edit_name", default_value=WHO.name, dir="auto", data_testid="edit-name"),
            name="edit_name",
        ),
        field(
            tr("Email addresses, one per line"),
            rx.el.textarea(
                id="edit_addresses",
                name="edit_addresses",
                default_value=PersonState.addresses.join(JOINED),
                class_name="area",
                rows="2",
                spell_check=False,
                data_testid="edit-addresses",
            ),
            name="edit_addresses",
        ),
        field(
            tr("Phone numbers, one per line"),
            rx.el.textarea(
                id="edit_phones",
                name="edit_phones",
                default_value=PersonState.phones.join(JOINED),
                class_name="area",
                rows="2",
            ),
            name="edit_phones",
        ),
        field(
            tr("Job title"),
            text_input("edit_job", default_value=WHO.job, dir="auto", data_testid="edit-job"),
            name="edit_job",
        ),
        field(
            tr("Organization"),
            text_input("edit_organization", default_value=WHO.organization, dir="auto"),
            name="edit_organization",
        ),
        error_line(PersonState.wrong),
        rx.el.div(
            ink(tr("Save"), type="submit", data_testid="person-edit-save"),
            button(tr("Cancel"), look="ghost", on_click=PersonState.edit(False)),
            class_name="row",
        ),
        on_submit=PersonState.save,
        class_name="col gap12 edit-form",
    )


def _consent() -> rx.Component:
    state = PersonState.consent.state
    return _section(
        tr("Tracking consent"),
        button(
            tr("Change"),
            look="ghost",
            size="btn-sm",
            on_click=PersonState.ask_consent(True),
            data_testid="consent-change",
        ),
        rx.el.div(
            rx.match(
                state,
                (
                    "granted",
                    rx.el.span(icon("shield-check"), class_name="consent-ico", custom_attrs={"data-state": "granted"}),
                ),
                (
                    "refused",
                    rx.el.span(icon("shield-x"), class_name="consent-ico", custom_attrs={"data-state": "refused"}),
                ),
                rx.el.span(icon("shield-question"), class_name="consent-ico"),
            ),
            rx.el.div(
                rx.el.p(
                    rx.match(
                        state,
                        ("granted", tr("Agreed to open and link tracking")),
                        ("refused", tr("Declined. Email to them is never tracked.")),
                        tr("Not asked"),
                    ),
                    class_name="b",
                ),
                rx.el.p(
                    rx.cond(
                        PersonState.consent.about != "",
                        PersonState.consent.about,
                        tr("Ask before you track, and keep their answer here."),
                    ),
                    class_name="t1 dim",
                    dir="auto",
                ),
                class_name="col",
            ),
            class_name="row gap12 consent",
            data_testid="consent",
            custom_attrs={"data-consent": state},
        ),
    )


def _consent_form() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Answer"),
                choice(
                    "consent_state",
                    [("granted", tr("Agreed")), ("unknown", tr("Not asked")), ("refused", tr("Declined"))],
                    default_value=PersonState.consent.state,
                    data_testid="consent-state",
                ),
                name="consent_state",
            ),
            field(
                tr("How you know"),
                text_input(
                    "consent_source",
                    default_value=PersonState.consent.source,
                    placeholder=tr("By phone, in a reply, on a form"),
                    dir="auto",
                    data_testid="consent-source",
                ),
                name="consent_source",
            ),
            error_line(PersonState.wrong),
            dialog_actions(tr("Record the answer"), "consent-save"),
            on_submit=PersonState.set_consent,
            class_name="col gap12",
        ),
        open_when=PersonState.asking,
        on_open_change=PersonState.ask_consent,
        title=tr("Tracking consent"),
        text=tr("Recorded with today’s date. When somebody declined, their email is sent without tracking."),
    )


def _deals() -> rx.Component:
    return _section(
        tr("Deals"),
        icon_button("plus", tr("New deal"), on_click=BoardState.start_for(WHO.id)),
        rx.cond(
            PersonState.deals.length() > 0,
            rx.el.ul(rx.foreach(PersonState.deals, _deal), class_name="col gap12 side-deals"),
            rx.el.p(tr("No deals yet."), class_name="dim"),
        ),
    )


def _deal(row: rx.Var[DealRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            rx.el.span(
                rx.el.span(row.title, class_name="b cut", dir="auto"),
                rx.match(
                    row.status,
                    ("won", rx.el.span(icon("trophy", size=14), tr("Won"), class_name="row gap4 won t1")),
                    ("lost", rx.el.span(icon("thumbs-down", size=14), tr("Lost"), class_name="row gap4 dim t1")),
                    rx.el.span(row.stage, class_name="t1 dim cut", dir="auto"),
                ),
                class_name="col grow",
            ),
            rx.el.span(row.value, class_name="num"),
            href=row.href,
            class_name="row row-link",
            data_testid="person-deal",
        ),
        key=row.id,
    )
