// Shortcuts and the two things that only a browser can know: a mail frame's height and the browser's time zone.
// A key acts by clicking the element that carries data-key, so that every shortcut is also a button somebody can see.
// Keys in fields, with a modifier, or while an input method is composing are never ours (DESIGN.md §6).
(() => {
  "use strict";
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT|IFRAME)$/.test(el.tagName));
  const click = (key) => {
    for (const el of document.querySelectorAll(`[data-key="${key}"]`)) {
      if (el.offsetParent !== null || getComputedStyle(el).position === "fixed") { el.click(); return true; }
    }
    return false;
  };
  const rows = () => [...document.querySelectorAll(".thread-row")];
  const select = (row) => {
    for (const other of document.querySelectorAll('.thread-row[aria-current="true"]')) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  };
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.getAttribute("aria-current") === "true");
    const row = all[Math.min(all.length - 1, Math.max(0, at + step))];
    row.scrollIntoView({ block: "nearest" });
    row.focus({ preventScroll: true });
    row.click();
  };

  // One row at a time is reached with Tab: the one last focused, else the open one, else the first.
  const rove = (to) => {
    const all = rows();
    const keep = to ?? all.find((row) => row.tabIndex === 0) ?? all.find((row) => row.getAttribute("aria-current") === "true") ?? all[0];
    for (const row of all) if ((row.tabIndex === 0) !== (row === keep)) row.tabIndex = row === keep ? 0 : -1;
  };
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.(".thread-row");
    if (row) rove(row);
  });
  const step = (from, by) => {
    const all = rows();
    const row = all[all.indexOf(from) + by];
    if (row) { row.scrollIntoView({ block: "nearest" }); row.focus({ preventScroll: true }); }
  };

  // The next page comes by itself before the end of the list is reached; the button is there for keys.
  let asked = "";
  document.addEventListener("scroll", (event) => {
    const list = event.target;
    if (!list.classList?.contains("thread-list") || list.scrollHeight - list.scrollTop - list.clientHeight > 800) return;
    const more = list.querySelector("[data-more]");
    if (more && more.dataset.more !== asked) { asked = more.dataset.more; more.click(); }
  }, { capture: true, passive: true });

  // The composer over the page takes the focus and gives it back to where it was.
  let docked = null;
  let before = null;
  const follow = () => {
    const dock = document.querySelector(".composer-dock");
    if (dock && !docked) {
      if (!dock.contains(document.activeElement)) before = document.activeElement;
      const to = dock.querySelector('[name="to"]');
      if (to && !to.value && !dock.contains(document.activeElement)) to.focus();
    } else if (!dock && docked && before?.isConnected && (document.activeElement === document.body || !document.activeElement)) {
      before.focus({ preventScroll: true });
    }
    docked = dock;
  };
  // A strip of stages too long for a phone begins at the one that counts.
  let shownStage = null;
  const centre = () => {
    const here = document.querySelector('.chevron[data-state="here"]');
    if (!here || here === shownStage) return;
    shownStage = here;
    const strip = here.parentElement;
    if (strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - strip.offsetLeft - strip.clientWidth + here.offsetWidth;
  };
  let looking = 0;
  new MutationObserver(() => { looking ||= requestAnimationFrame(() => { looking = 0; rove(); follow(); centre(); }); })
    .observe(document.documentElement, { childList: true, subtree: true });

  // The selection answers at once; the server's answer confirms it a moment later.
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".thread-row");
    if (row && !event.target.closest("[data-own-click]")) select(row);
  }, true);

  // Skip links move the focus; a change of the address would load the page's data again.
  document.addEventListener("click", (event) => {
    const skip = event.target.closest?.("a.skip");
    if (!skip) return;
    event.preventDefault();
    event.stopPropagation();
    document.getElementById(skip.getAttribute("href").split("#")[1])?.focus();
  }, true);

  // The page behind the panel of a narrow window is a way out of it; so is Escape.
  const closePanel = () => {
    const hide = document.querySelector('.mail[data-crm="true"] [data-hide]');
    if (hide?.offsetParent && getComputedStyle(hide.closest(".crm-pane")).position === "absolute") { hide.click(); return true; }
    return false;
  };
  document.addEventListener("click", (event) => { if (event.target.matches?.(".mail")) closePanel(); });

  // A notice of the browser, not a fault: Reflex would report each one to the server.
  window.addEventListener("error", (event) => {
    if (String(event.message).startsWith("ResizeObserver loop")) { event.stopImmediatePropagation(); event.preventDefault(); }
  }, true);

  let chord = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.(".composer")) {
      event.preventDefault();
      event.target.closest(".composer").querySelector('[data-key="send"]')?.click();
      return;
    }
    if (event.key === "Escape") {
      if (document.querySelector("[data-radix-popper-content-wrapper], [role=dialog]:not(.composer-dock), [role=alertdialog], [role=menu]")) return;
      if (typing(document.activeElement) && !document.activeElement.closest(".composer")) { document.activeElement.blur(); return; }
      if (click("escape")) return;
      closePanel();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.target.matches?.(".thread-row") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault(); step(event.target, event.key === "ArrowDown" ? 1 : -1); return;
    }
    if (event.target.matches?.(".thread-row") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault(); event.target.click(); return;
    }
    if (chord && Date.now() - chord < 1200) {
      chord = 0;
      if (click(`g ${event.key.toLowerCase()}`)) event.preventDefault();
      return;
    }
    const key = event.key.toLowerCase();
    if (key === "g") { chord = Date.now(); return; }
    if (key === "/") {
      const box = [...document.querySelectorAll('[data-key="/"]')].find((each) => each.offsetParent !== null);
      if (box) { event.preventDefault(); box.focus(); }
      return;
    }
    if (key === "z") { document.querySelector('[data-sonner-toast][data-front="true"] [data-button]')?.click(); return; }
    if (key === "j") { move(1); return; }
    if (key === "k") { move(-1); return; }
    if ("craeful#".includes(key) && key.length === 1 && click(key)) event.preventDefault();
  });

  // New mail never moves the row under the pointer: what is inserted above it is scrolled away before it is painted.
  let under = null;
  document.addEventListener("pointermove", (event) => {
    const row = event.target.closest?.(".thread-list li");
    under = row ? { row, top: row.getBoundingClientRect().top } : null;
  }, { passive: true });
  new MutationObserver(() => {
    if (!under?.row.isConnected) return;
    const list = under.row.closest(".thread-list");
    const moved = under.row.getBoundingClientRect().top - under.top;
    if (list && moved > 1 && moved < 2000) list.scrollTop += moved;
  }).observe(document.documentElement, { childList: true, subtree: true });
  document.addEventListener("scroll", () => { if (under?.row.isConnected) under.top = under.row.getBoundingClientRect().top; }, { capture: true, passive: true });

  // Mail frames: same origin, no scripts inside (sandbox without allow-scripts), so we measure from outside.
  // The content's own box is measured, never the body's: a body that fills its frame would grow with it for ever.
  const fit = (frame) => {
    try {
      const page = frame.contentDocument;
      const content = page?.querySelector("body > .mail") ?? page?.body;
      if (!content) return;
      const height = Math.min(Math.max(Math.ceil(content.getBoundingClientRect().bottom + page.defaultView.scrollY) + 2, 24), 40000);
      if (Math.abs(height - (Number(frame.dataset.height) || 0)) > 1) {
        frame.dataset.height = String(height);
        frame.style.blockSize = `${height}px`;
      }
    } catch { /* a frame that navigated away: leave its height */ }
  };
  document.addEventListener("load", (event) => {
    const frame = event.target;
    if (!(frame instanceof HTMLIFrameElement) || !frame.classList.contains("mail-frame")) return;
    frame.dataset.height = "0";
    fit(frame);
    try {
      const page = frame.contentDocument;
      const paper = page.querySelector("html.paper > body > .mail");
      if (paper && !document.documentElement.classList.contains("dark")) { paper.style.padding = "0"; fit(frame); } // white on white needs no margin
      const offer = frame.parentElement.querySelector(".remote-offer");
      if (offer) offer.hidden = !(Number(page.documentElement.dataset.blocked) > 0);
      const later = () => requestAnimationFrame(() => fit(frame));
      for (const kind of ["toggle", "load", "error"]) page.addEventListener(kind, later, true); // quotes, images
      let width = frame.clientWidth;
      new ResizeObserver(() => {
        if (frame.clientWidth !== width) { width = frame.clientWidth; later(); }
      }).observe(frame.parentElement);
    } catch { /* as above */ }
  }, true);

  // Unsaved mail: the editor saves itself; forms tell us nothing. The time zone travels as a preference cookie.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const fill = () => { for (const el of document.querySelectorAll("[data-fill=time-zone]")) el.value = zone; };
  document.addEventListener("submit", fill, true);
  document.cookie = `tz=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
})();
