// Players: recordings of the emulator that are stepped through. The still picture and the table stand
// in the page; the viewer and a recording are loaded when a reader who has touched the page comes near,
// or has followed a link to the player.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const { make } = globalThis.streamlabs;
  const FILES = new URL("../players/", document.currentScript.src);
  const TOUCHES = ["pointermove", "pointerdown", "touchmove", "wheel", "keydown"];
  const recordings = new Map();
  const loaded = new Map();
  globalThis.streamlabs.recorded = (id, text) => recordings.set(id, text);

  // A script, once. It works from disk, where nothing can be fetched.
  function load(name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((done, failed) => {
        const script = make("script", { onload: () => done(), onerror: () => failed(new Error(name)) });
        script.src = new URL(`${name}.js`, FILES);
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  // The viewer lives in a tree of its own: its style sheet and the page's do not meet.
  async function begin(player) {
    if (player.dataset.begun || typeof DecompressionStream === "undefined") return;
    player.dataset.begun = "true";
    await Promise.all([load("viewer"), load(player.dataset.player)]);
    const { mount, unpack, style } = globalThis.streamlabs.viewer;
    const data = await unpack(recordings.get(player.dataset.player));
    data.course = new URL("../../", FILES).href;
    const host = make("div", { class: "player-live" });
    player.querySelector(".player-still").after(host);
    const root = host.attachShadow({ mode: "open" });
    const viewer = make("div");
    root.append(make("style", {}, style), viewer);
    // The page's own keys (a letter opens the search) are not for what is typed here.
    host.addEventListener("keydown", (event) => event.stopPropagation());
    const paint = () => host.classList.toggle("dark", document.body.dataset.mdColorScheme === "slate");
    new MutationObserver(paint).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
    paint();
    player.classList.add("is-live");
    mount(viewer, data, () => {});
    player.dataset.ready = "true";
    document.documentElement.removeAttribute("data-led");
  }

  const near = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) begin(one.target);
  }, { rootMargin: "600px 0px" });
  function watch() {
    for (const name of TOUCHES) removeEventListener(name, watch);
    for (const player of document.querySelectorAll(".md-typeset .player")) near.observe(player);
  }
  for (const name of TOUCHES) addEventListener(name, watch, { passive: true });
  // Only the player that a link leads to: what others put above it would move it.
  function led() {
    const player = document.getElementById(location.hash.slice(1));
    if (player?.matches(".player")) near.observe(player);
  }
  addEventListener("hashchange", led);
  led();
})();
