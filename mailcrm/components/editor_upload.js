// One upload: a form over HTTP with progress, never the event socket. Knows which uploads of a form are on their way,
// and how many files go along with it.

const pending = new Map(); // form element or null -> Set of promises
const counters = new Map(); // form element -> () => number of attachments

/** Promises of the uploads that belong to `form`. */
export const pendingOf = (form) => [...(pending.get(form) ?? [])];

/** How many files are attached to the email of `form`; `counted` registers who knows and returns how to stop. */
export const attachedTo = (form) => counters.get(form)?.() ?? 0;
export function counted(form, count) {
  counters.set(form, count);
  return () => { if (counters.get(form) === count) counters.delete(form); };
}

/** Post `file` to `url`; resolves to the server's JSON, rejects with an Error whose message may be shown. */
export function upload(url, file, { form = null, inline = false, onProgress, labels, signal } = {}) {
  const promise = new Promise((resolve, reject) => {
    const body = new FormData();
    body.append("inline", inline ? "1" : "0");
    body.append("file", file, file.name || "image");
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(Math.min(event.loaded, file.size), file.size);
    request.onload = () => {
      if (request.status === 201 && request.response) resolve(request.response);
      else reject(new Error(request.response?.error || labels.upload_failed));
    };
    request.onerror = () => reject(new Error(labels.upload_failed));
    request.onabort = () => reject(new Error(""));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
  const mine = pending.get(form) ?? new Set();
  pending.set(form, mine);
  mine.add(promise);
  const done = () => { mine.delete(promise); if (!mine.size) pending.delete(form); };
  promise.then(done, done);
  return promise;
}

/** A `data:` URL as a file, null when it is none of the pictures we take. */
export function fileOfData(url, name = "image") {
  const found = /^data:image\/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/=\s%]*)$/i.exec(url);
  if (!found) return null;
  try {
    const bytes = Uint8Array.from(atob(decodeURIComponent(found[2]).replace(/\s/g, "")), (c) => c.charCodeAt(0));
    return new File([bytes], `${name}.${found[1].toLowerCase().replace("jpeg", "jpg")}`, { type: `image/${found[1].toLowerCase()}` });
  } catch { return null; }
}

/** Pictures that a text can show; others are attached. */
export const isPicture = (file) => /^image\/(png|jpeg|gif|webp)$/.test(file.type);

/** A size as people read it, in the page's language. */
export function readable(bytes) {
  const language = document.documentElement.lang || "en";
  const number = (value, digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  if (bytes < 1024) return `${number(bytes, 0)} B`;
  return bytes < 1024 ** 2 ? `${number(bytes / 1024, 0)} KB` : `${number(bytes / 1024 ** 2, 1)} MB`;
}
