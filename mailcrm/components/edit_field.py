"""A text that is edited where it stands: Enter or leaving it saves, Escape puts the old text back (DESIGN.md §3 e)."""

from typing import Any

import reflex as rx

#: In the browser alone: leaving the field is what saves; Enter that confirms a conversion is not ours.
_KEYS = rx.Var(
    "(e) => { if (e.nativeEvent.isComposing || e.keyCode === 229) return;"
    " if (e.key === 'Enter') { e.preventDefault(); e.currentTarget.blur(); }"
    " if (e.key === 'Escape') { e.stopPropagation(); e.currentTarget.value = e.currentTarget.defaultValue; e.currentTarget.blur(); } }"
)
#: Left as it was: nothing to save, and no way to the server.
_UNCHANGED = rx.Var("(e) => { if (e.currentTarget.value === e.currentTarget.defaultValue) e.stopPropagation(); }")


def shown_field(field: rx.Component, shown: Any = "") -> rx.Component:
    """Return a field that reads as its user writes such things (`shown`) until it is typed in.

    A date needs no `shown`: the browser says it in the page's language (assets/dates.js); its picker stays.
    """
    return rx.el.span(
        field, rx.el.span(shown, class_name="shown-text num", aria_hidden="true"), class_name="shown-field"
    )


def edit_field(
    value: rx.Var[str],
    label: Any,
    on_save: Any,
    testid: str,
    *,
    kind: str = "text",
    cls: str = "",
    shown: Any = None,
    **props: Any,
) -> rx.Component:
    """Return an input that looks like text; `on_save` takes what stands in it when it is left.

    `shown` is how it reads while nobody types in it.
    """
    props.setdefault("key", value)  # another value is another field: what was typed in the old one is gone
    made = rx.el.input(
        type=kind,
        default_value=value,
        aria_label=label,
        on_blur=on_save,
        auto_complete="off",
        class_name=f"input quiet-input edit-field {cls}".strip(),
        custom_attrs={"onKeyDown": _KEYS, "onBlurCapture": _UNCHANGED},
        data_testid=testid,
        **props,
    )
    if kind != "date" and shown is None:
        return made
    return shown_field(made, "" if shown is None else shown)
