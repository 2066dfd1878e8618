// A small float over the page at a place given as a rectangle: closes on Escape and on a click elsewhere, keeps within
// the window, gives the focus back. Lies outside the form, so that Enter in its fields sends nothing.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

const GAP_PX = 6;

export function Popover({ at, onClose, label, role = "dialog", children, testid, above = true, focus = true }) {
  const box = useRef(null);
  const [place, setPlace] = useState({ left: -9999, top: 0 });
  useLayoutEffect(() => {
    const size = box.current.getBoundingClientRect();
    const up = at.top - size.height - GAP_PX;
    const down = at.bottom + GAP_PX;
    const fits = down + size.height <= window.innerHeight - 4;
    const top = above && up >= 4 ? up : fits ? down : Math.max(4, up);
    setPlace({ left: Math.max(4, Math.min(at.left, window.innerWidth - size.width - 4)), top });
  }, [at]);
  useEffect(() => {
    if (focus) box.current.querySelector("input, [role^=menuitem], button")?.focus({ preventScroll: true });
    const outside = (event) => { if (!box.current?.contains(event.target)) onClose(false); };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, []);
  const keys = (event) => {
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    event.stopPropagation();
    if (event.key === "Escape") { event.preventDefault(); onClose(true); return; }
    const items = [...box.current.querySelectorAll("[role^=menuitem]:not(:disabled)")];
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!items.length || !by || event.target.matches("input")) return;
    event.preventDefault();
    items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
  };
  const page = document.querySelector(".radix-themes") ?? document.body;
  return createPortal(
    <div ref={box} className="mc-pop" role={role} aria-label={label} data-testid={testid} onKeyDown={keys} style={{ insetInlineStart: "auto", left: place.left, top: place.top }}>
      {children}
    </div>,
    page,
  );
}

export function Item({ children, onUse, checked, disabled, testid, title }) {
  return (
    <button type="button" role={checked === undefined ? "menuitem" : "menuitemcheckbox"} aria-checked={checked} disabled={disabled} className="mc-pop-item" data-testid={testid} title={title} tabIndex={-1} onMouseDown={(event) => event.preventDefault()} onClick={onUse}>
      {children}
    </button>
  );
}
