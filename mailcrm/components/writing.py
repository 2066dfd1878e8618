"""Parts that the pages of templates and signatures share: a preview, a file picker, merge fields for a line."""

from typing import Any

import reflex as rx

from mailcrm.components.html_frame import SANDBOX
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr

#: Posts each chosen file, then clicks the hidden button beside the input: the page reads the list again. A refusal is
#: one sentence of the server's, shown under the button.
_POST = """async (event) => {
  const input = event.target, box = input.closest(".file-picker"), said = box.querySelector("[role=alert]");
  said.textContent = "";
  for (const file of input.files) {
    const body = new FormData();
    body.append("inline", "0");
    body.append("file", file, file.name);
    box.dataset.busy = "true";
    try {
      const answer = await fetch(input.dataset.url, { method: "POST", body });
      if (answer.status !== 201) said.textContent = (await answer.json()).error || box.dataset.failed;
    } catch { said.textContent = box.dataset.failed; }
    delete box.dataset.busy;
  }
  input.value = "";
  box.querySelector("[data-done]").click();
}"""


def file_picker(url: Any, on_done: Any, label: Any, testid: str) -> rx.Component:
    """Return a button that uploads files to `url` over HTTP, then calls `on_done`."""
    return rx.el.div(
        rx.el.label(
            icon("paperclip", size=14),
            label,
            rx.el.input(
                type="file",
                multiple=True,
                class_name="sr",
                data_testid=testid,
                custom_attrs={"onChange": rx.Var(f"({_POST})"), "data-url": url},
            ),
            class_name="btn btn-soft btn-sm",
        ),
        rx.el.p(class_name="wrong", role="alert"),
        rx.el.button(type="button", hidden=True, on_click=on_done, custom_attrs={"data-done": "true"}),
        class_name="file-picker",
        custom_attrs={"data-failed": tr("The file did not reach the server. Try again.")},
    )


def preview_frame(url: rx.Var[str], subject: rx.Var[str] | None, title: Any) -> rx.Component:
    """Return a text as somebody would get it, in a frame without scripts."""
    return rx.el.div(
        rx.el.p(subject, class_name="b", dir="auto", data_testid="preview-subject")
        if subject is not None
        else rx.fragment(),
        rx.cond(
            url != "",
            rx.el.iframe(
                src=rx.color_mode_cond(light=url, dark=url + "&theme=dark"),
                title=title,
                sandbox=SANDBOX,
                referrer_policy="no-referrer",
                class_name="mail-frame",
                data_testid="preview-frame",
            ),
        ),
        class_name="tpl-preview",
    )


def subject_fields(
    fields: rx.Var[list[dict[str, str]]], field_id: str, testid: str, *, small: bool = False
) -> rx.Component:
    """Return the menu of merge fields for a line of text: put in by the browser, where the cursor stands.

    `small` shows a sign of it instead of words.
    """
    put = (
        "(event) => { if (event.target.value)"
        f" window.mailcrmPutIn('{field_id}', '{{{{ ' + event.target.value + ' }}}}'); }}"
    )
    pick = rx.el.select(
        rx.el.option(tr("Merge field"), value=""),
        rx.foreach(fields, lambda each: rx.el.option(each["label"], value=each["name"])),
        value="",
        class_name="" if small else "pick bar-pick tpl-fields",
        aria_label=tr("Add a merge field to the subject"),
        data_testid=testid,
        custom_attrs={"onChange": rx.Var(put)},
    )
    if not small:
        return pick
    return rx.el.span(
        icon("braces"), pick, class_name="icon-btn pick-over", title=tr("Add a merge field to the subject")
    )
