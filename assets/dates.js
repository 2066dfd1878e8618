// Dates in fields read as the page's language writes them; a browser would show its own format. What is typed into and
// picked from stays the browser's field: the words stand over it until it has the focus.
(() => {
  "use strict";
  const SELECTOR = ".shown-field > input:is([type=date], [type=datetime-local])";
  const language = () => ({ en: "en-GB" })[document.documentElement.lang] || document.documentElement.lang || "en-GB";
  const words = (field) => {
    const time = field.type === "datetime-local";
    const at = new Date(time ? field.value : `${field.value}T00:00`);
    if (!field.value || Number.isNaN(at.getTime())) return "";
    const parts = { day: "numeric", month: "short", year: "numeric", ...(time ? { hour: "2-digit", minute: "2-digit" } : {}) };
    return new Intl.DateTimeFormat(language(), parts).format(at);
  };
  const show = (field) => {
    const said = words(field);
    const box = field.nextElementSibling;
    if (box && box.textContent !== said) box.textContent = said;
    field.parentElement.toggleAttribute("data-said", said !== "");
  };
  const all = () => document.querySelectorAll(SELECTOR).forEach(show);
  for (const kind of ["input", "change", "focusout"]) document.addEventListener(kind, (event) => { if (event.target.matches?.(SELECTOR)) show(event.target); }, true);
  let looking = 0;
  new MutationObserver(() => { looking ||= requestAnimationFrame(() => { looking = 0; all(); }); })
    .observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["lang", "value"] });
})();
