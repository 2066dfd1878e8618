"""An organization with its people, deals and history (M03)."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.deal_line import deal_line
from mailcrm.components.edit_field import edit_field
from mailcrm.components.forms import error_line, text_input
from mailcrm.components.icons import icon
from mailcrm.components.record_side import record_side
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty, wrong
from mailcrm.components.table_pick import options
from mailcrm.components.timeline import record
from mailcrm.state.i18n import tr
from mailcrm.state.organization import Domain, OrganizationState, Sum
from mailcrm.state.present import PersonRow

WHAT = OrganizationState.facts


def organization() -> rx.Component:
    """Return one organization's page."""
    return shell(
        rx.cond(
            OrganizationState.missing,
            empty(
                "building-2",
                tr("This organization doesn’t exist"),
                tr("It may have been deleted, or the address is wrong."),
                rx.el.a(tr("All organizations"), href=routes.ORGANIZATIONS, class_name="btn btn-soft"),
            ),
            rx.cond(
                WHAT.id > 0,
                rx.fragment(
                    _head(),
                    rx.el.div(
                        rx.el.div(_details(), record_side(), _domains(), _people(), _deals(), class_name="record-side"),
                        rx.el.div(*record(name=WHAT.name), class_name="record-main"),
                        class_name="record",
                    ),
                ),
                bones(),
            ),
        ),
        here="people",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.nav(
            rx.el.a(tr("Contacts"), href=routes.PEOPLE),
            icon("chevron-right", size=14),
            rx.el.a(tr("Organizations"), href=routes.ORGANIZATIONS),
            class_name="crumbs",
            aria_label=tr("Where you are"),
        ),
        rx.el.div(
            avatar(WHAT.initials, size="lg", square=True),
            rx.el.div(
                _name(),
                rx.el.p(rx.foreach(OrganizationState.sums, _sum), class_name="dim cut"),
                class_name="col grow",
            ),
            rx.el.select(
                options(OrganizationState.owners),
                value=OrganizationState.owner_id,
                on_change=OrganizationState.hand_over,
                class_name="pick",
                aria_label=tr("Owner"),
                style={"inlineSize": "auto"},
                data_testid="organization-owner",
            ),
            rx.dropdown_menu.root(
                rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More actions"))),
                rx.dropdown_menu.content(
                    rx.dropdown_menu.item(tr("Delete"), color="red", on_select=OrganizationState.delete),
                    align="end",
                ),
            ),
            class_name="row gap12 person-head",
        ),
        class_name="record-head",
    )


def _sum(row: rx.Var[Sum]) -> rx.Component:
    return rx.el.span(
        row.label, " ", rx.el.span(row.value, class_name="num b"), " (", row.count, ")  ", key=row.label + row.value
    )


def _section(title: rx.Var[str], *content: rx.Component) -> rx.Component:
    head = rx.el.div(rx.el.h2(title, class_name="b grow"), class_name="row side-head")
    return rx.el.section(head, *content, class_name="sect")


def _details() -> rx.Component:
    return _section(
        tr("Details"),
        rx.el.dl(
            rx.el.dt(tr("Address")),
            rx.el.dd(
                edit_field(
                    WHAT.address,
                    tr("Address"),
                    lambda text: OrganizationState.change("address", text),
                    "organization-edit-address",
                    placeholder=tr("Add a postal address"),
                    dir="auto",
                ),
                _wrong("address"),
            ),
            class_name="facts facts-left fact-edit",
            data_testid="organization-details",
        ),
    )


def _name() -> rx.Component:
    """The name as the page's heading; it is changed by clicking it."""
    return rx.fragment(
        rx.el.h1(
            rx.el.span(WHAT.name, class_name="sizer", aria_hidden="true"),
            edit_field(
                WHAT.name,
                tr("Name"),
                lambda text: OrganizationState.change("name", text),
                "organization-edit-name",
                cls="t5",
                dir="auto",
            ),
            class_name="t5 deal-title person-title",
            aria_label=WHAT.name,
        ),
        _wrong("name"),
    )


def _wrong(name: str) -> rx.Component:
    return rx.cond(OrganizationState.wrong_field == name, wrong(OrganizationState.wrong))


def _domains() -> rx.Component:
    return _section(
        tr("Domains"),
        rx.el.ul(rx.foreach(OrganizationState.domains, _domain), class_name="col gap4"),
        rx.el.form(
            rx.el.div(
                text_input(
                    "organization_domain",
                    placeholder="example.com",
                    aria_label=tr("Another domain"),
                    data_testid="organization-domain",
                ),
                button(tr("Add"), type="submit", data_testid="organization-domain-add"),
                class_name="row gap6",
            ),
            error_line(OrganizationState.wrong_domain),
            on_submit=OrganizationState.add_domain,
            reset_on_submit=True,
            class_name="col gap6",
        ),
    )


def _domain(row: rx.Var[Domain]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.shown, class_name="cut grow"),
        icon_button("x", tr("Remove the domain"), on_click=OrganizationState.remove_domain(row.value)),
        class_name="row",
        key=row.value,
        data_testid="organization-domain-row",
    )


def _people() -> rx.Component:
    return _section(
        tr("People"),
        rx.cond(
            OrganizationState.people.length() > 0,
            rx.el.ul(rx.foreach(OrganizationState.people, _person), class_name="col gap12"),
            rx.el.p(tr("Nobody yet."), class_name="dim"),
        ),
    )


def _person(row: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            avatar(row.initials, row.hue, size="sm"),
            rx.el.span(
                rx.el.span(row.name, class_name="b cut", dir="auto"),
                rx.cond(row.job != "", rx.el.span(row.job, class_name="t1 dim cut", dir="auto")),
                class_name="col grow",
            ),
            href=row.href,
            class_name="row row-link",
        ),
        key=row.id,
        data_testid="organization-person",
    )


def _deals() -> rx.Component:
    return _section(
        tr("Deals"),
        rx.cond(
            OrganizationState.deals.length() > 0,
            rx.el.ul(
                rx.foreach(OrganizationState.deals, lambda row: deal_line(row, "organization-deal")),
                class_name="col gap12 side-deals",
            ),
            rx.el.p(tr("No deals yet."), class_name="dim"),
        ),
    )
