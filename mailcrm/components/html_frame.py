"""A message's body: an iframe without scripts, from its own route with its own policy (decisions 1 and 10).

`allow-same-origin` lets assets/keys.js measure its height; there is never `allow-scripts` beside it.
"""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr

SANDBOX = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"


def html_frame(body: rx.Var[str], title: rx.Var[str]) -> rx.Component:
    """Return the frame of a message's cleaned body."""
    return rx.el.iframe(
        src=rx.color_mode_cond(light=body, dark=body + rx.cond(body.contains("?"), "&theme=dark", "?theme=dark")),
        title=title,
        sandbox=SANDBOX,
        referrer_policy="no-referrer",
        loading="lazy",
        class_name="mail-frame",
        data_testid="message-frame",
    )


def remote_bar(on_show: rx.EventHandler) -> rx.Component:
    """Return the offer to load a message's images from the network, this once."""
    return rx.el.div(
        icon("image-off", size=14),
        rx.el.span(tr("Remote images are not loaded, so the sender can’t see that you read this."), class_name="grow"),
        button(tr("Show remote images"), look="ghost", size="btn-sm", on_click=on_show, data_testid="show-remote"),
        class_name="remote-bar",
    )
