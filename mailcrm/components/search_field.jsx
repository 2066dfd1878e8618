// The search field: what is typed stays here, offers come from the server and are shown only when they answer what
// stands in the field. An Enter that ends an input method's conversion is no Enter. Words of the question are marked in
// the list by the browser itself (CSS highlights): rows are not touched, so nothing moves and React redraws nothing.
import { useEffect, useMemo, useRef, useState } from "react";

const PAUSE_MS = 80;
const LETTER = /[\p{L}\p{N}]/u;
const CJK = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u;
const folded = (letter) => letter.normalize("NFKC").toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace("ß", "ss").normalize("NFC");

// Where the words stand in a text: [from, to] of each.
export function places(text, words) {
  let plain = "";
  const at = [];
  for (let n = 0; n < text.length; n += 1) {
    const letters = folded(text[n]);
    for (let k = 0; k < letters.length; k += 1) at.push(n);
    plain += letters;
  }
  const flat = plain.replace(/[^\p{L}\p{N}]/gu, " ");
  const found = [];
  for (const word of words) {
    for (let from = flat.indexOf(word); from >= 0; from = flat.indexOf(word, from + 1)) {
      if (!CJK.test(word[0]) && from > 0 && LETTER.test(flat[from - 1])) continue; // beginnings of words
      found.push([at[from], at[from + word.length - 1] + 1]);
    }
  }
  return found;
}

function mark(words) {
  if (!window.CSS?.highlights) return;
  const ranges = [];
  if (words.length) {
    for (const row of document.querySelectorAll('[data-testid="thread-row"]')) {
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (const [from, to] of places(node.data, words)) {
          const range = new Range();
          range.setStart(node, from);
          range.setEnd(node, to);
          ranges.push(range);
        }
      }
    }
  }
  CSS.highlights.set("search", new Highlight(...ranges));
}

export function SearchField({ place, offers, asked, replaces, marks, query, words, keyed, onType, onSearch }) {
  const field = useRef(null);
  const timer = useRef(0);
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const [box, setBox] = useState({}); // on the window: the navigation cuts off what is wider than itself
  const main = place === "nav";
  const rows = useMemo(() => (open && asked === typed ? offers : []), [open, asked, typed, offers]);
  const here = Math.min(at, rows.length - 1);

  useEffect(() => {
    if (field.current && document.activeElement !== field.current) { field.current.value = query; setTyped(query); }
  }, [query]);

  useEffect(() => {
    if (!main) return undefined;
    let frame = 0;
    const again = () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => mark(marks)); };
    again();
    if (!marks.length) return undefined;
    const seen = new MutationObserver(again);
    seen.observe(document.body, { childList: true, subtree: true, characterData: true });
    return () => { seen.disconnect(); cancelAnimationFrame(frame); };
  }, [main, marks]);

  const ask = (text) => {
    const around = field.current.closest(".nav-search").getBoundingClientRect();
    setBox({ top: around.bottom + 4, left: Math.max(8, Math.min(around.left, window.innerWidth - 368)) });
    setTyped(text); setAt(-1); setOpen(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onType?.(text), PAUSE_MS);
  };
  const take = (offer) => {
    const value = typed.slice(0, typed.length - replaces) + offer.insert + (offer.insert.endsWith(":") ? "" : " ");
    field.current.value = value;
    field.current.focus();
    ask(value);
  };
  const run = () => { clearTimeout(timer.current); setOpen(false); onSearch?.(field.current.value); };
  const press = (event) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows.length) { event.preventDefault(); setAt(here + step < -1 ? rows.length - 1 : here + step >= rows.length ? -1 : here + step); }
    else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && here >= 0) { event.preventDefault(); take(rows[here]); }
    else if (event.key === "Enter") { event.preventDefault(); run(); }
    else if (event.key === "Escape" && rows.length) { event.preventDefault(); event.stopPropagation(); setOpen(false); }
  };

  return (
    <form role="search" className="nav-search-form" onSubmit={(event) => { event.preventDefault(); run(); }}>
      <input ref={field} name="query" type="search" placeholder={words.search} aria-label={words.search} defaultValue={query}
        role="combobox" aria-expanded={rows.length > 0} aria-controls={`search-${place}`} aria-autocomplete="list"
        aria-activedescendant={here >= 0 ? `search-${place}-${here}` : undefined} autoComplete="off" spellCheck={false} dir="auto"
        maxLength={200} data-key={keyed} data-testid={main ? "search-input" : `search-input-${place}`}
        onChange={(event) => ask(event.target.value)} onFocus={(event) => ask(event.target.value)} onBlur={() => setOpen(false)} onKeyDown={press} />
      <ul id={`search-${place}`} role="listbox" aria-label={words.offers} className="search-offers" style={box} hidden={!rows.length}>
        {rows.map((row, n) => (
          <li key={`${row.kind}-${row.insert}`} id={`search-${place}-${n}`} role="option" aria-selected={n === here} className="search-offer"
            onMouseDown={(event) => { event.preventDefault(); take(row); }} onMouseMove={() => n !== here && setAt(n)} data-testid="search-offer" data-kind={row.kind}>
            <span className={row.kind === "operator" || row.kind === "value" ? "cut mono" : "cut"} dir="auto">{row.title}</span>
            {row.about ? <span className="t1 dim cut" dir="auto">{row.about}</span> : null}
          </li>
        ))}
      </ul>
      <span className="sr" role="status">{rows.length ? words.count.replace("{n}", rows.length) : ""}</span>
    </form>
  );
}
