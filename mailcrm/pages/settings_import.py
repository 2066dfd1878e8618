"""Settings › Import and export: CSV files in, with a look at what would happen, and out."""

import reflex as rx

from mailcrm.components.dialogs import question
from mailcrm.components.forms import error_line
from mailcrm.components.import_start import import_start
from mailcrm.components.import_steps import import_steps
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.importing import ImportState


def settings_import() -> rx.Component:
    """Return the page."""
    return settings_page(
        error_line(ImportState.wrong),
        rx.cond(
            ImportState.loaded,
            rx.cond(ImportState.open.id > 0, import_steps(), import_start()),
            bones(3),
        ),
        question(
            open_when=ImportState.undoing > 0,
            on_open_change=ImportState.close_question,
            title=tr("Undo the import of {name}?", name=ImportState.undoing_name),
            text=tr("Everything that it made goes to the trash. What it changed stays as it is now."),
            label=tr("Undo"),
            on_confirm=ImportState.undo,
            testid="import-undo-confirm",
        ),
        here="import",
        title=tr("Import and export"),
    )
