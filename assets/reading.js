// What only the browser does for reading: files over the page, printing, the original in a tab of its own.
// A preview is an <img> or a frame without scripts; its bytes come from the same routes as downloads.
(() => {
  "use strict";
  const box = () => document.getElementById("file-preview");
  let files = [];
  let at = 0;

  const show = () => {
    const dialog = box();
    const file = files[at];
    if (!dialog || !file) return;
    const { preview, name, file: download } = file.dataset;
    const stage = dialog.querySelector("[data-stage]");
    const failed = dialog.querySelector(".preview-failed");
    failed.hidden = true;
    const dark = document.documentElement.classList.contains("dark");
    const view = document.createElement(preview === "image" ? "img" : "iframe");
    if (preview === "image") {
      view.alt = name;
    } else {
      view.title = name;
      view.setAttribute("sandbox", "");
    }
    view.addEventListener("error", () => { view.remove(); failed.hidden = false; });
    view.src = file.getAttribute("href") + (preview !== "image" && dark ? "?theme=dark" : "");
    stage.replaceChildren(view);
    dialog.querySelector("[data-name]").textContent = name;
    dialog.querySelector("[data-place]").textContent = files.length > 1 ? `${at + 1} / ${files.length}` : "";
    const link = dialog.querySelector("[data-download]");
    link.href = download;
    link.download = name;
    for (const step of dialog.querySelectorAll("[data-step]")) {
      step.hidden = files.length < 2;
      step.disabled = !files[at + Number(step.dataset.step)];
    }
  };
  const step = (by) => { if (files[at + by]) { at += by; show(); } };

  document.addEventListener("click", (event) => {
    const file = event.target.closest?.("[data-preview]");
    if (file && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.button && box()) {
      event.preventDefault();
      event.stopPropagation();
      files = [...file.closest(".files").querySelectorAll("[data-preview]")];
      at = files.indexOf(file);
      show();
      box().showModal();
      return;
    }
    const dialog = event.target.closest?.("#file-preview");
    if (!dialog) return;
    const go = event.target.closest("[data-step]");
    if (go) step(Number(go.dataset.step));
    else if (event.target.closest("[data-close]") || event.target.matches("[data-stage]") || event.target === dialog) dialog.close();
  }, true);

  document.addEventListener("click", (event) => {
    const path = event.target.closest?.("[data-print]")?.dataset.print;
    if (path) window.mailcrmPrint(path);
  });

  // While a file is over the page, keys are its own: none reaches the shortcuts of the page below.
  window.addEventListener("keydown", (event) => {
    if (!box()?.open) return;
    event.stopImmediatePropagation();
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      step((event.key === "ArrowRight") === (getComputedStyle(box()).direction === "ltr") ? 1 : -1);
    }
  }, true);
  document.addEventListener("close", (event) => {
    if (event.target === box()) event.target.querySelector("[data-stage]").replaceChildren(); // what plays or loads ends
  }, true);

  window.mailcrmOriginal = (path) => {
    const dark = document.documentElement.classList.contains("dark");
    window.open(path + (dark ? "?theme=dark" : ""), "_blank", "noopener");
  };

  // A frame that nobody sees prints itself; the sandbox lets it open the browser's dialog and nothing else.
  window.mailcrmPrint = (path) => {
    document.getElementById("print-frame")?.remove();
    const frame = document.createElement("iframe");
    frame.id = "print-frame";
    frame.className = "print-frame";
    frame.setAttribute("aria-hidden", "true");
    frame.setAttribute("sandbox", "allow-same-origin allow-modals");
    frame.addEventListener("load", () => {
      const images = [...(frame.contentDocument?.images ?? [])];
      Promise.all(images.map((image) => image.decode().catch(() => {}))).then(() => {
        document.documentElement.dataset.printed = path;
        frame.contentWindow.print();
      });
    });
    frame.src = path;
    document.body.append(frame);
  };
})();
