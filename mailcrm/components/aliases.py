"""Other own addresses of a mailbox: the list, and the field that adds one."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.forms import error_line
from mailcrm.components.settings import option
from mailcrm.state.aliases import AliasRow, AliasState
from mailcrm.state.i18n import tr


def other_addresses() -> rx.Component:
    """Return the section."""
    return option(
        tr("Other addresses"),
        tr("Addresses that this mailbox receives and sends as, too. Email from them counts as yours."),
        rx.el.form(
            rx.el.input(
                name="alias_address",
                type="text",
                inputmode="email",
                auto_complete="off",
                spell_check=False,
                placeholder=tr("name@company.com"),
                aria_label=tr("Other address"),
                class_name="input grow",
                data_testid="alias-address",
            ),
            button(tr("Add"), type="submit", data_testid="alias-add"),
            on_submit=AliasState.add,
            class_name="row",
        ),
        error_line(AliasState.wrong),
        rx.cond(
            AliasState.said != "", rx.el.p(AliasState.said, class_name="dim", role="status", data_testid="alias-said")
        ),
        rx.cond(
            AliasState.rows.length() > 0,
            rx.el.ul(rx.foreach(AliasState.rows, _row), aria_label=tr("Other addresses")),
        ),
    )


def _row(row: rx.Var[AliasRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.address, class_name="grow cut", dir="auto"),
        icon_button("x", tr("Remove {address}", address=row.address), on_click=AliasState.remove(row.id)),
        class_name="row",
        data_testid="alias-row",
        key=row.id,
    )
