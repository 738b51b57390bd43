// Where the reader is in the course: marks of what is done, kept in this browser, and, where
// `labs docs --serve` serves the pages, the points of the labs, the hints taken and the next step.
"use strict";

(() => {
  const { make, store, served } = globalThis.streamlabs;
  const STANDING = new URL("../../standing.json", document.currentScript.src);
  const state = document.querySelector(".module-state");
  const cards = document.querySelectorAll(".course > ol > li");

  // The number of the module that a link leads to; 0 for any other link.
  function moduleOf(address) {
    const found = /(?:^|\/)modules\/(\d\d)-[a-z0-9-]+\.html$/.exec(new URL(address, location).pathname);
    return found ? Number(found[1]) : 0;
  }

  const here = moduleOf(location);
  const key = (number) => `module/${number}`;
  const isDone = (number) => store.get(key(number), {}).done === true;

  // Behind the names in the menu: a check mark that is also said.
  function markMenu(labs) {
    for (const link of document.querySelectorAll(".md-nav--primary a.md-nav__link[href]")) {
      const number = moduleOf(link.href);
      if (!number) continue;
      for (const old of link.querySelectorAll(".course-mark")) old.remove();
      const lab = labs.get(number);
      if (isDone(number) || (lab && lab.passed)) {
        link.append(make("span", { class: "course-mark", role: "img", "aria-label": "done" }, " ✓"));
      }
    }
  }

  // "60 of 100 points, 2 hints", or "" for a lab that was not begun.
  function said(lab) {
    if (!lab || !lab.runs) return "";
    const hints = lab.hints ? `, ${lab.hints} ${lab.hints === 1 ? "hint" : "hints"}` : "";
    return `${lab.best ?? 0} of 100 points${hints}${lab.passed ? ", passed" : ""}`;
  }

  function drawCards(labs) {
    cards.forEach((card, at) => {
      const number = at + 1;
      const lab = said(labs.get(number));
      const words = [isDone(number) ? "✓ done" : "", lab ? `lab: ${lab}` : ""].filter(Boolean);
      const last = card.querySelector("p:last-of-type");
      for (const old of last.querySelectorAll(".course-state")) old.remove();
      if (words.length) last.append(make("span", { class: "course-state" }, ` · ${words.join(" · ")}`));
    });
  }

  function drawState(labs, next) {
    if (!state) return;
    const questions = [...document.querySelectorAll(".quiz[id]")];
    const right = questions.filter((one) => store.get(`quiz/${one.id}`, {}).right).length;
    const lab = said(labs.get(here));
    const box = make("input", { type: "checkbox", id: "module-done", onchange: () => {
      store.set(key(here), box.checked ? { done: true } : null);
      markMenu(labs);
    } });
    box.checked = isDone(here);
    state.replaceChildren(
      make("label", { for: "module-done" }, box, " Done with this module"),
      make("span", {}, `Quiz: ${right} of ${questions.length} right`),
      ...(lab ? [make("span", {}, `Lab: ${lab}`)] : []),
      ...(next ? [make("span", {}, "Next: ", make("code", {}, next))] : []));
  }

  function draw(standing) {
    const labs = new Map(standing.labs.map((lab) => [lab.lab, lab]));
    markMenu(labs);
    drawCards(labs);
    drawState(labs, standing.next);
    const place = document.getElementById("course-next");
    if (place && standing.next) {
      place.replaceChildren(
        `You have ${standing.score} of ${standing.max_score} points. Next: `,
        make("code", {}, standing.next));
      place.hidden = false;
    }
  }

  // The standing changes with each grade, while the page stays open.
  async function ask() {
    try {
      const answer = await fetch(STANDING);
      if (answer.ok) draw(await answer.json());
    } catch {
      // The server has ended: what is drawn stays.
    }
  }

  if (!state && !cards.length) return;
  draw({ labs: [], next: "" });
  if (served) {
    ask();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  }
})();
