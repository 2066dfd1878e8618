"""Comfortable or compact lists: a choice of this browser, kept and shown by assets/density.js without the server."""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr


def density_choice(name: str) -> rx.Component:
    """Return the two choices; which one holds is marked by the script once they are on the page."""
    return rx.el.div(
        *[
            rx.el.label(
                rx.el.input(
                    type="radio", name=name, value=value, class_name="sr", custom_attrs={"data-density-set": value}
                ),
                icon(mark, size=14),
                label,
                class_name="seg-item",
                data_testid=f"density-{value}",
            )
            for value, mark, label in (
                ("comfortable", "rows-2", tr("Comfortable")),
                ("compact", "rows-4", tr("Compact")),
            )
        ],
        class_name="seg seg-box density",
        role="radiogroup",
        aria_label=tr("Density"),
        on_mount=rx.call_script("window.mailcrmDensity?.()"),
    )
