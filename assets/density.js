// Comfortable or compact, and whether the first steps were put away: a word each in this browser's storage, an attribute
// each of the page, before anything is painted.
(() => {
  "use strict";
  const kept = () => { try { return localStorage.getItem("density") === "compact" ? "compact" : "comfortable"; } catch { return "comfortable"; } };
  const away = () => { try { return localStorage.getItem("first-steps") ?? ""; } catch { return ""; } };
  const show = () => {
    document.documentElement.dataset.firstSteps = away();
    document.documentElement.dataset.density = kept();
    for (const each of document.querySelectorAll("[data-density-set]")) each.checked = each.dataset.densitySet === kept();
  };
  document.addEventListener("change", (event) => {
    const chosen = event.target.dataset?.densitySet;
    if (!chosen) return;
    try { localStorage.setItem("density", chosen); } catch { /* a browser that keeps nothing */ }
    show();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-steps-hide]")) return;
    try { localStorage.setItem("first-steps", "away"); } catch { /* as above */ }
    document.documentElement.dataset.firstSteps = "away";
  });
  window.addEventListener("storage", (event) => { if (event.key === "density") show(); }); // other tabs
  window.mailcrmDensity = show;
  show();
})();
