// The marks of a message and their card. One card for every way in: it opens while the pointer or the focus rests on the
// marks (300 ms), and stays open after a click, a tap, Enter or T, with the focus inside. The pointer may go into it;
// Escape, a click elsewhere or leaving it closes it (WCAG 1.4.13). What it shows is loaded when it opens (onCard).
import { Children, useEffect, useRef, useState } from "react";
import { Popover } from "@radix-ui/themes";

const OPEN_MS = 300;
const CLOSE_MS = 220; // time to reach the card
const stop = (event) => event.stopPropagation(); // a portal's events bubble to the row that it was opened from

export function TrackingMark({ messageId, label, pill, onCard, children }) {
  const [open, setOpen] = useState(false);
  const pinned = useRef(false);
  const timer = useRef(0);
  const card = useRef(null);
  const trigger = useRef(null);
  const told = useRef(false);
  const inside = useRef(false);
  const givenBack = useRef(false);
  const [mark, content] = Children.toArray(children);

  const show = (to, pin = false) => {
    clearTimeout(timer.current);
    pinned.current = to && (pin || pinned.current);
    setOpen(to);
  };
  const later = (to, ms) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => show(to), ms);
  };
  const enter = (event) => {  // once while it is over them: what was drawn under a resting pointer is entered by moving
    if (event.pointerType === "touch" || inside.current) return;
    inside.current = true;
    later(true, OPEN_MS);
  };
  const leave = () => {
    inside.current = false;
    if (!pinned.current) later(false, CLOSE_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (open === told.current) return;
    told.current = open;
    onCard?.(open, messageId);
  }, [open]);

  const given = {
    ref: trigger,
    className: pill ? "marks marks-btn" : "marks",
    "data-own-click": "true",
    "data-marks": "true",
    "data-testid": "tracking-marks",
    onPointerEnter: enter,
    onPointerMove: enter,
    onPointerLeave: (event) => { if (event.pointerType !== "touch") leave(); },
    onFocus: (event) => { if (!givenBack.current && event.target.matches(":focus-visible")) later(true, OPEN_MS); },
    onBlur: () => { if (!pinned.current && !inside.current) later(false, CLOSE_MS); },
    onClick: (event) => {
      event.preventDefault(); // the popover would toggle by itself
      event.stopPropagation();
      if (open && pinned.current) { show(false); return; }
      const there = open;
      show(true, true);
      if (there) card.current?.focus();
    },
  };
  // In a row, which is a button itself, the marks are none: T opens the card of the row with the focus.
  const none = { type: undefined, "aria-haspopup": undefined, "aria-expanded": undefined, "aria-controls": undefined };
  return (
    <Popover.Root open={open} onOpenChange={(to) => show(to)}>
      <Popover.Trigger>
        {pill ? <button {...given} type="button" aria-label={label}>{mark}</button> : <span {...given} {...none}>{mark}</span>}
      </Popover.Trigger>
      <Popover.Content
        ref={card}
        className="pop hc"
        side="bottom"
        align="end"
        sideOffset={6}
        collisionPadding={8}
        tabIndex={-1}
        aria-label={label}
        onOpenAutoFocus={(event) => { event.preventDefault(); if (pinned.current) card.current?.focus(); }}
        onCloseAutoFocus={(event) => {
          event.preventDefault();
          if (card.current?.contains(document.activeElement) || document.activeElement === document.body) {
            givenBack.current = true; // the focus that comes back opens nothing
            (pill ? trigger.current : trigger.current?.closest("[tabindex]"))?.focus({ preventScroll: true });
            givenBack.current = false;
          }
        }}
        onPointerEnter={() => clearTimeout(timer.current)}
        onPointerLeave={(event) => { if (event.pointerType !== "touch") leave(); }}
        onClick={stop}
        onKeyDown={stop}
        onPointerDown={stop}
      >
        {content}
      </Popover.Content>
    </Popover.Root>
  );
}
