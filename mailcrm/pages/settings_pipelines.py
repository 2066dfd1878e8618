"""Settings › Pipelines: what stages deals go through."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.settings_pipelines import PipelineRow, PipelinesState, StageRow

FIXED = ~PipelinesState.admin


def settings_pipelines() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(
            PipelinesState.loaded & FIXED,
            rx.el.p(tr("Administrators change pipelines and stages."), class_name="hint"),
        ),
        rx.cond((PipelinesState.leaving_id == 0) & ~PipelinesState.creating, error_line(PipelinesState.wrong)),
        rx.cond(PipelinesState.loaded, rx.fragment(rx.foreach(PipelinesState.rows, _pipeline)), bones(5)),
        _create(),
        _where_to(),
        here="pipelines",
        title=tr("Pipelines"),
        action=rx.cond(
            PipelinesState.admin,
            button(
                icon("plus"),
                tr("Pipeline"),
                look="ink",
                on_click=PipelinesState.set_creating(True),
                data_testid="pipeline-create",
            ),
        ),
    )


def _pipeline(row: rx.Var[PipelineRow]) -> rx.Component:
    return rx.el.section(
        rx.el.div(
            rx.el.input(
                default_value=row.name,
                key=row.name,
                class_name="input quiet-input b",
                dir="auto",
                disabled=FIXED,
                aria_label=tr("Name of the pipeline"),
                on_blur=lambda name: PipelinesState.rename(row.id, name),
                data_testid="pipeline-name",
            ),
            rx.el.span(class_name="grow"),
            rx.cond(
                PipelinesState.admin,
                rx.fragment(
                    icon_button(
                        "arrow-up",
                        tr("Move {name} up", name=row.name),
                        on_click=PipelinesState.raise_pipeline(row.id),
                        disabled=row.first,
                        data_testid="pipeline-up",
                    ),
                    icon_button(
                        "trash-2",
                        tr("Delete {name}", name=row.name),
                        on_click=PipelinesState.delete("pipeline", row.id),
                        data_testid="pipeline-delete",
                    ),
                ),
            ),
            class_name="row",
        ),
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th(tr("Stage")),
                        rx.el.th(tr("Probability, %"), class_name="n"),
                        rx.el.th(tr("Quiet after, days"), class_name="n"),
                        rx.el.th(tr("Deals"), class_name="n"),
                        rx.el.th(rx.el.span(tr("Change"), class_name="sr")),
                    )
                ),
                rx.el.tbody(rx.foreach(row.stages, _stage)),
                class_name="table stage-table",
            ),
            class_name="ledger-box",
        ),
        rx.cond(
            PipelinesState.admin,
            rx.el.div(
                button(
                    icon("plus", size=14),
                    tr("Stage"),
                    size="btn-sm",
                    on_click=PipelinesState.add_stage(row.id),
                    data_testid="stage-create",
                ),
                class_name="row",
            ),
        ),
        class_name="col gap12 pipeline",
        data_testid="pipeline",
        key=row.id,
    )


def _stage(row: rx.Var[StageRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(_cell(row, "name", row.name, tr("Name of the stage"), dir="auto")),
        rx.el.td(
            _cell(row, "probability", row.probability, tr("Probability of {name}", name=row.name), inputmode="numeric"),
            class_name="n",
        ),
        rx.el.td(
            _cell(
                row, "quiet", row.quiet, tr("Quiet days of {name}", name=row.name), inputmode="numeric", placeholder="–"
            ),
            class_name="n",
        ),
        rx.el.td(row.deals, class_name="n dim"),
        rx.el.td(
            rx.cond(
                PipelinesState.admin,
                rx.el.div(
                    icon_button(
                        "arrow-up",
                        tr("Move {name} up", name=row.name),
                        on_click=PipelinesState.move(row.id, 0),
                        disabled=row.first,
                        data_testid="stage-up",
                    ),
                    icon_button(
                        "arrow-down",
                        tr("Move {name} down", name=row.name),
                        on_click=PipelinesState.move(row.id, 1),
                        disabled=row.last,
                        data_testid="stage-down",
                    ),
                    icon_button(
                        "trash-2",
                        tr("Delete {name}", name=row.name),
                        on_click=PipelinesState.delete("stage", row.id),
                        data_testid="stage-delete",
                    ),
                    class_name="row gap4 stage-acts",
                ),
            )
        ),
        data_testid="stage-row",
        key=row.id,
    )


def _cell(row: rx.Var[StageRow], name: str, value: rx.Var[str], label: rx.Var[str], **props: object) -> rx.Component:
    return rx.el.input(
        default_value=value,
        key=value,
        class_name="input quiet-input",
        disabled=FIXED,
        aria_label=label,
        on_blur=lambda typed: PipelinesState.change(row.id, name, typed),
        data_testid=f"stage-{name}",
        **props,
    )


def _create() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Name"),
                text_input(
                    "pipeline_name", auto_focus=True, dir="auto", auto_complete="off", data_testid="pipeline-new"
                ),
                name="pipeline_name",
            ),
            error_line(PipelinesState.wrong),
            dialog_actions(tr("Create pipeline"), "pipeline-save"),
            on_submit=PipelinesState.create,
            class_name="col gap12",
        ),
        open_when=PipelinesState.creating,
        on_open_change=PipelinesState.set_creating,
        title=tr("New pipeline"),
        text=tr("It begins with the usual stages; change them afterwards."),
    )


def _where_to() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Move its deals to"),
                rx.el.select(
                    rx.foreach(
                        PipelinesState.targets, lambda one: rx.el.option(one.label, value=one.value, key=one.value)
                    ),
                    id="stage_target",
                    name="stage_target",
                    class_name="pick",
                    data_testid="stage-target",
                ),
                name="stage_target",
            ),
            error_line(PipelinesState.wrong),
            dialog_actions(tr("Move and delete"), "stage-move-delete", look="bad"),
            on_submit=PipelinesState.move_and_delete,
            class_name="col gap12",
        ),
        open_when=PipelinesState.leaving_id > 0,
        on_open_change=PipelinesState.close_question,
        title=tr("Delete {name}?", name=PipelinesState.leaving_name),
        text=tr("It still has deals. Nothing is lost: choose the stage they move to."),
    )
