// The command palette. Commands click the button that carries their key, so only what can be done now is offered; hits
// come from the server, and are shown only when they answer what stands in the field. The dialog is the browser's own:
// it keeps the focus inside and gives it back to where it was. An Enter that ends an input method's conversion is no Enter.
import { useEffect, useMemo, useRef, useState } from "react";

const PAUSE_MS = 80;
const GROUPS = ["deal", "thread", "person", "file", "template", "do", "go"];
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

// How well letters in order match: whole words first, then beginnings of words, then anything; -1 is not at all.
export function score(text, query) {
  const [t, q] = [plain(text), plain(query).trim()];
  if (!q) return 0;
  const at = t.indexOf(q);
  if (at === 0) return 100;
  if (at > 0) return /[\s\p{P}]/u.test(t[at - 1]) ? 80 : 60;
  let [from, points] = [0, 40];
  for (const letter of q.replace(/\s+/g, "")) {
    const found = t.indexOf(letter, from);
    if (found < 0) return -1;
    points -= Math.min(found - from, 6);
    from = found + 1;
  }
  return points > 0 ? points : -1;
}

const parts = (title, query) => {
  const at = query ? plain(title).length === title.length ? plain(title).indexOf(plain(query).trim()) : -1 : -1;
  if (at < 0) return title;
  const end = at + query.trim().length;
  return <>{title.slice(0, at)}<mark>{title.slice(at, end)}</mark>{title.slice(end)}</>;
};

export function Palette({ commands, hits, asked, words, onSearch, onOpen, onAll, onPerson }) {
  const dialog = useRef(null);
  const field = useRef(null);
  const timer = useRef(0);
  const [typed, setTyped] = useState("");
  const [scope, setScope] = useState("all");
  const [at, setAt] = useState(0);
  const [now, setNow] = useState([]); // commands that can be done at this moment

  useEffect(() => {
    const show = () => {
      if (dialog.current?.open) { dialog.current.close(); return; }
      setNow(commands.filter((each) => each.group === "go" || window.mailcrmCan?.(each.key)));
      setTyped(""); setScope("all"); setAt(0);
      dialog.current.showModal();
      field.current.value = "";
      field.current.focus();
    };
    window.addEventListener("mailcrm:palette", show);
    return () => window.removeEventListener("mailcrm:palette", show);
  }, [commands]);

  const onlyCommands = scope === "do" || typed.startsWith(">");
  const query = typed.replace(/^>/, "").trim();
  const rows = useMemo(() => {
    const found = [];
    if (!onlyCommands && query && asked.trim() === query) for (const hit of hits) found.push({ ...hit, group: hit.kind === "lead" ? "deal" : hit.kind, name: `${hit.kind}-${hit.id}-${hit.kind === "file" ? hit.title : ""}` });
    const doing = now.map((each) => ({ ...each, title: each.label, name: each.key, points: score(each.label, query) })).filter((each) => each.points >= 0);
    doing.sort((a, b) => b.points - a.points);
    found.push(...(query ? doing.slice(0, 8) : doing));
    found.sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
    if (query && !onlyCommands) {
      found.push({ group: "more", name: "all", title: words.all.replace("{query}", query) });
      if (asked.trim() === query && !hits.length) found.push({ group: "more", name: "create", title: words.create.replace("{query}", query) });
    }
    return found;
  }, [hits, asked, query, onlyCommands, now, words]);
  const here = Math.min(at, rows.length - 1);
  const waiting = !onlyCommands && query && asked.trim() !== query;

  useEffect(() => { dialog.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }); }, [here, rows]);

  const type = (value) => {
    setTyped(value); setAt(0);
    clearTimeout(timer.current);
    if (!value.startsWith(">") && value.trim()) timer.current = setTimeout(() => onSearch?.(value), PAUSE_MS);
  };
  const run = (row) => {
    if (!row) return;
    dialog.current.close(); // first: the focus goes back, then the command finds its place
    if (row.name === "all") onAll?.(query);
    else if (row.name === "create") onPerson?.(query);
    else if (row.key) setTimeout(() => window.mailcrmAct?.(row.key), 0);
    else onOpen?.(row.kind, row.id);
  };
  const press = (event) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? (event.ctrlKey && { n: 1, p: -1 }[event.key]);
    if (step) { event.preventDefault(); if (rows.length) setAt((here + step + rows.length) % rows.length); }
    else if (event.key === "Home" && event.ctrlKey) setAt(0);
    else if (event.key === "Enter") { event.preventDefault(); run(rows[here]); }
    else if (event.key === "Tab") { event.preventDefault(); setScope(scope === "all" ? "do" : "all"); setAt(0); }
    event.stopPropagation(); // no shortcut of the page is meant
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); dialog.current.close(); }
  };

  let group = "";
  return (
    <dialog ref={dialog} className="palette" aria-label={words.title} onClick={(event) => event.target === dialog.current && dialog.current.close()} data-testid="palette">
      <div className="palette-box">
        <div className="palette-top">
          <svg width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" aria-hidden="true"><path d="m21 21-4.3-4.3M19 11a8 8 0 1 1-16 0 8 8 0 0 1 16 0z" /></svg>
          <input ref={field} type="text" placeholder={words.hint} aria-label={words.title} role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
            aria-activedescendant={rows[here] ? `palette-${here}` : undefined} autoComplete="off" spellCheck={false} dir="auto" maxLength={100}
            onChange={(event) => type(event.target.value)} onKeyDown={press} data-testid="palette-input" />
          <span className="t1 dim">{onlyCommands ? words.only_commands : words.everywhere}</span>
          <kbd className="kbd" aria-hidden="true">Tab</kbd>
        </div>
        <ul id="palette-list" role="listbox" aria-label={words.title} className="palette-list">
          {rows.map((row, n) => {
            const head = row.group !== group && words[row.group];
            group = row.group;
            return [
              head ? <li key={`head-${row.group}`} role="presentation" className="palette-head">{head}</li> : null,
              <li key={row.name} id={`palette-${n}`} role="option" aria-selected={n === here} className="palette-row" onMouseMove={() => n !== here && setAt(n)} onClick={() => run(row)} data-testid="palette-row" data-kind={row.group}>
                <span className="cut" dir="auto">{parts(row.title, query)}</span>
                {row.about ? <span className="t1 dim cut palette-about" dir="auto">{row.about}</span> : null}
                {row.shown ? <kbd className="kbd" aria-hidden="true">{row.shown}</kbd> : null}
              </li>,
            ];
          })}
          {!rows.length && !waiting ? <li className="palette-none dim" role="presentation">{words.nothing.replace("{query}", query)}</li> : null}
        </ul>
        <div className="palette-foot t1 dim" aria-hidden="true">
          <span><kbd className="kbd">↑</kbd> <kbd className="kbd">↓</kbd> {words.move}</span>
          <span><kbd className="kbd">↵</kbd> {words.open}</span>
          <span className="grow" />
          <span><kbd className="kbd">&gt;</kbd> {words.commands}</span>
        </div>
        <p className="sr" role="status">{waiting ? "" : words.results.replace("{n}", rows.length)}</p>
      </div>
    </dialog>
  );
}
