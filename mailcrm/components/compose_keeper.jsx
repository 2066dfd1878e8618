// Draws nothing. Opens the composer again when the server lost this tab's state (it was restarted) while somebody wrote,
// and forgets this browser's copies of drafts when somebody signs out.
import { useEffect, useRef } from "react";
import { lost } from "../composer_recipients/composer_lost.js"; // assets lie by the module that brings them
import { forgetAll } from "./editor_save.js";

export function ComposerKeeper({ version, draft, place, onLost }) {
  const last = useRef({});
  useEffect(() => {
    const before = last.current;
    last.current = { version, draft, place };
    // closing keeps the version; only a state begun anew goes back to 0
    if (before.place && before.draft && before.version > 0 && version === 0 && !place) { lost(before.draft); onLost(before.draft); }
  }, [version, draft, place]);
  useEffect(() => {
    const left = (event) => { if (new URL(event.target.action, location.href).pathname === "/auth/logout") forgetAll(); };
    document.addEventListener("submit", left, true);
    return () => document.removeEventListener("submit", left, true);
  }, []);
  return null;
}
