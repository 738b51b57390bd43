// Checklists: boxes that can be ticked and stay ticked, a count, and a copy to keep.
"use strict";

(() => {
  const { make, save, store } = globalThis.streamlabs;

  for (const block of document.querySelectorAll(".md-typeset div.checklist")) {
    const items = [...block.querySelectorAll(".task-list-item")].map((item) => {
      const box = item.querySelector("input[type=checkbox]");
      const name = item.querySelector("[id]");
      if (!name || !box) return null;
      box.disabled = false;
      box.id = `${name.id}-box`;
      box.removeAttribute("aria-label");
      const label = make("label", { for: box.id });
      name.before(label);
      label.append(name);
      return { item, box, name, key: `${block.id}/${name.id}` };
    }).filter(Boolean);
    if (!items.length) continue;

    const count = make("p", { class: "checklist-count", role: "status" });
    const bar = make("progress", { max: items.length, "aria-label": "Done" });
    const keep = make("button", { type: "button", class: "md-button" }, "Save as Markdown");
    const clear = make("button", { type: "button", class: "md-button" }, "Clear all ticks");

    const draw = () => {
      const done = items.filter(({ box }) => box.checked).length;
      count.textContent = `${done} of ${items.length} done`;
      bar.value = done;
    };
    for (const { box, key } of items) {
      box.checked = store.get(key, false) === true;
      box.addEventListener("change", () => {
        store.set(key, box.checked || null);
        draw();
      });
    }
    keep.addEventListener("click", () => {
      const lines = items.map(({ box, item }) =>
        `- [${box.checked ? "x" : " "}] ${item.textContent.trim().replace(/\s+/g, " ")}`);
      save(`${block.id}.md`, `${lines.join("\n")}\n`);
    });
    clear.addEventListener("click", () => {
      for (const { box, key } of items) {
        box.checked = false;
        store.set(key, null);
      }
      draw();
    });
    block.prepend(make("div", { class: "checklist-head" }, count, bar, keep, clear));
    draw();
    block.dataset.ready = "true";
  }
})();
