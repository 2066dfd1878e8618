// HTML from Word, Excel, Google Docs and web pages made into what the editor means: bold is <strong>, Word's paragraphs
// with bullets are lists, class rules of a style sheet become the few styles we know. The server cleans it again
// (services/mail/outbox/html.py); this is so that the screen shows at once what will be stored.
const DROPPED = "script, style, meta, link, title, iframe, object, embed, form, input, button, select, textarea, svg, math, template, noscript, xml";
const KEPT_RULES = ["font-weight", "font-style", "text-decoration", "text-decoration-line", "text-align", "background-color", "background", "color", "vertical-align"];
const DARK = /^(#000(000)?|black|windowtext|rgb\(0, ?0, ?0\)|initial|inherit|auto|#(0|1|2)[0-9a-f](0|1|2)[0-9a-f](0|1|2)[0-9a-f]|rgb\(([0-4]?\d), ?([0-4]?\d), ?([0-4]?\d)\))$/i;
const PALE = /^(#fff(fff)?|white|transparent|none|initial|inherit|rgba\(0, ?0, ?0, ?0\)|rgb\(255, ?255, ?255\))$/i;
const FIELD = /\{\{\s*([a-z_]+(?:\.[a-z0-9_]+)+)\s*(?:\|\s*default\(\s*(?:"([^"]*)"|'([^']*)')\s*\)\s*)?\}\}/gi;

/** True when the clipboard's HTML says nothing but the picture that comes along as a file. */
export function isOnlyPicture(html) {
  const body = new DOMParser().parseFromString(html, "text/html").body;
  return !!body.querySelector("img") && !body.textContent.trim() && !body.querySelector("table");
}

/** Return the HTML of a paste, or of anything not written here, cleaned. */
export function cleaned(html) {
  const source = /urn:schemas-microsoft-com|mso-|class="?Mso/i.test(html) ? "office" : "";
  // Word puts what other programs should not see between conditional comments; `![if` ones show to all but hold bullets
  const page = new DOMParser().parseFromString(html.replace(/<!\[if !supportLists\]>/gi, "").replace(/<!\[(end)?if[^>]*>/gi, ""), "text/html");
  if (source) office(page);
  else rules(page);
  const body = page.body;
  for (const each of body.querySelectorAll(DROPPED)) each.remove();
  comments(body);
  for (const each of [...body.querySelectorAll("*")]) if (each.tagName.includes(":")) each.replaceWith(...each.childNodes);
  for (const each of [...body.querySelectorAll("*")]) if (hidden(each)) each.remove();
  // Google Docs wraps all in a <b> that is not bold; Word says mso-bidi-font-weight:normal of one that is
  for (const each of [...body.querySelectorAll("b, strong")]) if (/^(normal|400)$/.test(each.style.fontWeight)) each.replaceWith(...each.childNodes);
  for (const each of [...body.querySelectorAll("h1, h4, h5, h6")]) rename(each, each.tagName === "H1" ? "h2" : "h3");
  for (const each of [...body.querySelectorAll("[style], [align], font")]) restyle(each);
  for (const each of [...body.querySelectorAll("img")]) picture(each);
  for (const each of [...body.querySelectorAll("a[href]")]) link(each);
  for (const each of body.querySelectorAll("*")) {
    for (const { name } of [...each.attributes]) if (!KEPT.has(name) && !(MARK.test(each.className) && name.startsWith("data-")) && !(name === "class" && MARK.test(each.className))) each.removeAttribute(name);
  }
  lists(body);
  withPills(body);
  return body.innerHTML;
}

const KEPT = new Set(["href", "src", "alt", "width", "height", "colspan", "rowspan", "style", "dir", "start", "type", "title", "bgcolor"]);
const MARK = /^mc-(merge|signature)$/;

/** Merge fields that came as text become pills. */
export function withPills(root) {
  const texts = [];
  const walk = root.ownerDocument.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (walk.currentNode.data.includes("{{") && !walk.currentNode.parentElement?.closest(".mc-merge, code, pre")) texts.push(walk.currentNode);
  for (const text of texts) {
    const parts = [];
    let last = 0;
    for (const found of text.data.matchAll(FIELD)) {
      const pill = root.ownerDocument.createElement("span");
      pill.className = "mc-merge";
      pill.dataset.field = found[1].toLowerCase();
      const fallback = found[2] ?? found[3];
      if (fallback) pill.dataset.fallback = fallback;
      pill.textContent = found[0];
      parts.push(text.data.slice(last, found.index), pill);
      last = found.index + found[0].length;
    }
    if (parts.length) text.replaceWith(...parts, text.data.slice(last));
  }
}

function comments(root) {
  const walk = root.ownerDocument.createTreeWalker(root, NodeFilter.SHOW_COMMENT);
  const found = [];
  while (walk.nextNode()) found.push(walk.currentNode);
  for (const each of found) each.remove();
}

function hidden(element) {
  const style = element.getAttribute("style") || "";
  return /display:\s*none|mso-hide:\s*all|visibility:\s*hidden/i.test(style) || element.hasAttribute("hidden");
}

function rename(element, tag) {
  const made = element.ownerDocument.createElement(tag);
  for (const { name, value } of element.attributes) made.setAttribute(name, value);
  made.append(...element.childNodes);
  element.replaceWith(made);
  return made;
}

/** Rules of the page's own style sheet for simple selectors (Excel's .xl65, Word's p.MsoTitle), written into elements. */
function rules(page) {
  for (const sheet of page.querySelectorAll("style")) {
    const css = sheet.textContent.replace(/<!--|-->/g, "").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, selectors, body] of css.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
      const kept = body.split(";").map((each) => each.split(/:(.*)/s).map((part) => part?.trim() ?? "")).filter(([name]) => KEPT_RULES.includes(name?.toLowerCase()));
      if (!kept.length) continue;
      for (const selector of selectors.split(",").map((each) => each.trim())) {
        if (!/^[a-z0-9]*\.[\w-]+$/i.test(selector)) continue;
        for (const element of page.querySelectorAll(selector)) {
          for (const [name, value] of kept) if (!element.style.getPropertyValue(name)) element.style.setProperty(name, value.replace(/\s*!important/, ""));
        }
      }
    }
  }
}

function office(page) {
  rules(page);
  for (const each of [...page.body.querySelectorAll("*")]) if (/^(O|W|V|M|ST1):/i.test(each.tagName)) each.replaceWith(...(each.tagName === "O:P" ? each.childNodes : each.childNodes));
  // a list of Word is a row of paragraphs that say `mso-list:l0 level2 lfo1` and carry their bullet as text
  const items = [...page.body.querySelectorAll("p, h1, h2, h3, h4, h5, h6, div")].filter((each) => /mso-list:\s*l\d+ level\d+/i.test(each.getAttribute("style") || ""));
  let stack = []; // open lists: { list, level, key }
  let last = null;
  for (const item of items) {
    const [, key, digits] = /mso-list:\s*(l\d+) level(\d+)/i.exec(item.getAttribute("style"));
    const level = Math.min(Number(digits), 9);
    const bullet = [...item.querySelectorAll("span")].find((each) => /mso-list:\s*ignore/i.test(each.getAttribute("style") || ""));
    const mark = (bullet?.textContent ?? /^[\s\u00a0]*(\S{1,4})[\s\u00a0]+/.exec(item.textContent)?.[1] ?? "").replace(/[\s\u00a0]/g, "");
    bullet?.remove();
    const ordered = /^\(?([0-9]+|[a-z]{1,4}|[ivxlc]+)[.)]?\)?$/i.test(mark) && mark !== "o" && mark !== "§";
    let next = item.previousSibling;
    while (next && next.nodeType !== 1 && !next.textContent.trim()) next = next.previousSibling;
    if (!last || next !== last || stack[0]?.key !== key) stack = [];
    while (stack.length && stack.at(-1).level > level) stack.pop();
    if (!stack.length || stack.at(-1).level < level) {
      const list = page.createElement(ordered ? "ol" : "ul");
      const start = ordered && parseInt(mark, 10);
      if (start > 1) list.setAttribute("start", start);
      if (stack.length) stack.at(-1).list.lastElementChild.append(list);
      else { item.before(list); last = list; }
      stack.push({ list, level, key });
    }
    const entry = page.createElement("li");
    const dir = item.getAttribute("dir") || (/direction:\s*rtl/i.test(item.getAttribute("style")) ? "rtl" : "");
    const text = page.createElement("p");
    if (dir) text.setAttribute("dir", dir);
    text.append(...item.childNodes);
    entry.append(text);
    stack.at(-1).list.append(entry);
    item.remove();
  }
}

/** Styles become elements or one of the few properties the editor has; the rest goes. */
function restyle(element) {
  const style = element.style;
  const said = {};
  const block = /^(P|DIV|H\d|LI|TD|TH|TR|TABLE|UL|OL|BLOCKQUOTE|PRE)$/.test(element.tagName);
  const align = style.textAlign || (block && element.getAttribute("align")) || "";
  if (/^(P|DIV|H\d|TD|TH)$/.test(element.tagName) && /^(center|right|justify)$/.test(align)) said["text-align"] = align;
  if (style.direction === "rtl" && block) element.setAttribute("dir", "rtl");
  const background = style.backgroundColor || "";
  if (background && !PALE.test(background)) said["background-color"] = background;
  if (!block || element.matches("td, th")) {
    const color = style.color || (element.tagName === "FONT" && element.getAttribute("color")) || "";
    if (color && !DARK.test(color) && element.tagName !== "A") said.color = color;
  }
  const size = style.fontSize;
  const px = /px$/.test(size) ? parseFloat(size) : /pt$/.test(size) ? parseFloat(size) * 4 / 3 : 0;
  if (!block && px) {
    if (px >= 22) said["font-size"] = "24px";
    else if (px >= 17.5) said["font-size"] = "18px";
    else if (px < 11.5) said["font-size"] = "12px";
  }
  const wraps = [];
  const weight = style.fontWeight;
  if ((weight === "bold" || Number(weight) >= 600) && !element.matches("b, strong, h1, h2, h3, th") && !(block && element.querySelector("table"))) wraps.push("strong");
  if (style.fontStyle === "italic" && !element.matches("i, em")) wraps.push("em");
  const line = `${style.textDecoration} ${style.textDecorationLine}`;
  if (line.includes("underline") && !element.matches("u, a") && !element.closest("a") && !element.querySelector("a")) wraps.push("u");
  if (line.includes("line-through") && !element.matches("s, del, strike")) wraps.push("s");
  element.removeAttribute("style");
  element.removeAttribute("align");
  for (const [name, value] of Object.entries(said)) style.setProperty(name, value);
  if (/^(TR|TABLE|UL|OL)$/.test(element.tagName)) return;
  for (const tag of wraps) {
    const made = element.ownerDocument.createElement(tag);
    if (block && [...element.children].some((each) => /^(P|DIV|UL|OL|TABLE|H\d)$/.test(each.tagName))) continue;
    made.append(...element.childNodes);
    element.append(made);
  }
}

function picture(element) {
  const src = element.getAttribute("src") || "";
  const width = parseInt(element.getAttribute("width") || element.style.width, 10);
  if (!/^(https?:|cid:|data:image\/(png|jpeg|gif|webp);)/i.test(src) || (width && width <= 2)) element.remove(); // file:, blob:, pixels
}

function link(element) {
  const href = element.getAttribute("href") || "";
  if (!/^(https?:|mailto:|tel:)/i.test(href)) { element.replaceWith(...element.childNodes); return; }
  const google = /^https:\/\/www\.google\.com\/url\?(?:.*&)?q=([^&]+)/.exec(href); // Google Docs sends its links on a detour
  if (google) try { element.setAttribute("href", decodeURIComponent(google[1])); } catch { /* leave it */ }
}

/** Lists inside lists without an item around them, as Google Docs writes them, move into the item before. */
function lists(body) {
  for (const each of [...body.querySelectorAll("ul > ul, ul > ol, ol > ul, ol > ol")]) {
    const item = each.previousElementSibling;
    if (item?.tagName === "LI") item.append(each);
  }
  for (const each of [...body.querySelectorAll("li")]) if (!each.closest("ul, ol")) rename(each, "p");
}

/** Rich HTML as the paragraphs of an email in plain text; merge fields and the signature stay what they are. */
export function plainened(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const body = page.body;
  for (const list of [...body.querySelectorAll("ul, ol")].reverse()) {
    let n = Number(list.getAttribute("start")) || 1;
    for (const item of [...list.children]) {
      const mark = list.tagName === "OL" ? `${n++}. ` : "- ";
      const first = item.querySelector("p") ?? item;
      first.prepend(mark);
    }
  }
  for (const each of [...body.querySelectorAll("a[href]")]) {
    const href = each.getAttribute("href").replace(/^mailto:/i, "");
    if (href.replace(/\/$/, "") !== each.textContent.trim().replace(/\/$/, "")) each.append(` <${href}>`);
  }
  for (const each of [...body.querySelectorAll("img")]) each.replaceWith(each.getAttribute("alt") || "");
  for (const row of [...body.querySelectorAll("tr")]) {
    const line = page.createElement("p");
    [...row.children].forEach((cell, n) => { if (n) line.append("\t"); for (const block of cell.querySelectorAll("p")) block.append(" "); line.append(...[...cell.childNodes].flatMap((each) => (each.nodeType === 1 && each.tagName === "P" ? [...each.childNodes] : [each]))); });
    row.replaceWith(line);
  }
  for (const table of [...body.querySelectorAll("table")]) table.replaceWith(...table.querySelectorAll("p"));
  for (const quote of [...body.querySelectorAll("blockquote")]) { for (const block of quote.querySelectorAll("p")) block.prepend("> "); quote.replaceWith(...quote.childNodes); }
  for (const code of [...body.querySelectorAll("pre")]) code.replaceWith(...code.textContent.split("\n").map((line) => { const p = page.createElement("p"); p.textContent = line; return p; }));
  return body.innerHTML;
}
