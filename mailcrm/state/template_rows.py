"""What /templates shows of templates: rows under headings, the open one, its results. Pure."""

from dataclasses import dataclass

from mailcrm.services import i18n
from mailcrm.services.i18n import N_
from mailcrm.services.writing import merge_fields
from mailcrm.services.writing.views import FieldChoice, TemplateLine, TemplateResults, TemplateView
from mailcrm.state.present import Eyes

SECTIONS = {True: N_("Shared with the team"), False: N_("Only you")}


@dataclass(frozen=True)
class TemplateRow:
    """A template in the list; `section` and `folder_head` are headings above it, "" without."""

    id: int
    name: str
    subject: str
    folder: str
    section: str
    folder_head: str
    opened: str
    opened_label: str
    shared: bool
    changeable: bool


@dataclass(frozen=True)
class KeptRow:
    """A file of the open template."""

    n: int
    name: str
    size: str


@dataclass(frozen=True)
class OpenTemplate:
    """The template that is open; `id` 0 for none."""

    id: int = 0
    name: str = ""
    subject: str = ""
    html: str = ""
    folder: str = ""
    shared: bool = False
    changeable: bool = False
    owner: str = ""


@dataclass(frozen=True)
class Results:
    """What became of the emails sent with it; empty texts where nothing is known."""

    sent: str = ""
    opened: str = ""
    clicked: str = ""
    replied: str = ""


@dataclass(frozen=True)
class PersonChoice:
    """Somebody to preview with."""

    id: int = 0
    name: str = ""
    detail: str = ""


def choice(each: FieldChoice) -> dict[str, str]:
    """Return a merge field as the editor offers it."""
    # in a template a pill shows what the field is called: there is no recipient yet
    return {"name": each.field, "label": each.label, "value": each.label, "group": each.group}


def opened(found: TemplateView) -> OpenTemplate:
    """Return the open template of a view."""
    line = found.line
    return OpenTemplate(
        line.id, line.name, line.subject, found.html, line.folder, line.shared, line.changeable, line.owner
    )


def rows_of(
    eyes: Eyes,
    found: tuple[TemplateLine, ...],
    known: dict[int, TemplateResults],
    labels: dict[str, str],
    *,
    headed: bool,
) -> list[TemplateRow]:
    """Return the list's rows; `headed` ones stand under section and folder."""
    made: list[TemplateRow] = []
    before: TemplateLine | None = None
    for line in found:
        new_section = headed and (before is None or before.shared != line.shared)
        new_folder = headed and line.folder != "" and (new_section or before is None or before.folder != line.folder)
        became = known.get(line.id)
        share = percent(eyes, became.opened, became.tracked) if became is not None else ""
        made.append(
            TemplateRow(
                id=line.id,
                name=line.name,
                subject=merge_fields.fill_text(line.subject or line.snippet, {}, labels=labels).content,
                folder=line.folder,
                section=eyes.t(SECTIONS[line.shared]) if new_section else "",
                folder_head=line.folder if new_folder else "",
                opened=share,
                opened_label=eyes.t(N_("{share} opened"), share=share) if share else "",
                shared=line.shared,
                changeable=line.changeable,
            )
        )
        before = line
    return made


def results_of(eyes: Eyes, became: TemplateResults | None) -> Results:
    """Return what became of a template's emails, in words."""
    if became is None:
        return Results()
    return Results(
        sent=i18n.number(eyes.language, became.sent),
        opened=percent(eyes, became.opened, became.tracked),
        clicked=percent(eyes, became.clicked, became.tracked),
        replied=percent(eyes, became.replied, became.sent),
    )


def percent(eyes: Eyes, part: int, whole: int) -> str:
    """Return a share of at least twenty; below that the count, which says more (DESIGN §3 j)."""
    if not whole:
        return ""
    if whole < 20:
        return i18n.number(eyes.language, part)
    return f"{round(100 * part / whole)}%"
