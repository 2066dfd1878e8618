"""The list of templates: sections, folders, rows that are opened by a click and ordered by dragging."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.drop_zone import draggable, drop_zone
from mailcrm.components.icons import icon
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.template_rows import TemplateRow
from mailcrm.state.templates import TemplatesState

STATE = TemplatesState
ONE = TemplatesState.current
PAUSE_MS = 180


def template_list() -> rx.Component:
    """Return the list pane."""
    return rx.el.section(
        rx.el.header(
            rx.el.h1(tr("Templates"), class_name="t3"),
            rx.el.span(STATE.count, class_name="t2 dim num"),
            rx.el.span(class_name="grow"),
            icon_button(
                "folder-plus", tr("New folder"), on_click=STATE.ask_name("new", ""), data_testid="template-folder-new"
            ),
            icon_button("plus", tr("New template"), on_click=STATE.create(""), data_testid="template-create"),
            class_name="bar",
        ),
        rx.el.label(
            icon("search", size=14),
            rx.el.input(
                type="search",
                placeholder=tr("Search templates"),
                aria_label=tr("Search templates"),
                default_value=STATE.query,
                on_change=lambda text: STATE.find(text).debounce(PAUSE_MS),
                data_testid="template-search",
                custom_attrs={"data-key": "/"},
            ),
            class_name="bar-search tpl-search",
        ),
        rx.el.div(
            rx.cond(
                STATE.failed != "",
                empty(
                    "cloud-off",
                    tr("Couldn’t load this list"),
                    STATE.failed,
                    button(tr("Try again"), on_click=STATE.refresh),
                ),
                rx.cond(
                    STATE.rows.length() > 0,
                    rx.el.ul(rx.foreach(STATE.rows, _row), data_testid="template-list"),
                    rx.cond(STATE.loaded, _nothing(), bones(6)),
                ),
            ),
            class_name="scroll",
        ),
        class_name="list-pane tpl-list",
        aria_label=tr("Templates"),
    )


def _nothing() -> rx.Component:
    return rx.cond(
        STATE.query != "",
        empty("search-x", tr("Nothing for “{text}”", text=STATE.query), tr("Try another word.")),
        empty(
            "layout-template",
            tr("No templates yet"),
            tr("Write an email once, and start from it every time."),
            ink(icon("plus"), tr("New template"), on_click=STATE.create(""), data_testid="template-create-first"),
        ),
    )


def _row(row: rx.Var[TemplateRow]) -> rx.Component:
    return rx.el.li(
        rx.cond(row.section != "", rx.el.h2(row.section, class_name="tpl-section")),
        rx.cond(
            row.folder_head != "",
            rx.el.h3(
                icon("folder", size=14),
                rx.el.span(row.folder_head, class_name="cut", dir="auto"),
                class_name="tpl-folder",
            ),
        ),
        drop_zone(
            rx.el.button(
                rx.el.span(
                    rx.el.span(row.name, class_name="b cut grow", dir="auto"),
                    rx.cond(
                        row.opened != "",
                        rx.el.span(
                            icon("eye", size=14),
                            rx.el.span(row.opened, class_name="num"),
                            class_name="tpl-opened",
                            title=row.opened_label,
                        ),
                    ),
                    class_name="row gap6",
                ),
                rx.el.span(row.subject, class_name="dim cut", dir="auto"),
                type="button",
                class_name="tpl-row",
                on_click=STATE.select(row.id),
                data_testid="template-row",
                draggable=row.changeable,
                custom_attrs={
                    "aria-current": rx.cond(row.id == ONE.id, "true", "false"),
                    "data-id": row.id,
                    **draggable(row.id),
                },
            ),
            on_drop=lambda carried: STATE.drop(carried, row.id),
            class_name="tpl-drop",
        ),
        key=row.id,
    )
