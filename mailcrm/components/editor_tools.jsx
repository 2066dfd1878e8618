// The toolbar: one stop for Tab, arrows within it, everything it does also has a key or a menu. Changes the text only
// through the editor's commands.
import { useEffect, useRef, useState } from "react";
import { useEditorState } from "@tiptap/react";
import {
  Baseline, Bold, Braces, ChevronDown, Code, Ellipsis, Image, Italic, Link, List, ListOrdered, PilcrowLeft, PilcrowRight,
  Redo2, RemoveFormatting, SquareCode, Strikethrough, Table, TextAlignCenter, TextAlignEnd, TextAlignStart, TextQuote,
  Type, Underline, Undo2,
} from "lucide-react";
import { firstStrong } from "./editor_nodes.js";
import { Item, Popover } from "./editor_popover.jsx";

const SIZES = [["small", "12px"], ["normal", null], ["large", "18px"], ["huge", "24px"]];
/** Dark enough to be read on white paper, which is what recipients have (contrast at least 4.5:1). */
const COLOURS = [["black", null], ["grey", "#60646c"], ["red", "#c62a2f"], ["amber", "#8f5a00"], ["green", "#1f7a3f"], ["teal", "#0b6e76"], ["blue", "#2f5bd0"], ["purple", "#7c3aa8"]];
const MARKERS = [["none", null], ["yellow", "#fff3b0"], ["lime", "#d8f3c2"], ["sky", "#d3ebfd"], ["pink", "#fbdcec"]];

const icon = { size: 16, strokeWidth: 1.75, "aria-hidden": true };

function Tool({ name, label, keys, active, disabled, onUse, children, menu }) {
  return (
    <button
      type="button"
      className="icon-btn"
      aria-label={label}
      title={keys ? `${label} (${keys})` : label}
      aria-pressed={menu ? undefined : active}
      aria-haspopup={menu ? "true" : undefined}
      data-tool={name}
      data-testid={`tool-${name}`}
      disabled={disabled}
      tabIndex={-1}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onUse}
    >
      {children}
    </button>
  );
}

const NOTHING = {};
function look(editor) {
  if (!editor) return NOTHING;
  const { $from } = editor.state.selection;
  const block = $from.parent;
  const style = editor.getAttributes("textStyle");
  const found = { size: style.size || null, color: style.color || null, background: style.background || null };
  for (const name of ["bold", "italic", "underline", "strike", "code", "bulletList", "orderedList", "blockquote", "link", "codeBlock", "table"]) found[name] = editor.isActive(name);
  found.heading = editor.isActive("heading", { level: 2 }) ? "title" : editor.isActive("heading", { level: 3 }) ? "heading" : "";
  found.rtl = (block.attrs.dir || firstStrong(block.textContent)) === "rtl";
  found.align = block.attrs.align || "";
  found.undo = editor.can().undo?.() ?? false;
  found.redo = editor.can().redo?.() ?? false;
  return found;
}

export function Tools({ editor, labels, plain, onPlain, onLink, onMerge, onPicture, onFiles, pictures, children }) {
  const bar = useRef(null);
  const choose = useRef(null);
  const [menu, setMenu] = useState(null); // { name, at }
  const is = useEditorState({ editor, selector: ({ editor }) => look(editor) }) || NOTHING;
  const run = (act) => () => { if (!editor) return; editor.view.focus(); act(editor.chain().focus()).run(); };
  const open = (name) => (event) => setMenu(menu?.name === name ? null : { name, at: event.currentTarget.getBoundingClientRect() });
  const close = (back) => { setMenu(null); if (back) editor?.view.focus(); };
  const use = (act) => () => { run(act)(); setMenu(null); };

  // One stop for Tab: the tool that had the focus last, or the first.
  const tools = () => [...bar.current.querySelectorAll("button:not(:disabled)")].filter((each) => each.offsetParent);
  const rove = (to) => { for (const each of bar.current.querySelectorAll("button")) each.tabIndex = each === to ? 0 : -1; };
  useEffect(() => {
    const all = tools();
    if (all.length && !all.some((each) => each.tabIndex === 0)) rove(all[0]);
  });
  const keys = (event) => {
    if (event.nativeEvent.isComposing) return;
    const all = tools();
    const at = all.indexOf(document.activeElement);
    const rtl = getComputedStyle(bar.current).direction === "rtl" ? -1 : 1;
    const to = { ArrowRight: all[(at + rtl + all.length) % all.length], ArrowLeft: all[(at - rtl + all.length) % all.length], Home: all[0], End: all.at(-1) }[event.key];
    if (to) { event.preventDefault(); to.focus(); }
    if (event.key === "Escape" && at >= 0) { event.preventDefault(); event.stopPropagation(); editor?.view.focus(); }
  };

  const sized = is.heading || SIZES.find(([, size]) => size === is.size)?.[0] || "normal";
  const setSize = (size) => use((chain) => (is.heading ? chain.setParagraph() : chain).setMark("textStyle", { size }));
  return (
    <div className="composer-tools" role="toolbar" aria-label={labels.tools} ref={bar} onKeyDown={keys} onFocus={(event) => event.target.matches("button") && rove(event.target)} data-testid="compose-tools">
      {!plain && (
        <>
          <button type="button" className="mc-size" aria-haspopup="true" aria-label={`${labels.style}: ${labels[sized]}`} data-testid="tool-style" tabIndex={-1} onMouseDown={(event) => event.preventDefault()} onClick={open("style")}>
            <span className="cut">{labels[sized]}</span><ChevronDown {...icon} size={14} />
          </button>
          <span className="mc-rule" />
          <Tool name="bold" label={labels.bold} keys="Ctrl B" active={!!is.bold} onUse={run((c) => c.toggleBold())}><Bold {...icon} /></Tool>
          <Tool name="italic" label={labels.italic} keys="Ctrl I" active={!!is.italic} onUse={run((c) => c.toggleItalic())}><Italic {...icon} /></Tool>
          <Tool name="underline" label={labels.underline} keys="Ctrl U" active={!!is.underline} onUse={run((c) => c.toggleUnderline())}><Underline {...icon} /></Tool>
          <Tool name="colour" label={labels.colour} menu onUse={open("colour")}><Baseline {...icon} style={{ color: is.color || undefined }} /></Tool>
          <span className="mc-rule" />
          <Tool name="bullets" label={labels.bullets} keys="Ctrl Shift 8" active={!!is.bulletList} onUse={run((c) => c.toggleBulletList())}><List {...icon} /></Tool>
          <Tool name="numbers" label={labels.numbers} keys="Ctrl Shift 7" active={!!is.orderedList} onUse={run((c) => c.toggleOrderedList())}><ListOrdered {...icon} /></Tool>
          <Tool name="quote" label={labels.quote} keys="Ctrl Shift B" active={!!is.blockquote} onUse={run((c) => c.toggleBlockquote())}><TextQuote {...icon} /></Tool>
          <Tool name="direction" label={labels.direction} keys="Ctrl Shift X" active={!!is.rtl} onUse={run((c) => c.toggleDirection())}>{is.rtl ? <PilcrowLeft {...icon} /> : <PilcrowRight {...icon} />}</Tool>
          <span className="mc-rule" />
          <Tool name="link" label={labels.link} keys="Ctrl K" active={!!is.link} onUse={onLink}><Link {...icon} /></Tool>
          {pictures && <Tool name="picture" label={labels.picture} onUse={() => choose.current?.click()}><Image {...icon} /></Tool>}
          <input ref={choose} type="file" accept="image/png,image/jpeg,image/gif,image/webp" multiple hidden tabIndex={-1} data-testid="picture-input" onChange={(event) => { onPicture([...event.target.files]); event.target.value = ""; }} />
        </>
      )}
      <Tool name="merge" label={labels.merge} keys="{{" menu onUse={(event) => onMerge(event.currentTarget.getBoundingClientRect())}><Braces {...icon} /></Tool>
      {children}
      {!plain && <Tool name="table" label={labels.table} menu active={!!is.table} onUse={open("table")}><Table {...icon} /></Tool>}
      <Tool name="more" label={labels.more} menu onUse={open("more")}><Ellipsis {...icon} /></Tool>
      <span className="grow" />
      {!plain && <Tool name="clear" label={labels.clear} keys="Ctrl \" onUse={run((c) => c.unsetAllMarks().clearNodes().setAlign(null))}><RemoveFormatting {...icon} /></Tool>}

      {menu?.name === "style" && (
        <Popover at={menu.at} onClose={close} role="menu" label={labels.style}>
          {SIZES.map(([name, size]) => <Item key={name} checked={sized === name} onUse={setSize(size)} testid={`size-${name}`}><span style={{ fontSize: size || undefined }}>{labels[name]}</span></Item>)}
          <hr />
          <Item checked={sized === "title"} onUse={use((c) => c.unsetMark("textStyle").toggleHeading({ level: 2 }))} testid="style-title"><Type {...icon} />{labels.title}</Item>
          <Item checked={sized === "heading"} onUse={use((c) => c.unsetMark("textStyle").toggleHeading({ level: 3 }))} testid="style-heading"><Type {...icon} size={13} />{labels.heading}</Item>
          <Item checked={!!is.codeBlock} onUse={use((c) => c.toggleCodeBlock())} testid="style-code"><SquareCode {...icon} />{labels.code_block}</Item>
        </Popover>
      )}
      {menu?.name === "colour" && (
        <Popover at={menu.at} onClose={close} role="menu" label={labels.colour}>
          <div className="mc-pop-head" aria-hidden="true">{labels.text_colour}</div>
          <div className="mc-swatches" role="group" aria-label={labels.text_colour}>
            {COLOURS.map(([name, value]) => (
              <button key={name} type="button" role="menuitemradio" aria-checked={is.color === value} aria-label={labels[name]} title={labels[name]} className="mc-swatch" tabIndex={-1} data-testid={`colour-${name}`} style={{ color: value || "inherit" }} onMouseDown={(event) => event.preventDefault()} onClick={use((c) => c.setMark("textStyle", { color: value }))}>A</button>
            ))}
          </div>
          <div className="mc-pop-head" aria-hidden="true">{labels.highlight}</div>
          <div className="mc-swatches" role="group" aria-label={labels.highlight}>
            {MARKERS.map(([name, value]) => (
              <button key={name} type="button" role="menuitemradio" aria-checked={is.background === value} aria-label={labels[name]} title={labels[name]} className="mc-swatch" tabIndex={-1} data-testid={`marker-${name}`} style={value ? { background: value, color: "#1c2024" } : {}} onMouseDown={(event) => event.preventDefault()} onClick={use((c) => c.setMark("textStyle", { background: value }))}>{value ? "A" : "×"}</button>
            ))}
          </div>
        </Popover>
      )}
      {menu?.name === "table" && (is.table ? (
        <Popover at={menu.at} onClose={close} role="menu" label={labels.table}>
          {[["row_above", "addRowBefore"], ["row_below", "addRowAfter"], ["column_before", "addColumnBefore"], ["column_after", "addColumnAfter"], ["header_row", "toggleHeaderRow"], ["merge_cells", "mergeOrSplit"]].map(([label, act]) => (
            <Item key={act} onUse={use((c) => c[act]())} testid={`table-${act}`}>{labels[label]}</Item>
          ))}
          <hr />
          {[["delete_row", "deleteRow"], ["delete_column", "deleteColumn"], ["delete_table", "deleteTable"]].map(([label, act]) => (
            <Item key={act} onUse={use((c) => c[act]())} testid={`table-${act}`}>{labels[label]}</Item>
          ))}
        </Popover>
      ) : (
        <Popover at={menu.at} onClose={close} label={labels.table}>
          <Grid labels={labels} onPick={(rows, columns) => use((c) => c.insertTable(rows, columns))()} />
        </Popover>
      ))}
      {menu?.name === "more" && (
        <Popover at={menu.at} onClose={close} role="menu" label={labels.more}>
          {!plain && (
            <>
              <Item checked={!!is.strike} onUse={use((c) => c.toggleStrike())} testid="tool-strike"><Strikethrough {...icon} />{labels.strike}</Item>
              <Item checked={!!is.code} onUse={use((c) => c.toggleCode())} testid="tool-code"><Code {...icon} />{labels.code}</Item>
              <hr />
              {[["left", TextAlignStart], ["center", TextAlignCenter], ["right", TextAlignEnd]].map(([align, Icon]) => (
                <Item key={align} checked={is.align === align} onUse={use((c) => c.setAlign(is.align === align ? null : align))} testid={`align-${align}`}><Icon {...icon} />{labels[`align_${align}`]}</Item>
              ))}
              <hr />
            </>
          )}
          <Item disabled={!is.undo} onUse={use((c) => c.undo())} testid="tool-undo"><Undo2 {...icon} />{labels.undo}</Item>
          <Item disabled={!is.redo} onUse={use((c) => c.redo())} testid="tool-redo"><Redo2 {...icon} />{labels.redo}</Item>
          {onPlain && (
            <>
              <hr />
              <Item checked={!!plain} onUse={() => { setMenu(null); onPlain(); }} testid="tool-plain">{labels.plain}</Item>
            </>
          )}
        </Popover>
      )}
    </div>
  );
}

const MOST_ROWS = 6;
const MOST_COLUMNS = 6;

/** Rows and columns of a new table, by pointer or arrow keys. */
function Grid({ labels, onPick }) {
  const [[rows, columns], set] = useState([3, 3]);
  const box = useRef(null);
  useEffect(() => box.current?.focus(), []);
  const keys = (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (by) { event.preventDefault(); set([Math.min(MOST_ROWS, Math.max(1, rows + by[0])), Math.min(MOST_COLUMNS, Math.max(1, columns + by[1]))]); }
    if (event.key === "Enter" && !event.nativeEvent.isComposing) { event.preventDefault(); onPick(rows, columns); }
  };
  return (
    <>
      <p className="mc-pop-head num" aria-live="polite">{labels.table_size.replace("{rows}", rows).replace("{columns}", columns)}</p>
      <div className="mc-grid" role="group" tabIndex={0} ref={box} aria-label={labels.table_hint} onKeyDown={keys} data-testid="table-grid">
        {Array.from({ length: MOST_ROWS * MOST_COLUMNS }, (_, n) => {
          const [row, column] = [Math.floor(n / MOST_COLUMNS) + 1, (n % MOST_COLUMNS) + 1];
          return <span key={n} className="mc-cell" data-on={row <= rows && column <= columns} onPointerEnter={() => set([row, column])} onMouseDown={(event) => event.preventDefault()} onClick={() => onPick(row, column)} />;
        })}
      </div>
    </>
  );
}
