// To, Cc and Bcc as chips. Uncontrolled: what is here lives in the browser; a hidden field of each row holds the whole
// list, half-typed text included, so that Send posts what is on the screen; each change is reported after a short pause.
// The subject is reported here too, so that all of a draft's head is kept alike: a report leaves within a second of the
// first keystroke it holds, and again when the connection was lost meanwhile.
// Completion asks /compose/people. An Enter that ends an input method's conversion is no Enter.
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { read, readList, writtenList } from "./composer_addresses.js";
import { carriedOver, leave } from "./composer_lost.js";

const ROLES = ["to", "cc", "bcc"];
const ALL = [...ROLES, "subject"];
const PAUSE_MS = 500;
const MOST_MS = 700; // between a keystroke and its report, however fast somebody types
const LOOK_MS = 90;
const SHOWN = 40; // of hundreds; the rest is one chip that opens them
const same = (a, b) => a.address.toLowerCase() === b.address.toLowerCase();
const Path = ({ d, size = 14 }) => (
  <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true"><path d={d} /></svg>
);
const CROSS = "M18 6 6 18M6 6l12 12";
const SHIELD = "M20 13c0 5-3.500 7.500-7.660 8.950a1 1 0 0 1-.670-.010C7.500 20.500 4 18 4 13V6a1 1 0 0 1 1-1c2 0 4.500-1.200 6.240-2.720a1.170 1.170 0 0 1 1.520 0C14.510 3.810 17 5 19 5a1 1 0 0 1 1 1zM9.100 9a3 3 0 0 1 5.820 1c0 2-3 3-3 3M12 17h.01";
const ALERT = "M12 8v4M12 16h.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z";

function initialsOf({ name, address }) {
  const words = (name || address).replace(/["'<>]/g, "").split(/[\s.@_-]+/u).filter(Boolean);
  return [...(words[0] ?? "?")][0].toUpperCase();
}
const hueOf = (address) => [...address.toLowerCase()].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 8, 7);

export function Recipients({ draft, to, cc, bcc, labels, refused, onChange, autofocus, children }) {
  const [carried] = useState(() => carriedOver(draft)); // what was on the screen when the server forgot this tab
  const begun = carried ?? { to, cc, bcc };
  const [people, setPeople] = useState(() => Object.fromEntries(ROLES.map((role) => [role, unique(readList(begun[role] || ""))])));
  const [open, setOpen] = useState(() => ({ cc: !!begun.cc, bcc: !!begun.bcc }));
  const [said, setSaid] = useState("");
  const typed = useRef({ to: "", cc: "", bcc: "" });
  const fields = useRef({});
  const inputs = useRef({});
  const timers = useRef({}); // { timer, since } of what waits to be reported
  const send = useRef(onChange);
  send.current = onChange;
  const latest = useRef(people);
  latest.current = people;

  const subject = useRef(null);
  const text = (role) => (role === "subject" ? subject.current?.value ?? "" : [writtenList(latest.current[role]), typed.current[role].trim()].filter(Boolean).join(", "));
  const say = (role) => { clearTimeout(timers.current[role]?.timer); delete timers.current[role]; send.current?.(role, text(role)); };
  const report = (role) => {
    if (fields.current[role]) fields.current[role].value = text(role);
    const now = Date.now();
    const since = timers.current[role]?.since ?? now;
    clearTimeout(timers.current[role]?.timer);
    timers.current[role] = { since, timer: setTimeout(() => say(role), Math.max(0, Math.min(PAUSE_MS, since + MOST_MS - now))) };
  };
  const change = (next) => {
    const before = latest.current;
    latest.current = next;
    setPeople(next);
    for (const role of ROLES) if (next[role] !== before[role]) report(role);
  };
  // Leaving must not lose what was typed since the last pause.
  useEffect(() => {
    const box = inputs.current.to?.form?.elements.subject ?? null;
    subject.current = box;
    const typing = () => report("subject");
    const left = () => { if (timers.current.subject) say("subject"); }; // before another draft's is typed
    const again = () => ALL.forEach((role) => { if (role !== "subject" || box) say(role); });
    box?.addEventListener("input", typing);
    box?.addEventListener("blur", left);
    window.addEventListener("mailcrm:connected", again);
    if (carried) {
      if (box) box.value = carried.subject;
      again();
    }
    return () => {
      leave(draft, Object.fromEntries(ALL.map((role) => [role, text(role)])));
      for (const role of Object.keys(timers.current)) say(role);
      box?.removeEventListener("input", typing);
      box?.removeEventListener("blur", left);
      window.removeEventListener("mailcrm:connected", again);
    };
  }, []);
  // This loads by itself, maybe after the text beside it: who already writes there keeps the cursor.
  useEffect(() => {
    const to = inputs.current.to;
    if (autofocus && !to?.form?.contains(document.activeElement)) to?.focus();
  }, []);

  const add = (role, found) => {
    const all = latest.current;
    const known = ROLES.flatMap((each) => all[each]);
    const fresh = [];
    let twice = 0;
    for (const one of found) {
      if ([...known, ...fresh].some((each) => same(each, one))) twice += 1;
      else fresh.push(one);
    }
    if (fresh.length) change({ ...all, [role]: [...all[role], ...fresh] });
    if (twice) setSaid(labels.twice.replace("{n}", twice));
    else if (fresh.length) setSaid(labels.added.replace("{names}", fresh.slice(0, 3).map((each) => each.name || each.address).join(", ")));
    report(role);
  };
  const take = (role, at) => {
    const gone = latest.current[role][at];
    if (!gone) return;
    change({ ...latest.current, [role]: latest.current[role].filter((_, i) => i !== at) });
    setSaid(labels.taken.replace("{name}", gone.name || gone.address));
  };
  const move = (from, at, role) => {
    const one = latest.current[from][at];
    if (!one || from === role) return;
    if (role !== "to") setOpen((old) => ({ ...old, [role]: true }));
    const rest = latest.current[from].filter((_, i) => i !== at);
    change({ ...latest.current, [from]: rest, [role]: [...latest.current[role].filter((each) => !same(each, one)), one] });
    setSaid(labels.moved.replace("{name}", one.name || one.address).replace("{role}", labels[role]));
  };
  const show = (role) => {
    setOpen((old) => ({ ...old, [role]: true }));
    requestAnimationFrame(() => inputs.current[role]?.focus());
  };
  const row = (role) => (
    <Row
      key={role} role={role} labels={labels} people={people[role]} refused={refused || []}
      field={(element) => { fields.current[role] = element; if (element && !element.dataset.filled) { element.dataset.filled = "1"; element.value = text(role); } }}
      input={(element) => { inputs.current[role] = element; }}
      onTyped={(value) => { typed.current[role] = value; report(role); }}
      onAdd={(found) => add(role, found)} onTake={(at) => take(role, at)} onMove={(from, at, target) => move(from, at, target)}
    >
      {role === "to" && (!open.cc || !open.bcc) && (
        <span className="rc-more">
          {!open.cc && <button type="button" className="rc-add" onClick={() => show("cc")} data-testid="compose-show-cc">{labels.cc}</button>}
          {!open.bcc && <button type="button" className="rc-add" onClick={() => show("bcc")} data-testid="compose-show-bcc">{labels.bcc}</button>}
        </span>
      )}
    </Row>
  );
  return (
    <>
      {row("to")}
      {open.cc && row("cc")}
      {open.bcc && row("bcc")}
      <span className="sr" role="status">{said}</span>
      {children}
    </>
  );
}

function unique(found) {
  const seen = new Set();
  return found.filter((each) => !seen.has(each.address.toLowerCase()) && seen.add(each.address.toLowerCase()));
}

function Row({ role, labels, people, refused, field, input, onTyped, onAdd, onTake, onMove, children }) {
  const id = useId();
  const box = useRef(null);
  const [value, setValue] = useState("");
  const [found, setFound] = useState([]);
  const [at, setAt] = useState(0);
  const [menu, setMenu] = useState(-1);
  const [all, setAll] = useState(false);
  const asked = useRef({ timer: 0, abort: null });
  const names = useMemo(() => new Set(refused.map((each) => each.toLowerCase())), [refused]);

  const look = (text) => {
    clearTimeout(asked.current.timer);
    asked.current.abort?.abort();
    if (!text.trim()) { setFound([]); return; }
    asked.current.timer = setTimeout(async () => {
      const abort = new AbortController();
      asked.current.abort = abort;
      try {
        const answer = await fetch(`/compose/people?q=${encodeURIComponent(text.trim())}`, { signal: abort.signal, credentials: "same-origin" });
        const list = answer.ok ? await answer.json() : [];
        if (!abort.signal.aborted) { setFound(list.map((each) => ({ ...each, fault: "" }))); setAt(0); }
      } catch { /* offline, or a newer question: what is typed stays */ }
    }, LOOK_MS);
  };
  useEffect(() => () => { clearTimeout(asked.current.timer); asked.current.abort?.abort(); }, []);
  const type = (text) => { setValue(text); onTyped(text); look(text); };
  const clear = () => { setValue(""); onTyped(""); setFound([]); clearTimeout(asked.current.timer); asked.current.abort?.abort(); };
  const commit = (text = value) => {
    const list = readList(text);
    clear();
    if (list.length) onAdd(list);
  };
  const pick = (one) => { clear(); onAdd([one]); box.current?.focus(); };
  const chips = () => [...(box.current?.closest(".rc-field")?.querySelectorAll(".rc-chip") ?? [])];
  const keyed = (event) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    const shut = () => { event.preventDefault(); event.stopPropagation(); event.nativeEvent.stopImmediatePropagation?.(); };
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { if (value.trim()) commit(); return; }
    if (found.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      shut();
      setAt((old) => (old + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && found.length && value.trim() && !event.shiftKey && !read(value)?.address.match(/@.+\./)) { shut(); pick(found[at]); }
    else if (event.key === "Enter") { shut(); commit(); }
    else if (event.key === "Tab" && value.trim()) commit();
    else if ([",", ";", "、", "，", "；"].includes(event.key) && value.trim() && (value.split('"').length % 2)) { shut(); commit(); }
    else if (event.key === "Escape" && found.length) { shut(); setFound([]); }
    else if (event.key === "Backspace" && !value && people.length) { shut(); onTake(people.length - 1); }
    else if (event.key === "ArrowLeft" && !value && people.length) { shut(); chips().at(-1)?.focus(); }
  };
  const chipKeyed = (event, index) => {
    const go = (step) => { event.preventDefault(); const list = chips(); (list[list.indexOf(event.currentTarget) + step] ?? (step > 0 ? box.current : null))?.focus(); };
    if (event.key === "ArrowLeft") go(-1);
    else if (event.key === "ArrowRight") go(1);
    else if (event.key === "Backspace" || event.key === "Delete") { event.preventDefault(); onTake(index); box.current?.focus(); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); setMenu(menu === index ? -1 : index); }
    else if (event.key === "Escape" && menu >= 0) { event.preventDefault(); event.stopPropagation(); event.nativeEvent.stopImmediatePropagation?.(); setMenu(-1); }
  };
  const edit = (index) => {
    const one = people[index];
    setMenu(-1);
    onTake(index);
    const text = writtenList([one]);
    setValue(text);
    onTyped(text);
    requestAnimationFrame(() => box.current?.focus());
  };
  const shown = all || people.length <= SHOWN ? people : people.slice(0, SHOWN);
  return (
    <div
      className="composer-line rc-line"
      onDragOver={(event) => { if ([...event.dataTransfer.types].includes("text/x-recipient")) event.preventDefault(); }}
      onDrop={(event) => {
        const data = event.dataTransfer.getData("text/x-recipient");
        if (!data) return;
        event.preventDefault();
        event.stopPropagation();
        const { from, at: index } = JSON.parse(data);
        if (["to", "cc", "bcc"].includes(from)) onMove(from, index, role);
      }}
    >
      <label htmlFor={`compose-${role}`}>{labels[role]}</label>
      <div className="rc-field" onClick={(event) => event.target === event.currentTarget && box.current?.focus()}>
        {shown.map((one, index) => {
          const why = one.fault ? labels[one.fault] || labels.bad_name : "";
          const shy = !one.fault && (names.has(one.address.toLowerCase()) || (one.name && names.has(one.name.toLowerCase())));
          return (
            <span key={`${one.address}-${index}`} className="rc-wrap">
              <span
                className="rc-chip" tabIndex={-1} role="button" draggable="true" data-testid={`chip-${role}`} data-bad={one.fault ? "true" : undefined}
                title={why ? `${one.address}: ${why}` : shy ? `${one.address}: ${labels.refused}` : one.address}
                aria-label={[one.name, one.address, why || (shy ? labels.refused : "")].filter(Boolean).join(", ")}
                aria-haspopup="menu" aria-expanded={menu === index}
                onDragStart={(event) => event.dataTransfer.setData("text/x-recipient", JSON.stringify({ from: role, at: index }))}
                onKeyDown={(event) => chipKeyed(event, index)} onClick={() => setMenu(menu === index ? -1 : index)} onDoubleClick={() => edit(index)}
              >
                {one.fault ? <Path d={ALERT} /> : <span className="rc-face" data-hue={hueOf(one.address)} aria-hidden="true">{initialsOf(one)}</span>}
                <bdi className="cut">{one.name || one.address}</bdi>
                {shy && <span className="rc-shy"><Path d={SHIELD} /></span>}
                <button type="button" tabIndex={-1} className="rc-x" aria-label={labels.take.replace("{name}", one.name || one.address)} onClick={(event) => { event.stopPropagation(); onTake(index); box.current?.focus(); }}><Path d={CROSS} /></button>
              </span>
              {menu === index && (
                <span className="rc-menu" role="menu" onMouseLeave={() => setMenu(-1)}>
                  <span className="t1 dim rc-about" dir="ltr">{why ? `${one.address} · ${why}` : one.address}</span>
                  <button type="button" role="menuitem" className="menu-item" onClick={() => edit(index)}>{labels.edit}</button>
                  {ROLES.filter((each) => each !== role).map((each) => (
                    <button key={each} type="button" role="menuitem" className="menu-item" onClick={() => { setMenu(-1); onMove(role, index, each); }}>{labels.move.replace("{role}", labels[each])}</button>
                  ))}
                  <button type="button" role="menuitem" className="menu-item" onClick={() => { setMenu(-1); onTake(index); }}>{labels.remove}</button>
                </span>
              )}
            </span>
          );
        })}
        {shown.length < people.length && <button type="button" className="rc-chip rc-rest" onClick={() => setAll(true)}>{labels.more.replace("{n}", people.length - shown.length)}</button>}
        <input
          id={`compose-${role}`} ref={(element) => { box.current = element; input(element); }} value={value} dir="auto" autoComplete="off" autoCapitalize="off" spellCheck={false} enterKeyHint="next"
          data-testid={`compose-${role}`} role="combobox" aria-expanded={found.length > 0} aria-controls={id} aria-autocomplete="list" aria-invalid={people.some((each) => each.fault)}
          aria-activedescendant={found.length ? `${id}-${at}` : undefined}
          onChange={(event) => type(event.target.value)} onKeyDown={keyed}
          onBlur={() => setTimeout(() => { setFound([]); if (box.current && document.activeElement !== box.current && box.current.value.trim()) commit(box.current.value); }, 120)}
          onPaste={(event) => {
            const text = event.clipboardData.getData("text/plain");
            if (!/[,;、，；\n]/.test(text.trim()) && !/@.*\./.test(text)) return;
            event.preventDefault();
            commit(`${value}${text.replace(/\r\n?/g, "\n")}`);
          }}
        />
        {found.length > 0 && (
          <ul className="rc-found" role="listbox" id={id}>
            {found.map((one, index) => (
              <li
                key={one.address} id={`${id}-${index}`} role="option" aria-selected={index === at} data-testid="completion"
                onMouseDown={(event) => event.preventDefault()} onMouseEnter={() => setAt(index)} onClick={() => pick(one)}
              >
                <span className="rc-face" data-hue={hueOf(one.address)} aria-hidden="true">{initialsOf(one)}</span>
                <span className="col grow"><bdi className="cut">{one.name || one.address}</bdi>{one.name && <span className="t1 dim cut" dir="ltr">{one.address}</span>}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      {children}
      {/* not a hidden input: React would put its first value back whenever this renders again */}
      <textarea name={role} ref={field} readOnly hidden aria-hidden="true" tabIndex={-1} />
    </div>
  );
}
