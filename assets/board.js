// The deals board by keyboard (DESIGN.md §6): arrows move, Space lifts and drops, M opens the card's menu, W wins, Shift L loses.
// A lifted card is dropped the way a mouse drops it, so that the server has one path for both.
(() => {
  "use strict";
  let lifted = null; // { id, at }: the card and the column it would drop on
  let wanted = ""; // the card that gets the focus back once the board is drawn anew
  let asked = null; // the menu that was opened by M: it gives the focus back to its card
  const stages = () => [...document.querySelectorAll(".board > .stage")];
  const cards = (stage) => [...stage.querySelectorAll(".deal-card")];
  const rtl = () => getComputedStyle(document.documentElement).direction === "rtl";
  const say = (text) => { const box = document.querySelector("#board-said"); if (box) box.textContent = text; };
  const words = (name) => document.querySelector("#board-said")?.dataset[name] ?? "";
  const mark = (at) => stages().forEach((stage, i) => {
    const zone = stage.querySelector(".stage-zone");
    if (i === at) zone.dataset.over = "true"; else delete zone.dataset.over;
  });
  const drop = (zone, id) => {
    const data = new DataTransfer();
    data.setData("text/plain", id);
    zone.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    wanted = id;
  };
  const settle = (text) => {
    document.querySelector('.deal-card[data-lifted="true"]')?.removeAttribute("data-lifted");
    lifted = null;
    mark(-1);
    say(text);
  };
  document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.(".deal-card");
    if (!card || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const all = stages();
    const here = all.indexOf(card.closest(".stage"));
    if (here < 0) return;
    const side = { ArrowLeft: rtl() ? 1 : -1, ArrowRight: rtl() ? -1 : 1 }[event.key] ?? 0;
    const taken = () => { event.preventDefault(); event.stopPropagation(); };
    if (event.key === " ") {
      taken();
      if (!lifted) {
        lifted = { id: card.dataset.dealId, at: here };
        card.dataset.lifted = "true";
        mark(here);
        say(words("lifted"));
      } else {
        const { id, at } = lifted;
        settle("");
        if (at !== here) drop(all[at].querySelector(".stage-zone"), id);
      }
    } else if (event.key === "Escape" && lifted) {
      taken();
      settle(words("put"));
    } else if (side && lifted) {
      taken();
      lifted.at = Math.min(all.length - 1, Math.max(0, lifted.at + side));
      mark(lifted.at);
      all[lifted.at].scrollIntoView({ block: "nearest", inline: "nearest" });
      say(all[lifted.at].dataset.stage);
    } else if (side) {
      taken();
      const row = cards(all[here]).indexOf(card);
      for (let at = here + side; at >= 0 && at < all.length; at += side) {
        const there = cards(all[at]);
        if (there.length) { there[Math.min(row, there.length - 1)].focus(); break; }
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      taken();
      const own = cards(all[here]);
      own[own.indexOf(card) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else if (event.key === "m") {
      taken();
      const menu = card.parentElement.querySelector(".card-menu");
      menu?.focus();
      menu?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
      asked = menu;
    } else if (event.key === "w" || event.key === "L") {
      taken();
      drop(document.querySelector(`.drop-zone[data-kind="${event.key === "w" ? "won" : "lost"}"]`), card.dataset.dealId);
    }
  }, true);
  document.addEventListener("focusout", (event) => {
    if (lifted && event.target.dataset?.lifted && event.relatedTarget) settle(words("put"));
  });
  document.addEventListener("focusin", (event) => {
    if (!asked || event.target !== asked) return;
    const card = asked.closest(".deal-slot").querySelector(".deal-card");
    asked = null;
    wanted = card.dataset.dealId;
    card.focus({ preventScroll: true });
  });
  new MutationObserver(() => {
    if (!wanted || (document.activeElement && document.activeElement !== document.body)) return;
    document.querySelector(`.deal-card[data-deal-id="${wanted}"]`)?.focus({ preventScroll: true });
    if (document.activeElement?.classList.contains("deal-card")) wanted = "";
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
