// Addresses as a person types or pastes them; the same rules as services/mail/outbox/addresses.py, which has the last word.
// Pure: no page, no network. A test holds both against the same lists.
const SEPARATORS = ",;、，；\n";
const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\u{10ffff}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\u{10ffff}-]+)*$/u;
const LABEL = /^[a-z0-9\u00a1-\u{10ffff}](?:[a-z0-9\u00a1-\u{10ffff}-]{0,61}[a-z0-9\u00a1-\u{10ffff}])?$/u;
const clean = (text) => text.replace(/[\t\r\n\v\f\x85\u2028\u2029]/g, " ").replace(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufeff]/gu, "").replace(/\s+/gu, " ").trim();

/** Part a list at separators outside quotes and angle brackets. */
export function split(text) {
  const pieces = [];
  let current = "", quoted = false, angle = false, escaped = false;
  for (const char of text) {
    if (escaped) escaped = false;
    else if (quoted) { escaped = char === "\\"; quoted = char !== '"'; }
    else if (char === '"' && !angle) quoted = true;
    else if (char === "<") angle = true;
    else if (char === ">") angle = false;
    else if (SEPARATORS.includes(char) && (!angle || char === "\n")) {
      pieces.push(current);
      current = "";
      angle = false;
      continue;
    }
    current += char;
  }
  pieces.push(current);
  return pieces;
}

/** Why nothing could be sent to an address: "" when it could. */
export function fault(address) {
  const at = address.lastIndexOf("@");
  if (at < 0) return "no_at";
  const [local, domain] = [address.slice(0, at), address.slice(at + 1).toLowerCase()];
  if (!local || !domain) return local ? "no_domain" : "no_name";
  if (/\s/u.test(address)) return "space";
  if (!ATOM.test(local) || new TextEncoder().encode(local).length > 64) return "bad_name";
  const labels = domain.split(".");
  if (domain.length > 255 || !labels.every((each) => LABEL.test(each)) || /^\d+$/.test(labels.at(-1))) return "bad_domain";
  return "";
}

/** One piece of a list as { name, address, fault }; null for nothing. */
export function read(piece) {
  let text = clean(piece);
  if (text.toLowerCase().startsWith("mailto:")) text = text.slice(7);
  if (!text) return null;
  let [name, address] = ["", text];
  const space = text.lastIndexOf(" ");
  if (text.endsWith(">") && text.includes("<")) {
    const from = text.lastIndexOf("<");
    [name, address] = [text.slice(0, from), text.slice(from + 1, -1)];
  } else if (space >= 0 && text.slice(space).includes("@")) [name, address] = [text.slice(0, space), text.slice(space + 1)];
  address = address.trim();
  name = name.trim();
  const at = address.lastIndexOf("@");
  if (at >= 0) address = address.slice(0, at + 1) + address.slice(at + 1).toLowerCase().replace(/\.+$/, "");
  const field = name.includes(":") && !name.startsWith('"');
  if (name.length > 1 && name[0] === '"' && name.endsWith('"')) name = name.slice(1, -1).replace(/\\(.)/g, "$1").trim();
  if (!address && !name) return null;
  return { name, address, fault: field ? "bad_name" : fault(address) };
}

export const readList = (text) => split(text.slice(0, 100000)).map(read).filter(Boolean);

/** Back to what is typed; `readList` reads it the same. */
export const written = ({ name, address }) => {
  if (!name) return address;
  return `${/[",;:<>@()[\]\\、，；]/.test(name) ? `"${name.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"` : name} <${address}>`;
};
export const writtenList = (people) => people.map(written).join(", ");
