// The rich text field of the composer: TipTap, uncontrolled. Puts the parts together (editor_*.js), answers
// `window.mailcrmEditor`, and keeps a hidden field up to date, so that Send posts what is on the screen.
import { useEffect, useMemo, useRef, useState } from "react";
import { EditorContent, useEditor } from "@tiptap/react";
import { createPortal } from "react-dom";
import { DOMSerializer } from "@tiptap/pm/model";
import StarterKit from "@tiptap/starter-kit";
import { Align, Direction, Merge, Picture, Signature, Table, TableCell, TableHeader, TableRow, TextStyle, firstStrong } from "./editor_nodes.js";
import { FieldList, LinkBox, PillBox, TemplateList } from "./editor_floats.jsx";
import { guard } from "./editor_guard.js";
import { cleaned, isOnlyPicture, plainened, withPills } from "./editor_paste.js";
import { picturesOf } from "./editor_pictures.js";
import { keeper } from "./editor_save.js";
import { Tools } from "./editor_tools.jsx";
import { isPicture } from "./editor_upload.js";

/** The socket takes messages of a million bytes and closes on a longer one. */
const MOST_BYTES = 900_000;
const tooLong = (html) => html.length > MOST_BYTES / 4 && new TextEncoder().encode(JSON.stringify(html)).length > MOST_BYTES;

/** What `{{` and a name being typed looks like before the cursor; and a paragraph that is `/` and a template's name. */
const TYPED_FIELD = /\{\{\s?([\p{L}\p{N}_. ]{0,40})$/u;
const TYPED_TEMPLATE = /^[\/／]((?:[\p{L}\p{N}][\p{L}\p{N}_.\- ]{0,40})?)$/u;

const editors = []; // the last one that had the focus is the one that Python's calls mean
const current = () => editors[editors.length - 1];
const ask = (name) => (...said) => current()?.[name](...said);
if (typeof window !== "undefined") {
  window.mailcrmEditor = Object.fromEntries(
    ["insertHtml", "setSignature", "insertMerge", "attachImage", "focus", "html", "flush"].map((name) => [name, ask(name)]),
  );
}

/** The text as it is stored: directions written out, nothing of the screen's. */
function stored(editor) {
  const holder = document.createElement("div");
  holder.append(DOMSerializer.fromSchema(editor.schema).serializeFragment(editor.state.doc.content));
  for (const block of holder.querySelectorAll('[dir="auto"]')) if (firstStrong(block.textContent) === "rtl") block.setAttribute("dir", "rtl");
  for (const block of holder.querySelectorAll("ul, ol, li, blockquote, table")) {
    const first = [...block.querySelectorAll("p, h2, h3")].find((each) => /^(rtl|ltr)$/.test(each.getAttribute("dir")) || firstStrong(each.textContent));
    if (first?.getAttribute("dir") === "rtl") block.setAttribute("dir", "rtl");
  }
  for (const span of holder.querySelectorAll("span:not([class]):not([style])")) span.replaceWith(...span.childNodes);
  return holder.innerHTML;
}

/** An empty paragraph is stored with a line break in it, so that other programs give it a height: here it has one. */
const unfilled = (html) => (html || "").replace(/(<p[^>]*>)<br\s*\/?>(?=<\/p>)/g, "$1");

const whole = (host) => [
  StarterKit.configure({
    heading: { levels: [2, 3] },
    link: { openOnClick: false, protocols: ["http", "https", "mailto", "tel"] },
    trailingNode: { notAfter: ["signature"] },
  }),
  TextStyle, Align, Direction, Signature,
  Merge.configure({ host }), Picture.configure({ host }),
  Table, TableRow, TableCell, TableHeader,
];
const NOT_PLAIN = ["blockquote", "bold", "bulletList", "code", "codeBlock", "heading", "horizontalRule", "italic", "link", "listItem", "listKeymap", "orderedList", "strike", "underline"];
const plainly = (host) => [
  StarterKit.configure(Object.fromEntries(NOT_PLAIN.map((name) => [name, false]))),
  Direction.extend({ addGlobalAttributes() { return this.parent().map((each) => ({ ...each, types: ["paragraph"] })); } }),
  Signature, Merge.configure({ host }),
];

/** Rich text or plain: another set of nodes, so another editor; the text goes along. */
export function MailEditor({ initialHtml, plain, onPlain, ...rest }) {
  const [mode, setMode] = useState({ plain: !!plain, html: initialHtml });
  return (
    <Field
      key={mode.plain ? "plain" : "rich"}
      {...rest}
      plain={mode.plain}
      changed={mode.html !== initialHtml}
      initialHtml={mode.html}
      onPlain={onPlain && ((to, html) => { setMode({ plain: to, html: to ? plainened(html) : html }); onPlain(to); })}
    />
  );
}

function Field({ initialHtml, labels, onSave, autofocus, fields, who, templatesUrl, onTemplate, uploadUrl, picturesUrl, draft, saved, plain, onPlain, changed, children }) {
  const hidden = useRef(null);
  const save = useRef(onSave);
  save.current = onSave;
  const now = useRef({});
  now.current = { labels, fields: fields || [], uploadUrl, picturesUrl, templatesUrl };
  const [float, setFloat] = useState(null); // { kind, at, … }: one at a time
  const [question, setQuestion] = useState(null); // { kind, … }: the strip above the toolbar
  const [slot, setSlot] = useState(null);
  useEffect(() => setSlot(hidden.current?.form?.querySelector("[data-editor-tools]") ?? null), []);
  const list = useRef(null);
  const tools = useRef({}); // what handlers of the editor reach: the editor itself, its pictures
  const host = useMemo(() => ({
    pills: new Set(),
    pictures: new Set(),
    uploads: new Map(),
    done: new Map(),
    get labels() { return now.current.labels; },
    field: (name) => now.current.fields.find((each) => each.name === name),
    pictureUrl: (cid) => `${now.current.picturesUrl}${encodeURIComponent(cid)}`,
    remoteLabel: (src) => { try { return new URL(src).host; } catch { return ""; } },
    retry: (id) => tools.current.pictures?.retry(id),
  }), []);
  host.openMerge = (pos, dom) => setFloat({ kind: "pill", pos, at: dom.getBoundingClientRect() });
  useEffect(() => { for (const draw of host.pills) draw(); }, [fields, labels]);

  const openLink = () => {
    const { view, state } = tools.current.editor;
    const [start, end] = [view.coordsAtPos(state.selection.from), view.coordsAtPos(state.selection.to)];
    setFloat({ kind: "link", at: { left: Math.min(start.left, end.left), top: start.top, bottom: end.bottom } });
  };
  const keys = useRef(null);
  keys.current = (event) => {
    if (event.isComposing || event.keyCode === 229) return false; // an Enter that ends a conversion is no Enter
    if (list.current?.key(event.key)) { event.stopPropagation(); return true; }
    if (!plain && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      event.stopPropagation();
      openLink();
      return true;
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "\\") {
      tools.current.editor.chain().focus().unsetAllMarks().clearNodes().run();
      return true;
    }
    if (event.altKey && event.key === "F10") {
      (slot ?? hidden.current?.parentElement)?.querySelector('[role=toolbar] [tabindex="0"]')?.focus();
      return true;
    }
    return false;
  };
  const takeFiles = (event, pos) => {
    const data = event.clipboardData ?? event.dataTransfer;
    const files = [...(data?.files ?? [])].filter(isPicture);
    if (!files.length || plain || !now.current.uploadUrl) return false;
    const html = data.getData("text/html"); // Excel and Word send a picture of the text along with the text
    if (event.clipboardData && html && !isOnlyPicture(html)) return false;
    event.preventDefault();
    tools.current.pictures.add(files, pos);
    return true;
  };

  const editor = useEditor({
    extensions: plain ? plainly(host) : whole(host),
    content: unfilled(initialHtml),
    autofocus: autofocus && !changed ? "start" : changed ? "end" : false,
    immediatelyRender: false,
    editorProps: {
      attributes: { class: plain ? "mc-editor mc-plain" : "mc-editor", role: "textbox", "aria-multiline": "true", "aria-label": labels.body, "data-testid": "compose-body", dir: "auto" },
      handleKeyDown: (_view, event) => keys.current(event),
      transformPastedHTML: (html) => (plain ? plainened(cleaned(html)) : cleaned(html)),
      handlePaste: (_view, event) => takeFiles(event),
      handleDrop: (view, event, _slice, moved) => !moved && takeFiles(event, view.posAtCoords({ left: event.clientX, top: event.clientY })?.pos),
    },
  });
  tools.current.editor = editor;

  const typing = ({ editor }) => {
    const { $from, empty } = editor.state.selection;
    const before = empty && $from.parent.isTextblock ? $from.parent.textBetween(Math.max(0, $from.parentOffset - 50), $from.parentOffset, null, "\ufffc") : "";
    const alone = empty && $from.parent.type.name === "paragraph" && $from.parentOffset === $from.parent.content.size;
    const slash = alone && now.current.templatesUrl && !editor.view.composing ? TYPED_TEMPLATE.exec(before) : null;
    const found = slash || (now.current.fields.length && !editor.view.composing ? TYPED_FIELD.exec(before) : null);
    const kind = slash ? "slash" : "typed";
    setFloat((old) => {
      if (!found) return ["typed", "slash", "closed"].includes(old?.kind) ? null : old;
      const from = $from.pos - found[0].length;
      if (old?.kind === "closed" && old.from === from) return old; // Escape means: these are braces, or a slash
      return { kind, from, to: $from.pos, query: found[1], at: editor.view.coordsAtPos(from) };
    });
  };
  const pickTemplate = (id) => {
    editor.chain().focus().deleteRange({ from: float.from, to: float.to }).run();
    setFloat(null);
    kept.current?.flush(); // what the template comes beside is saved before it
    onTemplate(id);
  };
  const pick = (field) => {
    editor.view.focus();
    const chain = editor.chain().focus();
    (float.kind === "typed" ? chain.deleteRange({ from: float.from, to: float.to }) : chain).insertMerge(field.name).run();
    setFloat(null);
  };

  const kept = useRef(null);
  useEffect(() => {
    if (!editor) return undefined;
    const form = hidden.current?.form ?? null;
    const read = () => { const html = stored(editor); if (hidden.current) hidden.current.value = html; return html; };
    const send = (html, number) => {
      if (tooLong(html)) setQuestion({ kind: "long" }); // this browser keeps it
      else { setQuestion((old) => (old?.kind === "long" ? null : old)); save.current?.(html, number); }
    };
    const tell = (open) => { if (hidden.current) hidden.current.dataset.saved = open ? "no" : "yes"; };
    const mine = keeper({ draft, read, send, tell });
    const pictures = picturesOf({ editor, host, now: () => now.current, form: () => form });
    kept.current = mine;
    tools.current.pictures = pictures;
    const shown = read();
    const left = changed ? null : mine.left(shown);
    if (left?.mine) { editor.commands.setContent(left.html); mine.touched(); }
    else if (left) setQuestion({ kind: "left", ...left });
    if (changed) mine.touched();
    pictures.lift();
    const change = ({ transaction }) => {
      if (!transaction.docChanged) return;
      read();
      mine.touched();
      queueMicrotask(pictures.lift);
    };
    editor.on("transaction", change);
    editor.on("update", typing);
    editor.on("selectionUpdate", typing);
    const html = (text) => {
      const holder = document.createElement("div");
      holder.innerHTML = unfilled(text);
      withPills(holder);
      return plain ? plainened(holder.innerHTML) : holder.innerHTML;
    };
    const api = {
      insertHtml: (text) => editor.chain().focus().insertContent(html(text)).run(),
      setSignature: (id, text) => editor.commands.setSignature(id, text && html(text)),
      insertMerge: (field, _label, fallback) => editor.chain().focus().insertMerge(field, fallback).run(),
      attachImage: (url, cid, alt) => editor.chain().focus().insertPicture({ src: cid ? "" : url, cid: cid || "", alt: alt || "" }).run(),
      focus: () => editor.commands.focus(),
      html: read,
      flush: mine.flush,
    };
    editors.push(api);
    const first = () => { editors.splice(editors.indexOf(api), 1); editors.push(api); };
    editor.on("focus", first);
    const submitting = () => { read(); mine.flush(); }; // saved and confirmed before it is sent
    form?.addEventListener("submit", submitting, true);
    const unguard = form && guard(form, {
      doc: () => editor.state.doc,
      hasFailed: () => [...host.uploads.values()].some((each) => each.error) && !!editor.view.dom.querySelector('[data-state="failed"]'),
      tooLong: () => tooLong(read()) && (setQuestion({ kind: "long" }), true),
      ask: {
        file: (go) => setQuestion({ kind: "file", go }),
        wait: (on) => setQuestion(on ? { kind: "wait" } : null),
        failed: () => setQuestion({ kind: "failed" }),
      },
    });
    return () => {
      unguard?.();
      form?.removeEventListener("submit", submitting, true);
      editor.off("transaction", change);
      editor.off("update", typing);
      editor.off("selectionUpdate", typing);
      editor.off("focus", first);
      editors.splice(editors.indexOf(api), 1);
      if (!editor.isDestroyed) mine.end();
    };
  }, [editor]);
  useEffect(() => { kept.current?.confirmed(saved || 0); }, [saved]);

  const switchPlain = () => {
    const html = stored(editor);
    if (plain) { onPlain(false, html); return; }
    const loses = /<(strong|em|u|s|code|pre|h\d|ul|ol|table|blockquote|a|img)\b|style="/.test(html.replace(/<div class="mc-signature"[\s\S]*<\/div>/, ""));
    if (loses) setQuestion({ kind: "plain", html });
    else onPlain(true, html);
  };
  // The form may keep a place for the toolbar below its attachments: drawn there, and reached by Tab there.
  const inSlot = (bar) => (slot ? createPortal(bar, slot) : bar);
  const closeFloat = (back) => { setFloat(null); if (back) editor.view.focus(); };
  return (
    <>
      <div className="composer-main" onClick={(event) => event.target === event.currentTarget && editor?.commands.focus("end")}>
        <EditorContent editor={editor} />
      </div>
      {/* not a hidden input: React would put its first value back whenever this renders again */}
      <textarea name="html" ref={hidden} defaultValue={initialHtml || ""} readOnly hidden aria-hidden="true" tabIndex={-1} />
      {inSlot(<>{question && (
        <Strip
          question={question}
          labels={labels}
          onAct={{
            attach: () => { setQuestion(null); window.mailcrmFiles?.choose(); },
            send: () => { setQuestion(null); question.go(); },
            restore: () => { editor.commands.setContent(question.html); setQuestion(null); editor.commands.focus("end"); },
            forget: () => { kept.current?.forget(); setQuestion(null); },
            plain: () => { setQuestion(null); onPlain(true, question.html); },
            close: () => { setQuestion(null); editor.commands.focus(); },
          }}
        />
      )}
      <Tools
        editor={editor}
        labels={labels}
        plain={plain}
        onPlain={onPlain && switchPlain}
        pictures={!!uploadUrl}
        onLink={openLink}
        onMerge={(at) => setFloat({ kind: "fields", at })}
        onPicture={(files) => tools.current.pictures.add(files)}
      >
        {children}
      </Tools></>)}
      {editor && float?.kind === "link" && <LinkBox at={float.at} editor={editor} labels={labels} onClose={closeFloat} />}
      {editor && float?.kind === "pill" && <PillBox key={float.pos} at={float.at} pos={float.pos} editor={editor} field={host.field(editor.state.doc.nodeAt(float.pos)?.attrs.field)} labels={labels} onClose={closeFloat} />}
      {editor && (float?.kind === "typed" || float?.kind === "fields") && (
        <FieldList
          at={float.at}
          fields={fields || []}
          query={float.kind === "typed" ? float.query : undefined}
          labels={labels}
          who={who}
          control={float.kind === "typed" ? list : null}
          onPick={pick}
          onClose={(back) => { setFloat(float.kind === "typed" ? { kind: "closed", from: float.from } : null); if (back) editor.commands.focus(); }}
        />
      )}
      {editor && float?.kind === "slash" && (
        <TemplateList
          at={float.at}
          url={templatesUrl}
          query={float.query}
          labels={labels}
          control={list}
          onPick={pickTemplate}
          onClose={(back) => { setFloat({ kind: "closed", from: float.from }); if (back) editor.commands.focus(); }}
        />
      )}
    </>
  );
}

const STRIPS = {
  file: { say: "ask_file", acts: [["attach", "attach"], ["send", "send_anyway"]] },
  wait: { say: "waiting", acts: [] },
  long: { say: "too_long", acts: [["close", "close"]] },
  failed: { say: "upload_open", acts: [["close", "close"]] },
  left: { say: "ask_left", acts: [["restore", "use_left"], ["forget", "drop_left"]] },
  plain: { say: "ask_plain", acts: [["plain", "use_plain"], ["close", "keep_rich"]] },
};

/** One question at a time, in amber above the toolbar; never a dialog. */
function Strip({ question, labels, onAct }) {
  const first = useRef(null);
  useEffect(() => { if (!["left", "wait", "long"].includes(question.kind)) first.current?.focus(); }, [question.kind]);
  const { say, acts } = STRIPS[question.kind];
  const when = question.at ? new Intl.DateTimeFormat(document.documentElement.lang || "en", { dateStyle: "short", timeStyle: "short" }).format(question.at) : "";
  return (
    <div className="mc-ask" role="alertdialog" aria-label={labels[say]} data-testid={`ask-${question.kind}`} onKeyDown={(event) => { if (event.key === "Escape" && acts.length && !event.nativeEvent.isComposing) { event.preventDefault(); event.stopPropagation(); onAct.close(); } }}>
      <span className="grow">{labels[say].replace("{when}", when)}</span>
      {acts.map(([act, label], n) => <button key={act} type="button" ref={n ? null : first} className="mc-ask-act" data-testid={`answer-${act}`} onClick={onAct[act]}>{labels[label]}</button>)}
    </div>
  );
}
