"""Teams, and the table who sees what: two sections of Settings › People."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, tick
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.teams import Mate, RuleRow, TeamRow, TeamsState


def teams_section() -> rx.Component:
    """Return the list of teams."""
    return rx.fragment(
        option(
            tr("Teams"),
            tr("Colleagues who see each other’s contacts and deals where a role sees its team’s."),
            rx.cond(
                TeamsState.loaded,
                rx.cond(
                    TeamsState.rows.length() > 0,
                    rx.el.ul(rx.foreach(TeamsState.rows, _team), data_testid="team-list"),
                    rx.el.p(tr("No team yet."), class_name="dim"),
                ),
                bones(2),
            ),
            rx.cond(
                TeamsState.admin,
                rx.el.div(button(icon("plus"), tr("Add a team"), on_click=TeamsState.edit(0), data_testid="team-add")),
            ),
        ),
        _dialog(),
    )


def who_sees_what() -> rx.Component:
    """Return the table of roles and kinds."""
    return option(
        tr("Who sees what"),
        tr("What has no owner is seen by everybody. Email stays its owner’s until they share it."),
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(rx.el.span(tr("Kind"), class_name="sr"), scope="col"),
                    rx.el.th(tr("Members see"), scope="col", class_name="t1 dim"),
                    rx.el.th(tr("Administrators see"), scope="col", class_name="t1 dim"),
                    rx.el.th(scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(TeamsState.rules, _rule)),
            class_name="access-table",
            data_testid="role-access",
        ),
    )


def _team(row: rx.Var[TeamRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(
            rx.el.span(row.name, class_name="b cut", dir="auto"),
            rx.el.span(row.who, class_name="t1 dim cut", dir="auto"),
            class_name="col grow",
        ),
        rx.cond(
            TeamsState.admin,
            rx.fragment(
                icon_button(
                    "pencil",
                    tr("Edit {name}", name=row.name),
                    on_click=TeamsState.edit(row.id),
                    data_testid="team-edit",
                ),
                icon_button(
                    "trash-2",
                    tr("Delete {name}", name=row.name),
                    on_click=TeamsState.delete(row.id),
                    data_testid="team-delete",
                ),
            ),
        ),
        class_name="row people-row",
        data_testid="team-row",
        key=row.id,
    )


def _rule(row: rx.Var[RuleRow]) -> rx.Component:
    name = rx.match(
        row.kind,
        ("person", tr("Contacts")),
        ("organization", tr("Organizations")),
        ("deal", tr("Deals")),
        tr("Leads"),
    )
    return rx.el.tr(
        rx.el.th(name, scope="row", class_name="b"),
        rx.el.td(_scope(row, "member", row.member, tr("Members see"))),
        rx.el.td(_scope(row, "admin", row.admin, tr("Administrators see"))),
        rx.el.td(tick(TeamsState.saved == row.kind)),
        custom_attrs={"data-kind": row.kind},
        key=row.kind,
    )


def _scope(row: rx.Var[RuleRow], role: str, value: rx.Var[str], label: Any) -> rx.Component:
    return rx.el.select(
        rx.el.option(tr("Everyone’s"), value="everyone"),
        rx.el.option(tr("Their teams’"), value="team"),
        rx.el.option(tr("Their own"), value="own"),
        value=value,
        on_change=lambda scope: TeamsState.set_scope(role, row.kind, scope),
        disabled=~TeamsState.admin,
        class_name="pick",
        aria_label=label,
        data_testid=f"access-{role}",
    )


def _dialog() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Name"),
                text_input(
                    "team_name",
                    key=TeamsState.team_id,
                    default_value=TeamsState.name,
                    auto_complete="off",
                    dir="auto",
                    data_testid="team-name",
                ),
                name="team_name",
            ),
            rx.el.fieldset(
                rx.el.legend(tr("Members"), class_name="b"),
                rx.el.ul(rx.foreach(TeamsState.mates, _mate), class_name="scroll", style={"maxBlockSize": "280px"}),
            ),
            error_line(TeamsState.wrong),
            dialog_actions(tr("Save"), "team-save"),
            on_submit=TeamsState.save,
            class_name="col gap12",
        ),
        open_when=TeamsState.editing,
        on_open_change=TeamsState.close,
        title=rx.cond(TeamsState.team_id > 0, tr("Edit the team"), tr("Add a team")),
        text=None,
    )


def _mate(row: rx.Var[Mate]) -> rx.Component:
    return rx.el.li(
        rx.el.label(
            rx.el.input(
                type="checkbox",
                checked=TeamsState.chosen.contains(row.id),
                on_change=lambda on: TeamsState.pick(row.id, on),
                data_testid="team-member",
            ),
            rx.el.span(row.name, dir="auto"),
            class_name="row gap6",
        ),
        key=row.id,
    )
