// The learner's progress in this browser: what there is, and taking it elsewhere.
"use strict";

(() => {
  const { make, save, store } = globalThis.streamlabs;
  const place = document.getElementById("progress");
  if (!place) return;

  const counts = make("p", {});
  const status = make("p", { role: "status" });
  const file = make("input", { type: "file", id: "progress-file", accept: ".json,application/json" });

  function draw() {
    const keys = store.keys();
    const of = (start) => keys.filter((key) => key.startsWith(start));
    const right = of("quiz/").filter((key) => store.get(key, {}).right).length;
    counts.textContent = `In this browser: ${right} of ${of("quiz/").length} answered questions are right, `
      + `${of("cards/").length} cards were turned, ${of("checklist-").length} boxes are ticked.`;
  }

  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    try {
      const count = store.imported(await file.files[0].text());
      status.textContent = `Taken in: ${count} entries. They show when a page is opened again.`;
    } catch (error) {
      status.textContent = error.message;
    }
    file.value = "";
    draw();
  });

  const button = (text, action) => make("button", { type: "button", class: "md-button", onclick: action }, text);
  place.replaceChildren(
    counts,
    make("div", { class: "deck-buttons" },
      button("Save to a file", () => save("streamlabs-progress.json", store.exported())),
      button("Forget everything", () => {
        store.forget();
        status.textContent = "Forgotten.";
        draw();
      })),
    make("p", {}, make("label", { for: "progress-file" }, "Read from a file, in place of what is here: "), file),
    status);
  draw();
  place.dataset.ready = "true";
})();
