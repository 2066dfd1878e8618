"""What opens over the composer: the templates, deals and leads to pick from, and the email as its recipient gets it."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.composer_strips import text_frame
from mailcrm.components.icons import icon
from mailcrm.state.composer import ComposerState
from mailcrm.state.composer_tools import Choice, ComposerToolsState
from mailcrm.state.i18n import tr

SEARCH_PAUSE_MS = 150


def picker() -> rx.Component:
    """Return the picker that is open over the composer."""
    return rx.cond(
        ComposerToolsState.kind != "",
        rx.el.section(
            rx.el.header(
                rx.cond(
                    ComposerToolsState.kind == "preview",
                    rx.el.h3(tr("As {name} gets it", name=ComposerToolsState.who), class_name="t2 b cut grow", dir="auto"),
                    rx.el.input(
                        type="search",
                        placeholder=rx.cond(
                            ComposerToolsState.kind == "link", tr("Find a deal or lead"), tr("Find a template")
                        ),
                        on_change=lambda text: ComposerToolsState.find(text).debounce(SEARCH_PAUSE_MS),
                        auto_focus=True,
                        dir="auto",
                        aria_label=rx.cond(
                            ComposerToolsState.kind == "link", tr("Find a deal or lead"), tr("Find a template")
                        ),
                        class_name="grow",
                        data_testid="picker-search",
                    ),
                ),
                icon_button(
                    "x", tr("Close"), on_click=ComposerToolsState.open_picker(""), data_testid="picker-close",
                    custom_attrs={"data-key": "picker"},
                ),
                class_name="composer-pick-bar",
            ),
            rx.cond(
                ComposerToolsState.kind == "preview",
                rx.fragment(
                    rx.el.p(ComposerToolsState.subject, class_name="b composer-pick-subject", dir="auto"),
                    text_frame(ComposerToolsState.page, tr("Preview")),
                ),
                rx.el.div(
                    rx.el.ul(
                        rx.cond(
                            (ComposerToolsState.kind == "link") & (ComposerState.deal + ComposerState.lead != ""),
                            rx.el.li(
                                rx.el.button(
                                    icon("unlink", size=14), tr("Take the link off"), type="button",
                                    class_name="menu-item", on_click=ComposerToolsState.link("none", 0),
                                )
                            ),
                        ),
                        rx.foreach(ComposerToolsState.rows, _choice),
                        rx.cond(
                            ComposerToolsState.rows.length() == 0,
                            rx.el.li(
                                rx.el.p(
                                    rx.cond(ComposerToolsState.none_yet, tr("No templates yet"), tr("Nothing found")),
                                    class_name="hint composer-pick-none",
                                )
                            ),
                        ),
                        rx.cond(ComposerToolsState.kind == "templates", _more()),
                        class_name="composer-pick-list",
                    ),
                    rx.cond(
                        ComposerToolsState.shown > 0,
                        rx.el.div(
                            rx.el.p(ComposerToolsState.subject, class_name="b composer-pick-subject", dir="auto"),
                            text_frame(ComposerToolsState.page, tr("Preview")),
                            button(
                                tr("Use this template"), look="ink", data_testid="template-use",
                                on_click=ComposerToolsState.use_template(ComposerToolsState.shown),
                            ),
                            class_name="composer-pick-look",
                        ),
                    ),
                    class_name="composer-pick-main",
                ),
            ),
            class_name="composer-pick",
            aria_label=tr("Choose"),
        ),
    )  # fmt: skip


def _more() -> rx.Component:
    """Return what else can be done about templates: make one of this email, or an empty one."""
    return rx.fragment(
        rx.el.li(
            rx.el.button(
                icon("bookmark-plus", size=14), tr("Save this email as a template"), type="button",
                class_name="menu-item", on_click=ComposerToolsState.keep_as_template, data_testid="picker-keep",
            ),
            class_name="composer-pick-more",
        ),
        rx.el.li(
            rx.el.a(
                icon("plus", size=14), tr("New template"), href=routes.TEMPLATES, class_name="menu-item",
                data_testid="picker-new",
            )
        ),
    )  # fmt: skip


def _choice(row: rx.Var[Choice]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.match(
                row.kind,
                ("deal", icon("circle-dollar-sign", size=14)),
                ("lead", icon("sprout", size=14)),
                icon("layout-template", size=14),
            ),
            rx.el.span(
                rx.el.span(row.title, class_name="cut", dir="auto"),
                rx.el.span(row.about, class_name="t1 dim cut", dir="auto"),
                class_name="col grow",
            ),
            type="button",
            class_name="menu-item composer-pick-row",
            on_click=rx.cond(
                row.kind == "template",
                ComposerToolsState.look_at(row.id),
                ComposerToolsState.link(row.kind, row.id),
            ),
            data_testid="picker-row",
        )
    )
