// When the composer's text goes to the server, and the copy this browser keeps until the server has confirmed it.
// A save leaves after a pause, and at the latest a second after the first keystroke it holds; one that nobody confirms
// goes again. Draws nothing.

const PAUSE_MS = 350;
const MOST_MS = 700; // between a keystroke and its save: with the way there "at most the last second" (issue 5)
const COPY_MS = 200;
const AGAIN_MS = 3000; // without a confirmation; doubles
const AGAIN_MOST_MS = 24000;
const DOUBT_MS = 6000; // typing and no answer at all: the line is dead, though nobody has said so (a ping may take minutes to)
const KEEP_MS = 30 * 86400e3; // a copy nobody asked for in a month is old news
const PREFIX = "mailcrm.draft.";
/** This page until it is loaded anew: a copy of the same page is the user's own text, no question about it. */
const PAGE = `${Date.now()}.${Math.random()}`;

const store = {
  read(draft) {
    try { return JSON.parse(localStorage.getItem(PREFIX + draft)); } catch { return null; }
  },
  write(draft, html) {
    try { localStorage.setItem(PREFIX + draft, JSON.stringify({ html, at: Date.now(), page: PAGE })); } catch { /* full or forbidden */ }
  },
  drop(draft) {
    try { localStorage.removeItem(PREFIX + draft); } catch { /* forbidden */ }
  },
  sweep() {
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(PREFIX) && !(Date.now() - JSON.parse(localStorage.getItem(key))?.at < KEEP_MS)) localStorage.removeItem(key);
      }
    } catch { /* forbidden, or not ours */ }
  },
};

/** Forget every copy: whoever signs out leaves no draft behind in a shared browser. */
export function forgetAll() {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  } catch { /* forbidden */ }
}

/**
 * Return what keeps one draft. `read()` gives the text as it is stored, `send(html, number)` takes it to the server,
 * `tell(open)` hears whether something is still to be saved or confirmed.
 */
export function keeper({ draft, read, send, tell }) {
  let number = 0; // of the newest save; times of this browser, so that numbers of an earlier page never confirm
  let waiting = false; // for the confirmation of `number`
  let dirtySince = 0;
  let timer = 0;
  let copyTimer = 0;
  let again = 0;
  let pause = AGAIN_MS;
  let ended = false;
  let doubt = 0;
  let doubted = false; // once until the next answer: a new connection every few seconds would help nobody
  store.sweep();
  const wonder = () => {
    if (!doubted) doubt ||= setTimeout(() => {
      doubt = 0;
      doubted = waiting && !ended;
      if (doubted) window.dispatchEvent(new Event("mailcrm:doubt"));
    }, DOUBT_MS);
  };

  const copy = () => { clearTimeout(copyTimer); copyTimer = 0; if (draft) store.write(draft, read()); };
  const resend = () => {
    again = 0;
    if (!waiting || ended) return;
    pause = Math.min(pause * 2, AGAIN_MOST_MS);
    send(read(), number);
    again = setTimeout(resend, pause);
  };
  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    if (!dirtySince) return;
    dirtySince = 0;
    number = Math.max(number + 1, Date.now());
    waiting = true;
    copy();
    send(read(), number);
    if (draft) wonder();
    clearTimeout(again);
    pause = AGAIN_MS;
    if (draft) again = setTimeout(resend, pause);
  };
  // A new connection: what the old one swallowed goes at once, and the times between tries begin anew.
  const online = () => { if (waiting) { clearTimeout(again); pause = AGAIN_MS / 2; resend(); } };
  window.addEventListener("online", online);
  window.addEventListener("mailcrm:connected", online);
  window.addEventListener("pagehide", flush);

  return {
    touched() {
      tell?.(true);
      const now = Date.now();
      dirtySince ||= now;
      clearTimeout(timer);
      timer = setTimeout(flush, Math.max(0, Math.min(PAUSE_MS, dirtySince + MOST_MS - now)));
      if (draft) copyTimer ||= setTimeout(copy, COPY_MS);
    },
    flush,
    confirmed(saved) {
      clearTimeout(doubt);
      doubt = 0;
      doubted = false;
      if (waiting && saved < number) wonder(); // an answer, to what was typed before
      if (!waiting || saved < number) return;
      waiting = false;
      clearTimeout(again);
      tell?.(!!dirtySince);
      if (!dirtySince && draft) { clearTimeout(copyTimer); copyTimer = 0; store.drop(draft); }
    },
    /** The copy that never was confirmed, or null; `mine` when this very page wrote it. */
    left(shown) {
      const found = draft ? store.read(draft) : null;
      if (!found || typeof found.html !== "string" || found.html === shown) { if (draft) store.drop(draft); return null; }
      return { html: found.html, at: found.at, mine: found.page === PAGE };
    },
    forget() { if (draft) store.drop(draft); },
    end() {
      flush(); // leaving must not lose what was typed since the last pause
      ended = true;
      clearTimeout(again);
      clearTimeout(doubt);
      window.removeEventListener("online", online);
      window.removeEventListener("mailcrm:connected", online);
      window.removeEventListener("pagehide", flush);
    },
  };
}
