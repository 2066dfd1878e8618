"""A message's body: an iframe without scripts, from its own route with its own policy (decisions 1 and 10).

`allow-same-origin` lets assets/keys.js measure its height; there is never `allow-scripts` beside it.
"""

import reflex as rx

SANDBOX = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"


def html_frame(body: rx.Var[str], title: rx.Var[str], paper: rx.Var[bool] | None = None) -> rx.Component:
    """Return the frame of a message's cleaned body; in the dark, `paper` keeps it on white."""
    and_ = rx.cond(body.contains("?"), "&", "?")
    dark = "theme=dark" if paper is None else rx.cond(paper, "paper=1", "theme=dark")
    return rx.el.iframe(
        src=rx.color_mode_cond(light=body, dark=body + and_ + dark),
        title=title,
        sandbox=SANDBOX,
        referrer_policy="no-referrer",
        loading="lazy",
        class_name="mail-frame",
        data_testid="message-frame",
    )
