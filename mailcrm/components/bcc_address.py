"""A Smart Bcc address with its copy button; the section of a deal's and a lead's page (M21)."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.help import help_mark
from mailcrm.components.icons import icon
from mailcrm.state.bcc_address import BccAddressState
from mailcrm.state.i18n import tr

STATE = BccAddressState


def address_row(address: rx.Var[str], *more: rx.Component, testid: str = "bcc-address") -> rx.Component:
    """Return an address that is read, selected, or copied with one button."""
    return rx.el.div(
        rx.el.input(
            value=address,
            read_only=True,
            aria_label=tr("Smart Bcc address"),
            class_name="input grow bcc-address",
            dir="ltr",
            data_testid=testid,
        ),
        icon_button(
            "copy",
            tr("Copy address"),
            on_click=[rx.set_clipboard(address), BccAddressState.copied],
            data_testid=f"{testid}-copy",
        ),
        *more,
        class_name="row gap6",
    )


def record_address(text: Any) -> rx.Component:
    """Return the section: the record's own address, made when somebody asks for it."""
    return rx.cond(
        STATE.on,
        rx.el.section(
            rx.el.div(rx.el.h2(tr("Smart Bcc"), class_name="b"), help_mark("smart-bcc"), class_name="row gap4"),
            rx.el.p(text, class_name="t1 dim bcc-text"),
            rx.cond(
                STATE.address != "",
                address_row(
                    STATE.address,
                    icon_button(
                        "refresh-cw", tr("New address"), on_click=STATE.reissue, data_testid="bcc-address-reissue"
                    ),
                ),
                button(icon("at-sign"), tr("Show address"), on_click=STATE.make, data_testid="bcc-address-show"),
            ),
            class_name="sect",
            data_testid="bcc-section",
        ),
    )
