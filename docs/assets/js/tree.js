// Decision trees: nested blocks that open. Opening one closes its neighbours; the path is shown.
"use strict";

(() => {
  const { make } = globalThis.streamlabs;

  for (const tree of document.querySelectorAll(".md-typeset div.tree")) {
    const nodes = [...tree.querySelectorAll("details")];
    const path = make("p", { class: "tree-path", role: "status" });
    const restart = make("button", { type: "button", class: "md-button" }, "Begin again");
    const every = make("button", { type: "button", class: "md-button" }, "Open everything");
    let quiet = false;

    const text = (node) => node.querySelector(":scope > summary").textContent.trim();
    const parents = (node) => {
      const above = node.parentElement.closest("details");
      return above && tree.contains(above) ? [...parents(above), above] : [];
    };

    function draw(node) {
      const chosen = node && node.open ? [...parents(node), node] : node ? parents(node) : [];
      path.textContent = chosen.length ? `Your way: ${chosen.map(text).join(" → ")}` : "";
    }

    for (const node of nodes) {
      node.addEventListener("toggle", () => {
        if (quiet || matchMedia("print").matches) return;
        if (node.open) {
          for (const other of node.parentElement.querySelectorAll(":scope > details")) {
            if (other !== node) other.open = false;
          }
          draw(node);
        } else if (!nodes.some((other) => other.open && other.parentElement === node.parentElement)) {
          draw(node);
        }
      });
    }

    function all(open) {
      quiet = true;
      for (const node of nodes) node.open = open;
      path.textContent = open ? "Everything is open." : "";
      // The events of these changes come later.
      setTimeout(() => { quiet = false; }, 0);
    }
    restart.addEventListener("click", () => {
      all(false);
      if (nodes.length) nodes[0].querySelector("summary").focus();
    });
    every.addEventListener("click", () => all(true));
    tree.before(make("div", { class: "tree-head" }, restart, every));
    tree.after(path);
    tree.dataset.ready = "true";
  }
})();
