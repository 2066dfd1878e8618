// What is asked before an email leaves: whether a file was forgotten, once; and it waits for uploads under way.
import { attachedTo, pendingOf } from "./editor_upload.js";

// "attached", "see the enclosed file", 添付, 同封 …: words that promise a file, in the two languages of the interface
const PROMISES = /\b(attach(ed|ing|ment|ments)?|enclosed?|enclosing)\b|添付|同封|別添|別紙/i;
const NO_PROMISE = /\b(no|without) attachments?\b|添付(は|なし|しません|していません)/gi;

/** True when a text promises a file. `text` leaves signature and quotes out. */
export const promisesFile = (text) => PROMISES.test(text.replace(NO_PROMISE, ""));

/** Text of the email's own words: no quotes, no signature. */
export function ownWords(doc) {
  const found = [];
  doc.descendants((node) => {
    if (node.type.name === "signature" || node.type.name === "blockquote") return false;
    if (node.isTextblock) { found.push(node.textContent); return false; }
    return true;
  });
  return found.join("\n");
}

/** Hold a form's submit back while `ask` has a question; `ask.file(go)`, `ask.wait()`, `ask.failed()` show it. */
export function guard(form, { doc, hasFailed, tooLong, ask }) {
  let asked = false;
  let passing = false;
  const submitting = (event) => {
    if (passing) { passing = false; return; }
    const stop = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    const go = () => { passing = true; form.requestSubmit(); };
    if (tooLong()) { stop(); return; }
    if (hasFailed()) { stop(); ask.failed(); return; }
    if (!asked && !attachedTo(form) && promisesFile(`${form.elements.subject?.value ?? ""}\n${ownWords(doc())}`)) {
      stop();
      asked = true;
      ask.file(() => form.requestSubmit());
      return;
    }
    const under = pendingOf(form);
    if (under.length) {
      stop();
      ask.wait(true);
      Promise.allSettled(under).then((ends) => {
        ask.wait(false);
        if (!form.isConnected) return;
        if (ends.every((each) => each.status === "fulfilled")) setTimeout(go, 0); // after the text has its cids
        else ask.failed();
      });
    }
  };
  form.addEventListener("submit", submitting, true);
  return () => form.removeEventListener("submit", submitting, true);
}
