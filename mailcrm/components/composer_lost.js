// The head of a draft (recipients, subject) as it stood on the screen when the server lost this tab's state: whatever was
// typed while it was away is put back when the draft opens again. The text has its own copy (editor_save.js). Draws nothing.

let last = null; // { draft, fields, lost }

/** Remember what a composer that goes away held; it counts only when `lost` says that nobody closed it. */
export function leave(draft, fields) {
  last = { draft, fields, lost: false };
}

/** The server forgot this draft while somebody wrote. */
export function lost(draft) {
  if (last?.draft === draft) last.lost = true;
}

/** What `draft` held when it was lost, once; null otherwise. */
export function carriedOver(draft) {
  const found = last?.lost && last.draft === draft ? last.fields : null;
  if (found) last = null;
  return found;
}
