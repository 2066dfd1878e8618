// The editor's floats: a link's address, a merge field's fallback, and the lists that `{{` and `/` open.
import { Fragment, useEffect, useImperativeHandle, useRef, useState } from "react";
import { Popover } from "./editor_popover.jsx";

const SCHEME = /^(https?|mailto|tel):/i;

/** An address as people type it, made whole; "" when it can be no link. */
export function linkOf(text) {
  const typed = text.trim();
  if (!typed || /\s/.test(typed)) return "";
  if (SCHEME.test(typed)) return typed;
  if (/^[a-z][a-z0-9+.-]*:/i.test(typed) && !/^[\w.-]+:\d+/.test(typed)) return ""; // javascript:, file: …
  if (/^[^@/]+@[^@/]+\.[^@/]+$/.test(typed)) return `mailto:${typed}`;
  return /^[^/]+\.[^/]+|^localhost/.test(typed) ? `https://${typed}` : "";
}

export function LinkBox({ at, editor, labels, onClose }) {
  const old = editor.getAttributes("link").href || "";
  const empty = editor.state.selection.empty && !old;
  const [href, setHref] = useState(old);
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const save = () => {
    const made = linkOf(href);
    if (!made) { setWrong(true); return; }
    editor.view.focus(); // at once: TipTap's own focus() waits for a frame, and keys typed meanwhile would be lost
    if (empty) editor.chain().focus().insertContent({ type: "text", text: text.trim() || href.trim(), marks: [{ type: "link", attrs: { href: made } }] }).unsetMark("link").run();
    else editor.chain().focus().extendMarkRange("link").setLink({ href: made }).run();
    onClose(false);
  };
  const keys = (event) => { if (event.key === "Enter" && !event.nativeEvent.isComposing && event.keyCode !== 229) { event.preventDefault(); save(); } };
  return (
    <Popover at={at} onClose={onClose} label={labels.link} testid="link-box" above={false}>
      <div className="mc-form" onKeyDown={keys}>
        <label>{labels.address}<input className="input" value={href} dir="ltr" placeholder="https://" aria-invalid={wrong} data-testid="link-href" onChange={(event) => { setHref(event.target.value); setWrong(false); }} /></label>
        {empty && <label>{labels.link_text}<input className="input" value={text} dir="auto" data-testid="link-text" onChange={(event) => setText(event.target.value)} /></label>}
        {wrong && <p className="t1 bad" role="alert">{labels.bad_link}</p>}
        <div className="row gap8">
          <button type="button" className="btn btn-ink btn-sm" data-testid="link-save" onClick={save}>{labels.save}</button>
          {old && <button type="button" className="btn btn-ghost btn-sm" data-testid="link-remove" onClick={() => { editor.view.focus(); editor.chain().focus().extendMarkRange("link").unsetLink().run(); onClose(false); }}>{labels.remove_link}</button>}
        </div>
      </div>
    </Popover>
  );
}

export function PillBox({ at, pos, editor, field, labels, onClose }) {
  const node = editor.state.doc.nodeAt(pos);
  const [fallback, setFallback] = useState(node?.attrs.fallback ?? "");
  if (node?.type.name !== "merge") return null;
  const save = () => { editor.view.focus(); editor.chain().setNodeSelection(pos).updateAttributes("merge", { fallback: fallback.trim() }).focus().run(); onClose(true); };
  const keys = (event) => { if (event.key === "Enter" && !event.nativeEvent.isComposing && event.keyCode !== 229) { event.preventDefault(); save(); } };
  return (
    <Popover at={at} onClose={onClose} label={field?.label || node.attrs.field} testid="pill-box" above={false}>
      <div className="mc-form" onKeyDown={keys}>
        <p className="t1 dim"><b>{field?.label || node.attrs.field}</b> <bdi>{field?.value || labels.field_empty}</bdi></p>
        <label>{labels.fallback}<input className="input" value={fallback} dir="auto" maxLength={200} data-testid="pill-fallback" onChange={(event) => setFallback(event.target.value)} /></label>
        <div className="row gap8">
          <button type="button" className="btn btn-ink btn-sm" data-testid="pill-save" onClick={save}>{labels.save}</button>
          <button type="button" className="btn btn-ghost btn-sm" data-testid="pill-remove" onClick={() => { editor.view.focus(); editor.chain().focus().deleteRange({ from: pos, to: pos + 1 }).run(); onClose(false); }}>{labels.remove_field}</button>
        </div>
      </div>
    </Popover>
  );
}

/** Fields whose name or label holds what was typed, those with a value first; all of them in their groups. */
export function matching(fields, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return fields;
  const found = fields.filter((each) => each.name.toLowerCase().includes(wanted) || each.label.toLowerCase().includes(wanted));
  return [...found.filter((each) => each.value), ...found.filter((each) => !each.value)];
}

/** The keys of a list that is open beside a text: what is chosen, and whether the key was the list's. */
function useChoice({ found, reset, onPick, onClose, control }) {
  const [n, setN] = useState(0);
  const list = useRef(null);
  const at = Math.min(n, found.length - 1);
  useEffect(() => setN(0), reset);
  useEffect(() => { list.current?.querySelectorAll("[role=option]")[at]?.scrollIntoView?.({ block: "nearest" }); }, [at]);
  const key = (name) => {
    if (name === "ArrowDown") setN((at + 1) % Math.max(1, found.length));
    else if (name === "ArrowUp") setN((at - 1 + found.length) % Math.max(1, found.length));
    else if (name === "Enter" || name === "Tab") { if (!found.length) return false; onPick(found[at]); }
    else if (name === "Escape") onClose(true);
    else return false;
    return true;
  };
  useImperativeHandle(control, () => ({ key }));
  return { at, setN, list, key };
}

/** The list of merge fields. Typed into: the editor keeps the focus and hands keys in through `control`. */
export function FieldList({ at, fields, query, labels, who, onPick, onClose, control }) {
  const [typed, setTyped] = useState("");
  const own = query === undefined; // opened by the button: it has a field to search in
  const found = matching(fields, own ? typed : query);
  const { at: at_, setN, list, key } = useChoice({ found, reset: [query, typed], onPick, onClose, control });
  const grouped = !(own ? typed : query).trim();
  return (
    <Popover at={at} onClose={onClose} label={labels.merge} testid="merge-list" above={own} focus={own}>
      {own && <input className="input mc-search" value={typed} dir="auto" placeholder={labels.find_field} aria-label={labels.find_field} data-testid="merge-search" onChange={(event) => setTyped(event.target.value)} onKeyDown={(event) => { if (!event.nativeEvent.isComposing && event.keyCode !== 229 && event.key !== "Escape" && key(event.key)) event.preventDefault(); }} />}
      <ul role="listbox" aria-label={labels.merge} className="mc-fields" ref={list}>
        {found.map((each, position) => (
          <Fragment key={each.name}>
            {grouped && each.group && each.group !== found[position - 1]?.group && <li className="mc-group" role="presentation">{each.group}</li>}
            <li role="option" aria-selected={position === at_} data-name={each.name} onMouseDown={(event) => event.preventDefault()} onPointerEnter={() => setN(position)} onClick={() => onPick(each)}>
              <span>{each.label}</span>{each.value !== each.label && <bdi className={each.value ? "dim cut" : "warn"}>{each.value || labels.field_empty}</bdi>}
            </li>
          </Fragment>
        ))}
        {!found.length && <li className="dim" role="presentation">{labels.no_field}</li>}
      </ul>
      {who && <p className="mc-pop-foot t1 dim cut">{labels.preview_uses.split("{name}")[0]}<bdi>{who}</bdi>{labels.preview_uses.split("{name}")[1]}</p>}
    </Popover>
  );
}

const LOOK_MS = 90;

/** The templates that `/` on an empty line finds: the editor keeps the focus, the text typed after it is the question. */
export function TemplateList({ at, url, query, labels, onPick, onClose, control }) {
  const [rows, setRows] = useState(null);
  const [failed, setFailed] = useState(false);
  const { at: at_, setN, list } = useChoice({ found: rows ?? [], reset: [rows], onPick: (each) => onPick(each.id), onClose, control });
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await fetch(`${url}?q=${encodeURIComponent(query.trim())}`, { signal: abort.signal, credentials: "same-origin" });
        const found = answer.ok ? await answer.json() : [];
        if (!abort.signal.aborted) { setRows(found); setFailed(!answer.ok); }
      } catch { if (!abort.signal.aborted) { setRows([]); setFailed(true); } }
    }, rows === null ? 0 : LOOK_MS);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [query]);
  return (
    <Popover at={at} onClose={onClose} label={labels.templates} testid="slash-templates" above={false} focus={false}>
      <p className="mc-pop-head">{labels.templates}</p>
      <ul role="listbox" aria-label={labels.templates} className="mc-fields" ref={list} aria-busy={rows === null}>
        {(rows ?? []).map((each, position) => (
          <li key={each.id} role="option" aria-selected={position === at_} data-id={each.id} onMouseDown={(event) => event.preventDefault()} onPointerEnter={() => setN(position)} onClick={() => onPick(each.id)}>
            <bdi className="cut">{each.name}</bdi>{each.folder && <bdi className="dim cut">{each.folder}</bdi>}
          </li>
        ))}
        {rows?.length === 0 && <li className="dim" role="presentation">{failed ? labels.templates_failed : query.trim() ? labels.no_template : labels.no_templates}</li>}
      </ul>
      {rows?.length === 0 && !failed && <a className="mc-pop-item" href="/templates" data-testid="slash-new">{labels.new_template}</a>}
    </Popover>
  );
}
