// A module's page, shown one idea at a time: for projecting. There is no second text. A slide is a
// picture, player, table, piece of code or list of the page with the sentence that leads to it; the rest
// of its section is the speaker's note. `labs docs --slides 2` opens it; grader/desk/slides.py adds
// what the instructor's page says about the module.
"use strict";

(() => {
  const { make } = globalThis.streamlabs;
  const article = document.querySelector("article");
  const speaker = document.getElementById("speaker").content;
  const container = document.querySelector(".md-container");
  // What is not told: cards are for learning alone, marks are the reader's own.
  const LEFT_OUT = ["flashcards", "sources"];
  const SHOWN = "img, svg, table, pre, .player, .tabbed-set, .quiz";

  // -- the page as sections ---------------------------------------------------------------

  // A heading's own words.
  function words(heading) {
    const copy = heading.cloneNode(true);
    for (const one of copy.querySelectorAll(".headerlink")) one.remove();
    return copy.textContent.trim();
  }

  // Headings of two levels, each with the elements up to the next one.
  function sections(root) {
    const found = [];
    for (const element of [...root.children]) {
      if (/^H[1-3]$/.test(element.tagName)) found.push({ id: element.id, title: words(element), parts: [] });
      else if (found.length && !element.matches("nav, .module-state, script, link, template, .md-source-file, form")) {
        found[found.length - 1].parts.push(element);
      }
    }
    return found;
  }

  // The first sentence of a paragraph, with its links and code.
  function sentence(paragraph) {
    const range = document.createRange();
    range.selectNodeContents(paragraph);
    const walker = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const end = node.textContent.search(/[.!?:](?=\s|$)/);
      if (end >= 0 && !node.parentElement.closest("code")) {
        range.setEnd(node, end + 1);
        break;
      }
    }
    return range.cloneContents();
  }

  // A copy for the speaker: ids belong to the page.
  function copy(element) {
    const made = element.cloneNode(true);
    for (const one of [made, ...made.querySelectorAll("[id]")]) one.removeAttribute("id");
    return made;
  }

  // -- slides -----------------------------------------------------------------------------

  const isShown = (part) => part.matches(SHOWN) || part.querySelector(SHOWN) !== null;

  // One slide for each thing to look at; one for the sentences when there is nothing.
  function slidesOf({ id, title, parts }) {
    const slides = [];
    let lead = null;
    let notes = [];
    const add = (...body) => {
      slides.push({ id, title, body: [...(lead ? [make("p", { class: "lead" }, lead)] : []), ...body], notes });
      lead = null;
      notes = [];
    };
    for (const part of parts) {
      if (part.matches("ul, ol") && !isShown(part)) {
        notes.push(copy(part));
        const points = [...part.children].map((item) => make("li", {}, sentence(item)));
        const kind = part.tagName.toLowerCase();
        for (let n = 0; n < points.length; n += 5) add(make(kind, kind === "ol" ? { start: n + 1 } : {}, ...points.slice(n, n + 5)));
      } else if (isShown(part)) {
        add(part);
      } else {
        notes.push(copy(part));
        if (part.matches("p")) lead = sentence(part);
      }
    }
    if (notes.length && slides.length) slides[slides.length - 1].notes.push(...notes);
    else if (notes.length) add();
    return slides;
  }

  // What the instructor's page asks: the question large, its answer in the note.
  function questions() {
    const list = speaker.querySelector("[id^=questions-]")?.nextElementSibling;
    return [...(list ? list.children : [])].map((item) => {
      const asked = item.querySelector("em");
      return { title: "Question", body: [make("p", { class: "asked" }, asked.textContent)], notes: [copy(item)] };
    });
  }

  // What to show live, with the steps in the note.
  function live() {
    const heading = speaker.querySelector("[id^=show-]");
    if (!heading) return [];
    const body = [];
    const notes = [];
    for (let part = heading.nextElementSibling; part && !/^H[23]$/.test(part.tagName); part = part.nextElementSibling) {
      (part.querySelector("pre") ? body : notes).push(copy(part));
    }
    return [{ title: "Show live", body, notes }];
  }

  function all() {
    const [first, ...rest] = sections(article);
    const about = document.querySelector("meta[name=description]").content;
    const told = rest.filter(({ id }) => !LEFT_OUT.includes(id));
    const quiz = told.filter(({ id }) => id === "quiz").flatMap(slidesOf);
    return [
      { title: first.title, body: [make("p", { class: "lead" }, about)], notes: first.parts.map(copy), large: true },
      ...live(),
      ...told.filter(({ id }) => id !== "quiz").flatMap(slidesOf),
      ...questions(),
      ...quiz,
    ];
  }

  // -- the deck ---------------------------------------------------------------------------

  const deck = make("main", { class: "slides md-typeset" });
  const slides = all().map(({ title, body, notes, large }, n) => {
    const heading = make("h1", { id: `slide-title-${n + 1}` }, title);
    const said = make("aside", { class: "notes", "aria-label": `Notes to slide ${n + 1}` }, ...notes);
    const slide = make("section", { class: `slide${large ? " slide-large" : ""}`, id: `slide-${n + 1}`, tabindex: "-1", "aria-labelledby": heading.id },
      heading, make("div", { class: "slide-body" }, ...body), said);
    if (!notes.length) said.remove();
    deck.append(slide);
    return slide;
  });
  const count = make("span", { class: "slides-count", role: "status" });
  const button = (text, name, then) => make("button", { type: "button", class: "md-button", "aria-label": name, title: name, onclick: then }, text);
  const noted = button("Notes", "Show or hide the notes (n)", () => toggle());
  const bar = make("nav", { class: "slides-bar", "aria-label": "Slides" },
    button("←", "One slide back", () => go(at - 1)), count, button("→", "One slide on", () => go(at + 1)), noted,
    make("a", { href: location.pathname.replace(/\.slides\.html$/, ".html") }, "The page"));
  let at = 0;

  function toggle() {
    const open = document.body.classList.toggle("with-notes");
    noted.setAttribute("aria-pressed", String(open));
  }

  // Letters get smaller until a slide fits the window; below that it scrolls.
  function fit() {
    const slide = slides[at];
    for (const size of [1, 0.9, 0.8, 0.7, 0.6, 0.5]) {
      slide.style.fontSize = `${size}em`;
      slide.style.setProperty("--fit", size);
      if (slide.scrollHeight <= innerHeight - bar.offsetHeight + 1) return;
    }
  }

  function go(to) {
    at = Math.max(0, Math.min(slides.length - 1, to));
    slides.forEach((slide, n) => { slide.hidden = n !== at; });
    count.textContent = `${at + 1} of ${slides.length}`;
    try {
      history.replaceState(null, "", `#slide-${at + 1}`);
    } catch {
      // On disk some browsers keep the address as it is.
    }
    slides[at].focus({ preventScroll: true });
    scrollTo(0, 0);
    // What is as wide as its place is drawn again, now that it has one.
    window.dispatchEvent(new Event("resize"));
    fit();
  }

  const KEYS = {
    ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1),
    ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1),
    Home: () => go(0), End: () => go(slides.length - 1), n: toggle,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // The theme's own keys open the search and other pages.
    if ("np,./sf".includes(event.key)) event.stopPropagation();
    // A slide's own controls keep their keys: a quiz, a player, a picture that is walked over.
    if (event.target.closest("input, select, textarea, .player, .mark, .picture[tabindex], .tabbed-set, pre")) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    const then = KEYS[event.key];
    if (!then) return;
    event.preventDefault();
    then();
  });

  window.addEventListener("resize", () => setTimeout(fit, 0));
  // A player comes later, and grows when something is chosen in it.
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(deck);
  noted.setAttribute("aria-pressed", "false");
  container.hidden = true;
  container.inert = true;
  document.body.append(deck, bar);
  document.body.classList.add("projecting");
  go(Number((location.hash.match(/^#slide-(\d+)$/) || [0, 1])[1]) - 1);
})();
