// Repairs of the theme's accessibility: names for what a screen reader would call "region" or
// "checkbox", and tables that can be scrolled by keyboard.
"use strict";

(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  function nameParts() {
    for (const dialog of all(".md-search[role=dialog]")) dialog.setAttribute("aria-label", "Search");
    for (const logo of all("a.md-logo")) logo.setAttribute("aria-label", "Start page");
    all("nav.md-nav[data-md-level]").forEach((nav, number) => {
      const title = nav.querySelector(":scope > .md-nav__title");
      const name = title ? title.textContent.trim() : "";
      nav.removeAttribute("aria-labelledby");
      nav.setAttribute("aria-label", `Section ${name || number}`);
    });
    for (const box of all(".task-list-item > input, .task-list-item > p > input")) {
      box.setAttribute("aria-label", box.closest("li").textContent.trim().slice(0, 120));
    }
    for (const link of all(".md-tabs__item--active > a")) link.setAttribute("aria-current", "true");
    for (const link of all(".md-nav__link--active[href]")) link.setAttribute("aria-current", "page");
    for (const palette of all("[data-md-component=palette] label")) {
      palette.setAttribute("tabindex", "-1");
    }
  }

  // Tags of a page and of each search result are navigation landmarks of the same name.
  function nameTags() {
    all("nav.md-tags").forEach((nav, number) => {
      const result = nav.closest(".md-search-result__article");
      const title = result && result.querySelector("h1, h2");
      nav.setAttribute("aria-label", title ? `Tags of ${title.textContent}` : `Tags ${number + 1}`);
    });
  }

  // What scrolls sideways must be reachable by keyboard. An observer measures when the browser has
  // laid out what is shown anyway: asking for a width forces a layout, once for each closed fold.
  const sizes = new ResizeObserver((entries) => {
    const boxes = entries.map((entry) => entry.target);
    const wide = boxes.map((box) => box.scrollWidth > box.clientWidth);
    for (const [number, box] of boxes.entries()) {
      if (box.matches(".player-table")) {
        // It can be reached anyway, for it may scroll down as well; its sheet says that it is wide.
        box.toggleAttribute("data-wide", wide[number]);
      } else if (wide[number]) {
        box.setAttribute("tabindex", "0");
        if (box.classList.contains("md-typeset__scrollwrap")) {
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", "Table, scrolls sideways");
        }
      } else {
        box.removeAttribute("tabindex");
      }
    }
  });

  // The buttons of a code block, which the theme adds one after the other.
  function nameCode() {
    all("nav.md-code__nav:not([aria-label])").forEach((nav) => {
      const number = all("nav.md-code__nav").indexOf(nav) + 1;
      nav.setAttribute("aria-label", `Code block ${number}`);
    });
  }

  // On paper everything is open; afterwards as it was.
  const paper = matchMedia("print");
  let opened = [];
  paper.addEventListener("change", () => {
    if (paper.matches) opened = all("article details:not([open])");
    for (const details of opened) details.open = paper.matches;
  });

  // A place on the page is where it seems when all before it is laid out (site.css). The sheet could
  // ask whether there is a target, but then a browser asks again for everything that it adds.
  const whole = () => document.documentElement.removeAttribute("data-far");
  addEventListener("click", ({ target }) => target.closest?.("a[href*='#']") && whole(), true);
  addEventListener("hashchange", whole);

  // What scripts add moves the place that a link leads to: for a second after all is read the page
  // goes there again, unless its reader has begun.
  // Until they have, the page is not shown (site.css): what is drawn before would jump.
  const place = document.getElementById(location.hash.slice(1));
  if (!place?.matches(".player")) {
    const shown = () => document.documentElement.removeAttribute("data-led");
    addEventListener("DOMContentLoaded", shown);
  }
  if (place) {
    const again = new ResizeObserver(() => place.scrollIntoView());
    const end = () => again.disconnect();
    for (const one of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      addEventListener(one, end, { once: true, passive: true });
    }
    addEventListener("load", () => {
      again.observe(document.body);
      setTimeout(end, 1000);
    });
  }

  nameParts();
  nameTags();
  nameCode();
  const article = document.querySelector("article");
  if (article) new MutationObserver(nameCode).observe(article, { childList: true, subtree: true });
  const results = document.querySelector(".md-search-result__list");
  if (results) new MutationObserver(nameTags).observe(results, { childList: true });
  // The theme wraps its tables when it says that the page is there, which it hears before we do.
  globalThis.document$.subscribe(() => {
    for (const box of all(".md-typeset__scrollwrap, .player-table, .md-typeset pre > code")) {
      // Until it is laid out: what is far away may scroll, too.
      box.setAttribute("tabindex", "0");
      sizes.observe(box);
    }
  });
})();
