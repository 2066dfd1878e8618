"""The window over the page in which files are looked at: one for the page, filled and driven by assets/reading.js.

Nothing about it goes to the server but the request for the file itself.
"""

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr


def preview() -> rx.Component:
    """Return the empty window."""
    return rx.el.dialog(
        rx.el.header(
            rx.el.p(rx.el.bdi(class_name="b cut", custom_attrs={"data-name": ""}), class_name="cut grow"),
            rx.el.span(class_name="t1 dim num", custom_attrs={"data-place": ""}, role="status"),
            icon_button("chevron-left", tr("Previous file"), custom_attrs={"data-step": "-1"}),
            icon_button("chevron-right", tr("Next file"), custom_attrs={"data-step": "1"}),
            rx.el.a(
                icon("download"),
                reload_document=True,
                href="#",
                class_name="icon-btn",
                aria_label=tr("Download"),
                title=tr("Download"),
                custom_attrs={"data-download": ""},
                data_testid="preview-download",
            ),
            icon_button("x", tr("Close"), custom_attrs={"data-close": ""}, data_testid="preview-close"),
            class_name="preview-bar",
        ),
        rx.el.div(class_name="preview-stage", custom_attrs={"data-stage": ""}),
        rx.el.p(tr("This file can’t be shown. Download it to open it."), class_name="preview-failed", hidden=True),
        class_name="preview",
        id="file-preview",
        aria_label=tr("File"),
        data_testid="preview",
    )
