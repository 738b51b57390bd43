// Starts the viewers of a page, and what a page does beside them.
(async () => {
  if (typeof DecompressionStream === "undefined") return;
  const runs = [], leads = [];
  for (const embedded of document.querySelectorAll("script.run")) runs.push(await unpack(embedded.textContent));
  runs.forEach((data, place) => {
    if (!data.run.plays.length) return;
    const viewer = document.getElementById(place ? `viewer-${place + 1}` : "viewer");
    // Where two runs stand side by side, both show the same moment.
    leads[place] = mount(viewer, data, (number, at) => leads.forEach((lead, other) => other !== place && lead(number, at)));
  });
  // A scene of a finding waits until somebody opens it, and begins at its moment.
  const scenes = document.querySelectorAll("script.scene");
  for (const place of document.querySelectorAll("details.scene")) {
    place.hidden = false;
    place.addEventListener("toggle", async () => {
      if (!place.open || place.dataset.mounted) return;
      place.dataset.mounted = "yes";
      const {run, play, at, batch} = place.dataset, viewer = document.createElement("div");
      place.append(viewer);
      mount(viewer, await unpack(scenes[run].textContent), () => {})(Number(play), Number(at), Number(batch));
    });
  }
  const first = document.querySelector("details.scene");
  if (first) first.open = true;
})();

// Browsers that cannot print what is folded get it unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open]):not(.scene)")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
