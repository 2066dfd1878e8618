// Shortcuts and the two things that only a browser can know: a mail frame's height and the browser's time zone.
// A key acts by clicking the element that carries data-key, so that every shortcut is also a button somebody can see.
// Keys in fields, with a modifier, or while an input method is composing are never ours (DESIGN.md §6).
(() => {
  "use strict";
  const typing = (el) => el && (el.isContentEditable || (/^(INPUT|TEXTAREA|SELECT|IFRAME)$/.test(el.tagName) && el.type !== "checkbox"));
  const shown = (el) => el.offsetParent !== null || getComputedStyle(el).position === "fixed";
  const holders = (key) => [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)];
  const click = (key) => {
    for (const el of holders(key)) {
      if (!shown(el)) continue;
      if (el.getAttribute("aria-haspopup") === "menu") {  // a menu opens on a key or a press, not on a click
        el.focus();
        el.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      } else if (el.tagName === "SELECT") {
        el.focus();
        try { el.showPicker(); } catch { /* only where a person's press stands behind it; the arrows choose all the same */ }
      } else {
        el.click();
      }
      return true;
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
      const to = dock.querySelector("#compose-to");
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
  new MutationObserver(() => { looking ||= requestAnimationFrame(() => { looking = 0; rove(); follow(); centre(); leave(); pill(); }); })
    .observe(document.documentElement, { childList: true, subtree: true });

  // Shift with a pick means everything from the last one to this one; a change of a checkbox does not say so itself.
  document.addEventListener("click", (event) => {
    if (event.target.matches?.(".tr-pick")) window.mailcrmShift = event.shiftKey;
  }, true);
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest?.(".thread-row")) event.preventDefault(); // no text is to be marked
  }, true);
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".thread-row");
    if (!row || !event.shiftKey || event.target.closest("[data-own-click]")) return;
    event.preventDefault();
    event.stopPropagation();
    const box = row.parentElement.querySelector(".tr-pick");
    box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: true }));
  }, true);

  // The selection answers at once; the server's answer confirms it a moment later.
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".thread-row");
    if (row && !event.shiftKey && !event.target.closest("[data-own-click]")) select(row);
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

  // X, then Escape before the server has shown the selection: Escape means the selection that is about to come.
  const SETTLE_MS = 1500; // a pick is drawn by then
  let lastPick = 0;
  let leaveWhenShown = 0;
  const leave = () => { if (leaveWhenShown && (Date.now() - leaveWhenShown > 5000 || click("escape"))) leaveWhenShown = 0; };

  // On the window, so behind the page's own handlers: those are the document's, and which script came first is chance.
  // Before the editor sees it, where it would begin a line.
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing || event.keyCode === 229) return;
    const form = event.target.closest?.(".composer");
    if (!form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    form.querySelector(`[data-key="${event.shiftKey ? "later" : "send"}"]`)?.click();
  }, true);

  let chord = 0;
  window.addEventListener("keydown", (event) => {
    // ProseMirror takes every Enter and Escape for itself; what it really used it does not let through to here
    const fromEditor = event.key === "Escape" && event.target.closest?.(".mc-editor");
    if ((event.defaultPrevented && !fromEditor) || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      if (click("picker")) return;
      if (document.querySelector("[data-radix-popper-content-wrapper], [role=dialog]:not(.composer-dock), [role=alertdialog], [role=menu], dialog[open]")) return;
      if (typing(document.activeElement) && !document.activeElement.closest(".composer")) { document.activeElement.blur(); return; }
      if (click("escape") || closePanel()) return;
      if (Date.now() - lastPick < SETTLE_MS) leaveWhenShown = Date.now();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.target.matches?.(".thread-row") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault(); step(event.target, event.key === "ArrowDown" ? 1 : -1); return;
    }
    if (event.target.matches?.(".thread-row") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault(); event.target.click(); return;
    }
    const arrows = event.target.closest?.("[data-arrows]");
    if (arrows && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const all = [...arrows.querySelectorAll("button")];
      all[(all.indexOf(event.target.closest("button")) + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]?.focus();
      event.preventDefault();
      return;
    }
    if (single() === false) return;
    const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (chord && Date.now() - chord < 1200) {
      chord = 0;
      if (goTo(`g ${letter}`)) event.preventDefault();
      return;
    }
    if (letter === "g" && !event.shiftKey) { chord = Date.now(); return; }
    if (document.querySelector("dialog[open]")) return;
    const key = event.shiftKey && /^\p{L}$/u.test(letter) ? `shift ${letter}` : letter;
    if (key in keymap() && act(key)) event.preventDefault();
  });

  // The table of keys is written where the sheet is made (components/keymap.py): what is not in it is not ours.
  const sheet = () => document.getElementById("keys-sheet");
  let table = null;
  const keymap = () => table ?? (sheet() ? (table = JSON.parse(sheet().dataset.keys)) : {});
  const single = () => localStorage.getItem("mailcrm-keys") !== "off"; // WCAG 2.1.4
  const goTo = (key) => { const link = holders(key)[0]; link?.click(); return !!link; }; // also where the navigation is out of sight
  const extend = (by) => {  // the selection: this row and the next are picked
    const from = document.activeElement?.closest?.(".thread-row") ?? document.querySelector('.thread-row[aria-current="true"]') ?? rows()[0];
    const to = rows()[rows().indexOf(from) + by];
    const box = (row) => row?.parentElement.querySelector(".tr-pick");
    // What was picked a moment ago may not be drawn yet: clicked again, it would be left.
    if (Date.now() - lastPick > SETTLE_MS && box(from) && !box(from).checked) box(from).click();
    box(to)?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: true }));
    if (to) step(from, by);
    lastPick = Date.now();
    leaveWhenShown = 0;
    return true;
  };
  const ACTS = {
    "-": () => false,
    next: () => { move(1); return true; },
    previous: () => { move(-1); return true; },
    "extend-down": () => extend(1),
    "extend-up": () => extend(-1),
    search: () => {
      const box = holders("/").find(shown);
      box?.focus();
      return !!box;
    },
    undo: () => {
      const button = document.querySelector('[data-sonner-toast][data-front="true"] [data-button]');
      button?.click();
      return !!button;
    },
    remind: () => click("h"),
    help: () => { const box = document.getElementById("keys-single"); if (box) box.checked = single(); sheet()?.showModal(); sheet()?.querySelector("[data-close]")?.focus(); return true; },
    pick: () => {  // the checkbox of the row with the focus, else of the open one
      const row = document.activeElement?.closest?.(".thread-row") ?? document.querySelector('.thread-row[aria-current="true"]') ?? rows()[0];
      row?.parentElement.querySelector(".tr-pick")?.click();
      lastPick = Date.now();
      leaveWhenShown = 0;
      return true;
    },
    tracking: () => {  // the tracking card: of the row with the focus, else of the last tracked email on the screen
      const row = document.activeElement?.closest?.(".thread-row, .msg, .tl");
      const all = [...document.querySelectorAll(".reading-body [data-marks], .timeline [data-marks]")].filter((each) => each.offsetParent !== null);
      (row?.querySelector("[data-marks]") ?? all.at(-1) ?? document.querySelector('.thread-row[aria-current="true"] [data-marks]'))?.click();
      return true;
    },
  };
  const act = (key) => { const name = keymap()[key]; return name ? ACTS[name]() : click(key); };
  window.mailcrmAct = (key) => (key.startsWith("g ") ? goTo(key) : act(key));
  window.mailcrmCan = (key) => { // whether its button is on the screen, so that the palette offers what can be done
    if (keymap()[key] === "help") return true;
    return holders(keymap()[key] === "remind" ? "h" : key).some(shown);
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-close]")) event.target.closest("dialog")?.close();
    else if (event.target.matches?.("dialog.key-sheet")) event.target.close();
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "keys-single") localStorage.setItem("mailcrm-keys", event.target.checked ? "on" : "off");
  });
  // Ctrl or Cmd K, also out of a field; in the editor it makes a link of marked text.
  window.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "k") return;
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    if (event.target.closest?.(".mc-editor") && !getSelection()?.isCollapsed) return;
    event.preventDefault();
    window.dispatchEvent(new Event("mailcrm:palette"));
  });

  // What the list is narrowed to stands in the address. The router looks at its own numbers in the history: they go on.
  window.mailcrmAddress = (path) => {
    if (path === location.pathname + location.search) return;
    const key = () => Math.random().toString(36).slice(2, 10);
    // The router never leaves this place: by its old key, it would not see that Back comes here again.
    history.replaceState({ ...history.state, key: key() }, "");
    history.pushState({ usr: null, key: key(), idx: (history.state.idx ?? 0) + 1 }, "", path);
  };

  // Without a connection: two seconds of nothing, then the banner; "Back online" stays for three (DESIGN.md §2).
  let lostTimer = 0;
  const offline = (state) => { const box = document.getElementById("offline"); if (box) box.dataset.state = state; };
  const lost = () => { lostTimer ||= setTimeout(() => offline("lost"), 2000); };
  const back = () => {
    clearTimeout(lostTimer);
    lostTimer = 0;
    if (document.getElementById("offline")?.dataset.state !== "lost") return;
    offline("back");
    setTimeout(() => { if (document.getElementById("offline")?.dataset.state === "back") offline(""); }, 3000);
  };
  window.addEventListener("mailcrm:lost", lost);
  window.addEventListener("offline", lost);
  window.addEventListener("mailcrm:connected", back);

  // New mail while the list is scrolled: a pill counts it, nothing moves; it goes when the top is seen.
  let known = new Set();
  let shownList = "";
  let news = new Set();
  const pill = () => {
    const list = document.querySelector(".thread-list");
    const box = document.getElementById("new-pill");
    if (!list || !box) return;
    const ids = rows().map((row) => row.dataset.threadId);
    const which = location.pathname + location.search;
    const first = ids.findIndex((id) => known.has(id));
    if (which === shownList && first > 0 && list.scrollTop > 60) for (const id of ids.slice(0, first)) news.add(id);
    if (which !== shownList || list.scrollTop <= 60) news = new Set();
    [shownList, known] = [which, new Set(ids)];
    const count = [...news].filter((id) => known.has(id)).length;
    box.hidden = !count;
    if (count) box.lastElementChild.textContent = (count === 1 ? box.dataset.one : box.dataset.many).replace("{n}", String(count));
  };
  document.addEventListener("scroll", (event) => { if (event.target.classList?.contains("thread-list") && news.size) pill(); }, { capture: true, passive: true });
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#new-pill")) return;
    document.querySelector(".thread-list")?.scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    document.querySelector(".thread-row")?.focus({ preventScroll: true });
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

  // Addresses and mailto: links open our composer, or what the system has for them (M18). The server reads the link.
  const write = (link) => {
    const opener = document.getElementById("mailto-open");
    if (!opener) return false;
    window.mailcrmMailto = link;
    opener.click();
    return true;
  };
  const mailLink = (event) => {
    const link = event.target.closest?.("a[href]");
    const href = link?.getAttribute("href") ?? "";
    if (!/^\s*mailto:/i.test(href) || event.defaultPrevented || event.button || document.getElementById("mailto-open")?.dataset.mode === "system") return;
    if (link.closest?.(".mc-editor")) return;
    event.preventDefault();
    event.stopPropagation();
    write(href);
  };
  document.addEventListener("click", mailLink, true);
  // The browser hands links of other pages over as /inbox?mailto=… once we are its mail handler.
  const handed = new URLSearchParams(location.search).get("mailto");
  if (handed) {
    const wait = setInterval(() => {
      if (!document.querySelector(".nav-me .b")?.textContent || !write(handed)) return; // signed in and loaded
      clearInterval(wait);
      history.replaceState(history.state, "", location.pathname);
    }, 100);
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-register-mail]")) return;
    try { navigator.registerProtocolHandler("mailto", `${location.origin}/inbox?mailto=%s`); } catch { /* the browser has no such thing, or not for this address */ }
  });

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
      const trackers = page.documentElement.dataset.trackers ?? "";
      for (const place of frame.parentElement.querySelectorAll("[data-trackers]")) place.textContent = trackers;
      const note = frame.parentElement.querySelector(".remote-note");
      if (note) note.hidden = !trackers || (offer !== null && !offer.hidden);
      const later = () => requestAnimationFrame(() => fit(frame));
      page.addEventListener("click", mailLink, true); // our own listener, from outside: nothing runs in the frame
      for (const kind of ["toggle", "load", "error"]) page.addEventListener(kind, later, true); // quotes, images
      let width = frame.clientWidth;
      new ResizeObserver(() => {
        if (frame.clientWidth !== width) { width = frame.clientWidth; later(); }
      }).observe(frame.parentElement);
    } catch { /* as above */ }
  }, true);

  // The name of what was just made is selected, to be typed over, unless somebody already types: elsewhere, or into it.
  window.mailcrmNameIt = (id) => {
    let tries = 20;
    const wait = setInterval(() => {
      const field = document.getElementById(id);
      if (!field && --tries) return;
      clearInterval(wait);
      if (!document.activeElement?.closest("input, textarea, select, [contenteditable=true]")) field?.select();
    }, 50);
  };

  // Puts text into a field where its cursor stands, as if it were typed: what was typed before is not saved yet.
  window.mailcrmPutIn = (id, text) => {
    const field = document.getElementById(id);
    if (!field) return;
    const touched = field === document.activeElement || field.selectionStart;
    const [from, to] = touched ? [field.selectionStart, field.selectionEnd] : [field.value.length, field.value.length];
    const [before, after] = [field.value.slice(0, from), field.value.slice(to)];
    const put = `${before && !/\s$/.test(before) ? " " : ""}${text}${after && !/^[\s.,:;!?]/.test(after) ? " " : ""}`;
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, before + put + after); // past React's own
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
    field.setSelectionRange(from + put.length, from + put.length);
  };

  // Unsaved mail: the editor saves itself; forms tell us nothing. The time zone travels as a preference cookie.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const fill = () => { for (const el of document.querySelectorAll("[data-fill=time-zone]")) el.value = zone; };
  document.addEventListener("submit", fill, true);
  document.cookie = `tz=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
})();
