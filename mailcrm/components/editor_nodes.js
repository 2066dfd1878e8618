// What the composer's text is made of besides the starter kit: the signature block, merge fields, pictures, tables,
// colours and sizes, alignment, and the direction of paragraphs. Draws; uploads nothing and saves nothing.
// `host` is what the editor around them hands in: labels, merge fields, where pictures lie, what clicks open.
import { Extension, Mark, Node, callOrReturn, getExtensionField, mergeAttributes } from "@tiptap/core";
import { Plugin, PluginKey, TextSelection } from "@tiptap/pm/state";
import { Decoration, DecorationSet } from "@tiptap/pm/view";
import * as tables from "@tiptap/pm/tables";

const RTL = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;
const STRONG = /\p{L}/u;

/** "rtl" or "ltr" by the first strong letter (UAX 9 P2), "" when there is none. */
export function firstStrong(text) {
  const found = STRONG.exec(text);
  return found ? (RTL.test(found[0]) ? "rtl" : "ltr") : "";
}

/** The direction a block takes: the one chosen for its first paragraph with letters, else that of the letters. */
export function directionOf(node) {
  let found = "";
  node.descendants((child) => {
    if (found) return false;
    if (!child.isTextblock) return true;
    found = child.attrs.dir || firstStrong(child.textContent);
    return false;
  });
  return found;
}

const PARAGRAPHS = ["paragraph", "heading"];
const CONTAINERS = new Set(["bulletList", "orderedList", "listItem", "blockquote", "table"]);

/** Paragraphs take their own direction until one is chosen; lists, quotes and tables follow their first paragraph. */
export const Direction = Extension.create({
  name: "direction",
  addGlobalAttributes() {
    return [{
      types: PARAGRAPHS,
      attributes: {
        dir: {
          default: null,
          parseHTML: (element) => {
            const dir = (element.getAttribute("dir") || "").toLowerCase();
            if (dir !== "rtl" && dir !== "ltr") return null;
            return dir === (firstStrong(element.textContent) || "ltr") ? null : dir; // what it is by itself is no choice
          },
          renderHTML: ({ dir }) => ({ dir: dir || "auto" }),
        },
      },
    }];
  },
  addCommands() {
    return {
      toggleDirection: () => ({ state, tr, dispatch }) => {
        const { from, to } = state.selection;
        let wanted = "";
        state.doc.nodesBetween(from, to, (node, pos) => {
          if (!PARAGRAPHS.includes(node.type.name)) return true;
          const own = firstStrong(node.textContent) || "ltr";
          wanted ||= (node.attrs.dir || own) === "rtl" ? "ltr" : "rtl";
          tr.setNodeAttribute(pos, "dir", wanted === own && node.textContent ? null : wanted);
          return false;
        });
        if (wanted && dispatch) dispatch(tr);
        return !!wanted;
      },
    };
  },
  addKeyboardShortcuts() {
    return { "Mod-Shift-x": () => this.editor.commands.toggleDirection() };
  },
  addProseMirrorPlugins() {
    const draw = (doc) => {
      const found = [];
      doc.descendants((node, pos) => {
        if (CONTAINERS.has(node.type.name) && directionOf(node) === "rtl") {
          found.push(Decoration.node(pos, pos + node.nodeSize, { dir: "rtl" }));
        }
        return !node.isTextblock;
      });
      return DecorationSet.create(doc, found);
    };
    const key = new PluginKey("direction");
    return [new Plugin({
      key,
      state: { init: (_, state) => draw(state.doc), apply: (tr, old) => (tr.docChanged ? draw(tr.doc) : old) },
      props: { decorations: (state) => key.getState(state) },
    })];
  },
});

const STYLES = { color: "color", size: "fontSize", background: "backgroundColor" };

/** Colour, size and highlight of a run of text, one mark for the three. */
export const TextStyle = Mark.create({
  name: "textStyle",
  addAttributes() {
    return Object.fromEntries(Object.entries(STYLES).map(([name, css]) => [name, {
      default: null,
      parseHTML: (element) => element.style[css] || (css === "color" && element.getAttribute("color")) || null,
      renderHTML: ({ [name]: value }) => (value ? { style: `${css.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}: ${value}` } : {}),
    }]));
  },
  parseHTML() {
    return ["span", "font"].map((tag) => ({
      tag,
      consuming: false,
      getAttrs: (element) => (Object.values(STYLES).some((css) => element.style[css]) || element.getAttribute("color") ? {} : false),
    }));
  },
  renderHTML({ HTMLAttributes }) {
    return ["span", HTMLAttributes, 0];
  },
});

/** Left, centred, right: by side and not by start, as mail programs know it. */
export const Align = Extension.create({
  name: "align",
  addGlobalAttributes() {
    return [{
      types: PARAGRAPHS,
      attributes: {
        align: {
          default: null,
          parseHTML: (element) => {
            const align = element.style.textAlign || element.getAttribute("align") || "";
            return ["left", "center", "right", "justify"].includes(align) ? align : null;
          },
          renderHTML: ({ align }) => (align ? { style: `text-align: ${align}` } : {}),
        },
      },
    }];
  },
  addCommands() {
    return {
      setAlign: (align) => ({ commands }) => PARAGRAPHS.map((type) => commands.updateAttributes(type, { align })).some(Boolean),
    };
  },
});

/** The signature: one block above the quote, told by its class (the brief's `mc-signature`). */
export const Signature = Node.create({
  name: "signature",
  group: "block",
  content: "block+",
  defining: true,
  isolating: true,
  addAttributes() {
    return { signature: { default: "", parseHTML: (element) => element.getAttribute("data-signature") || "" } };
  },
  parseHTML() {
    return [{ tag: "div.mc-signature", priority: 60 }];
  },
  renderHTML({ node }) {
    return ["div", { class: "mc-signature", "data-signature": node.attrs.signature }, 0];
  },
  addCommands() {
    return {
      setSignature: (id, html) => ({ state, commands, tr }) => {
        const found = [];
        state.doc.descendants((node, pos) => {
          if (node.type.name === "signature") found.push([pos, node.nodeSize]);
          return node.type.name !== "signature" && !node.isTextblock;
        });
        const block = id && html ? `<div class="mc-signature" data-signature="${String(id).replace(/[^\w-]/g, "")}">${html}</div>` : "";
        for (const [pos, size] of found.slice(1).reverse()) tr.delete(pos, pos + size);
        if (found.length) {
          const [pos, size] = found[0];
          if (!block) return commands.deleteRange({ from: pos, to: pos + size });
          return commands.insertContentAt({ from: pos, to: pos + size }, block, { updateSelection: false });
        }
        if (!block) return true;
        const last = state.doc.lastChild;
        const empty = last?.type.name === "paragraph" && !last.content.size && state.doc.childCount > 1;
        const at = empty ? state.doc.content.size - last.nodeSize : state.doc.content.size;
        return commands.insertContentAt(at, block, { updateSelection: false });
      },
    };
  },
});

const FIELD = /\{\{\s*([a-z_]+(?:\.[a-z0-9_]+)+)\s*(?:\|\s*default\(\s*(?:"([^"]*)"|'([^']*)')\s*\)\s*)?\}\}/i;

/** `{{ person.first_name | default("there") }}`, as templates and subjects write it. */
export function mergeText(field, fallback) {
  return `{{ ${field}${fallback ? ` | default(${JSON.stringify(fallback)})` : ""} }}`;
}

/** A merge field: the pill shows the real value, else the fallback, else its label in amber. */
export const Merge = Node.create({
  name: "merge",
  group: "inline",
  inline: true,
  atom: true,
  selectable: true,
  addOptions() {
    return { host: null };
  },
  addAttributes() {
    return { field: { default: "" }, fallback: { default: "" } };
  },
  parseHTML() {
    return [{
      tag: "span.mc-merge",
      priority: 70,
      getAttrs: (element) => {
        const said = FIELD.exec(element.textContent) || [];
        const field = element.getAttribute("data-field") || said[1] || "";
        return field ? { field, fallback: element.getAttribute("data-fallback") ?? said[2] ?? said[3] ?? "" } : false;
      },
    }];
  },
  renderHTML({ node }) {
    const { field, fallback } = node.attrs;
    return ["span", { class: "mc-merge", "data-field": field, ...(fallback ? { "data-fallback": fallback } : {}) }, mergeText(field, fallback)];
  },
  renderText({ node }) {
    return mergeText(node.attrs.field, node.attrs.fallback);
  },
  addCommands() {
    return {
      insertMerge: (field, fallback) => ({ commands }) => commands.insertContent([{ type: "merge", attrs: { field, fallback: fallback || "" } }]),
    };
  },
  addNodeView() {
    const host = this.options.host;
    return ({ node, getPos }) => {
      const dom = document.createElement("span");
      dom.className = "mc-pill";
      dom.contentEditable = "false";
      dom.setAttribute("role", "button");
      dom.dataset.testid = "merge-pill";
      let now = node;
      const draw = () => {
        const { field, fallback } = now.attrs;
        const known = host.field(field);
        const shown = known?.value || fallback;
        dom.textContent = shown || known?.label || field;
        dom.dataset.field = field;
        dom.dataset.empty = String(!known?.value && !fallback);
        dom.title = `${known?.label || field}: ${host.labels.set_fallback}`;
        dom.setAttribute("aria-label", `${known?.label || field}: ${shown || host.labels.field_empty}`);
      };
      draw();
      host.pills.add(draw);
      dom.addEventListener("click", (event) => { event.preventDefault(); host.openMerge?.(getPos(), dom); });
      return {
        dom,
        update: (next) => { if (next.type !== now.type) return false; now = next; draw(); return true; },
        ignoreMutation: () => true,
        destroy: () => host.pills.delete(draw),
      };
    };
  },
});

const LEAST_PX = 24;

/** A picture in the text. Stored as `cid:`; shown from where the draft's files lie; `upload` names one on its way. */
export const Picture = Node.create({
  name: "picture",
  group: "inline",
  inline: true,
  atom: true,
  draggable: true,
  addOptions() {
    return { host: null };
  },
  addAttributes() {
    return { src: { default: "" }, cid: { default: "" }, alt: { default: "" }, width: { default: null }, upload: { default: "" } };
  },
  parseHTML() {
    return [{
      tag: "img[src]",
      getAttrs: (element) => {
        const src = element.getAttribute("src") || "";
        const cid = /^cid:(.+)$/i.exec(src)?.[1] || element.getAttribute("data-cid") || "";
        if (!cid && !/^(https?:|data:image\/(png|jpeg|gif|webp);base64,)/i.test(src)) return false; // file:, blob:, relative
        const width = parseInt(element.getAttribute("width") || element.style.width, 10);
        return { src: cid ? "" : src, cid, alt: element.getAttribute("alt") || "", width: width >= 1 ? Math.min(width, 2000) : null };
      },
    }];
  },
  renderHTML({ node }) {
    const { src, cid, alt, width } = node.attrs;
    const stored = cid ? `cid:${cid}` : /^(https?|data):/i.test(src) ? src : null; // one on its way has no address yet
    return ["img", mergeAttributes(stored ? { src: stored } : {}, { alt }, width ? { width } : {})];
  },
  addCommands() {
    return {
      insertPicture: (attrs) => ({ commands }) => commands.insertContent([{ type: "picture", attrs }]),
    };
  },
  addNodeView() {
    const host = this.options.host;
    return ({ node, getPos, editor }) => {
      let now = node;
      const dom = document.createElement("span");
      const img = document.createElement("img");
      const note = document.createElement("span");
      const grip = document.createElement("span");
      dom.className = "mc-picture";
      dom.dataset.testid = "picture";
      note.className = "mc-picture-note";
      note.setAttribute("role", "status");
      grip.className = "mc-picture-grip";
      grip.dataset.testid = "picture-grip";
      img.draggable = false;
      dom.append(img, note, grip);
      const draw = () => {
        const { src, cid, alt, width, upload } = now.attrs;
        const remote = !cid && /^https?:/i.test(src);
        const shown = cid ? host.pictureUrl(cid) : remote ? "" : src;
        if (shown && img.getAttribute("src") !== shown) img.src = shown;
        if (!shown) img.removeAttribute("src");
        img.alt = alt;
        if (width) img.setAttribute("width", width); else img.removeAttribute("width");
        const way = upload ? host.uploads.get(upload) : null;
        dom.dataset.state = way?.error ? "failed" : upload ? "uploading" : remote ? "remote" : "there";
        note.textContent = way?.error || (way ? `${Math.round(way.part * 100)} %` : remote ? host.remoteLabel(src) : "");
      };
      img.addEventListener("error", () => { if (now.attrs.cid) { dom.dataset.state = "failed"; note.textContent = host.labels.picture_gone; } });
      draw();
      host.pictures.add(draw);
      const setWidth = (width) => {
        const pos = getPos();
        if (pos == null) return;
        editor.view.dispatch(editor.state.tr.setNodeAttribute(pos, "width", Math.round(width)));
      };
      grip.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        event.stopPropagation();
        const rtl = getComputedStyle(dom).direction === "rtl";
        const from = { x: event.clientX, width: img.getBoundingClientRect().width };
        const most = editor.view.dom.clientWidth;
        let width = from.width;
        const move = (to) => {
          width = Math.max(LEAST_PX, Math.min(most, from.width + (to.clientX - from.x) * (rtl ? -1 : 1)));
          img.setAttribute("width", Math.round(width));
        };
        const end = () => {
          grip.removeEventListener("pointermove", move);
          grip.removeEventListener("pointerup", end);
          grip.removeEventListener("pointercancel", end);
          if (Math.abs(width - from.width) >= 1) setWidth(width);
        };
        grip.setPointerCapture(event.pointerId);
        grip.addEventListener("pointermove", move);
        grip.addEventListener("pointerup", end);
        grip.addEventListener("pointercancel", end);
      });
      return {
        dom,
        update: (next) => { if (next.type !== now.type) return false; now = next; draw(); return true; },
        stopEvent: (event) => event.target === grip,
        ignoreMutation: () => true,
        selectNode: () => dom.classList.add("ProseMirror-selectednode"),
        deselectNode: () => dom.classList.remove("ProseMirror-selectednode"),
        destroy: () => host.pictures.delete(draw),
      };
    };
  },
  addKeyboardShortcuts() {
    // the keyboard's way to what the grip does: Alt and an arrow make the selected picture narrower or wider
    const by = (factor) => () => {
      const { node, from } = this.editor.state.selection;
      if (node?.type.name !== "picture") return false;
      const drawn = this.editor.view.nodeDOM(from)?.querySelector("img")?.getBoundingClientRect().width || 200;
      const width = Math.max(LEAST_PX, Math.min(this.editor.view.dom.clientWidth, (node.attrs.width || drawn) * factor));
      return this.editor.commands.updateAttributes("picture", { width: Math.round(width) });
    };
    return { "Alt-ArrowRight": by(1.1), "Alt-ArrowLeft": by(1 / 1.1) };
  },
});

const CELL = "border: 1px solid #c8ccd4; padding: 4px 8px; vertical-align: top";
const COLOUR = /^(#[0-9a-f]{3,8}|rgba?\([\d\s.,%]+\)|[a-z]{3,20})$/i;
const cellAttributes = {
  colspan: { default: 1, parseHTML: (e) => Math.min(Math.max(parseInt(e.getAttribute("colspan"), 10) || 1, 1), 100), renderHTML: ({ colspan }) => (colspan > 1 ? { colspan } : {}) },
  rowspan: { default: 1, parseHTML: (e) => Math.min(Math.max(parseInt(e.getAttribute("rowspan"), 10) || 1, 1), 1000), renderHTML: ({ rowspan }) => (rowspan > 1 ? { rowspan } : {}) },
  colwidth: { default: null, parseHTML: () => null, renderHTML: () => ({}) },
  background: {
    default: null,
    parseHTML: (e) => { const found = e.style.backgroundColor || e.getAttribute("bgcolor") || ""; return COLOUR.test(found) && found !== "transparent" ? found : null; },
    renderHTML: ({ background }) => (background ? { style: `background-color: ${background}` } : {}),
  },
};

const Cell = (name, tag, role, weight) => Node.create({
  name,
  content: "block+",
  tableRole: role,
  isolating: true,
  addAttributes: () => cellAttributes,
  parseHTML: () => [{ tag }],
  renderHTML: ({ HTMLAttributes }) => [tag, mergeAttributes({ style: CELL + weight }, HTMLAttributes), 0],
});
export const TableCell = Cell("tableCell", "td", "cell", "");
export const TableHeader = Cell("tableHeader", "th", "header_cell", "; font-weight: 600; text-align: left");
export const TableRow = Node.create({
  name: "tableRow",
  content: "(tableCell | tableHeader)*",
  tableRole: "row",
  parseHTML: () => [{ tag: "tr" }],
  renderHTML: () => ["tr", 0],
});

const verb = (act) => () => ({ state, dispatch }) => act(state, dispatch);

/** Tables: borders are written into each cell, because mail programs know no style sheets. */
export const Table = Node.create({
  name: "table",
  group: "block",
  content: "tableRow+",
  tableRole: "table",
  isolating: true,
  parseHTML: () => [{ tag: "table" }],
  renderHTML: () => ["table", { style: "border-collapse: collapse", cellspacing: "0" }, ["tbody", 0]],
  extendNodeSchema(extension) {
    const context = { name: extension.name, options: extension.options, storage: extension.storage };
    return { tableRole: callOrReturn(getExtensionField(extension, "tableRole", context)) };
  },
  addCommands() {
    return {
      insertTable: (rows = 3, columns = 3) => ({ tr, editor, dispatch }) => {
        const { table, tableRow, tableCell, paragraph } = editor.schema.nodes;
        const row = () => tableRow.create(null, Array.from({ length: columns }, () => tableCell.create(null, paragraph.create())));
        const made = table.create(null, Array.from({ length: rows }, row));
        if (dispatch) {
          const at = tr.selection.from + 1;
          tr.replaceSelectionWith(made).setSelection(TextSelection.near(tr.doc.resolve(at))).scrollIntoView();
        }
        return true;
      },
      addRowBefore: verb(tables.addRowBefore),
      addRowAfter: verb(tables.addRowAfter),
      addColumnBefore: verb(tables.addColumnBefore),
      addColumnAfter: verb(tables.addColumnAfter),
      deleteRow: verb(tables.deleteRow),
      deleteColumn: verb(tables.deleteColumn),
      deleteTable: verb(tables.deleteTable),
      mergeOrSplit: () => ({ state, dispatch }) => tables.mergeCells(state, dispatch) || tables.splitCell(state, dispatch),
      toggleHeaderRow: verb(tables.toggleHeader("row")),
      goToNextCell: verb(tables.goToNextCell(1)),
      goToPreviousCell: verb(tables.goToNextCell(-1)),
    };
  },
  addKeyboardShortcuts() {
    return {
      Tab: () => {
        if (!this.editor.isActive("table")) return false;
        if (this.editor.commands.goToNextCell()) return true;
        return this.editor.chain().addRowAfter().goToNextCell().run();
      },
      "Shift-Tab": () => this.editor.isActive("table") && this.editor.commands.goToPreviousCell(),
    };
  },
  addProseMirrorPlugins() {
    return [tables.tableEditing()];
  },
});
