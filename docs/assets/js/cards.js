// Flashcards: a list of questions that open becomes a deck with a Leitner box of five.
//
// A known card moves up a box and comes again later, a forgotten one goes back to the first box.
"use strict";

(() => {
  const { make, store, WAIT_DAYS, DAY_MS } = globalThis.streamlabs;

  const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

  // The cards of a block: key, question, answer nodes.
  function cardsOf(block) {
    return [...block.querySelectorAll(":scope > details")].map((details) => {
      const summary = details.querySelector("summary");
      return { key: `cards/${block.id}/${slug(summary.textContent)}`, details, summary };
    });
  }

  function deck(place, cards, title) {
    const now = Date.now();
    const state = (card) => store.get(card.key, { box: 0, due: 0 });
    const isDue = (card) => state(card).due <= now;
    let queue = cards.filter(isDue);
    let open = false;

    const count = make("p", { class: "deck-count" });
    const face = make("div", { class: "deck-face", tabindex: "-1" });
    const status = make("p", { class: "deck-status", role: "status" });
    const turn = make("button", { type: "button", class: "md-button", onclick: flip }, "Show answer");
    const again = make("button", { type: "button", class: "md-button", onclick: () => move(false) }, "Again");
    const known = make("button", { type: "button", class: "md-button", onclick: () => move(true) }, "Got it");
    const restart = make("button", { type: "button", class: "md-button", onclick: repeat }, "Go through all cards");
    const keys = make("p", { class: "deck-keys" }, "Keys in the deck: space turns, 1 is again, 2 is got it.");
    const box = make("section", { class: "deck", "aria-label": title, onkeydown: press },
      count, face, make("div", { class: "deck-buttons" }, turn, again, known, restart), status, keys);

    function draw(focus) {
      const card = queue[0];
      const boxes = cards.map((one) => state(one).box);
      const top = boxes.filter((n) => n === WAIT_DAYS.length - 1).length;
      count.textContent = card
        ? `${queue.length} of ${cards.length} cards to go, this one in box ${state(card).box + 1} of 5`
        : `Nothing is due. ${top} of ${cards.length} cards are in the last box.`;
      face.replaceChildren();
      if (card) {
        face.append(make("p", { class: "deck-question" }, ...clone(card.summary)));
        if (open) {
          const answer = [...card.details.childNodes].filter((node) => node !== card.summary);
          face.append(make("div", { class: "deck-answer" }, ...answer.map((node) => node.cloneNode(true))));
        }
      }
      turn.hidden = !card || open;
      again.hidden = known.hidden = !card || !open;
      restart.hidden = Boolean(card);
      keys.hidden = !card;
      if (focus) (card ? (open ? known : turn) : restart).focus();
    }

    const clone = (element) => [...element.childNodes].map((node) => node.cloneNode(true));

    function flip() {
      open = true;
      draw(true);
    }

    function move(wasKnown) {
      const card = queue.shift();
      const last = WAIT_DAYS.length - 1;
      const next = wasKnown ? Math.min(state(card).box + 1, last) : 0;
      store.set(card.key, { box: next, due: Date.now() + WAIT_DAYS[next] * DAY_MS });
      if (!wasKnown) queue.push(card);
      status.textContent = wasKnown ? `Box ${next + 1} of 5.` : "Back to the first box; it comes again.";
      open = false;
      draw(true);
    }

    function repeat() {
      queue = [...cards];
      draw(true);
    }

    function press(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !queue.length) return;
      if (event.key === " " && !open && event.target.tagName !== "BUTTON") flip();
      else if (event.key === "1" && open) move(false);
      else if (event.key === "2" && open) move(true);
      else return;
      event.preventDefault();
    }

    place.before(box);
    draw(false);
  }

  function listed(block, cards) {
    const list = make("details", { class: "cards-list" },
      make("summary", {}, `All ${cards.length} cards as a list`));
    block.before(list);
    list.append(block);
    return list;
  }

  const review = document.querySelector(".cards-review");
  const blocks = [...document.querySelectorAll(".md-typeset div.cards")];
  if (review) {
    const cards = blocks.flatMap(cardsOf);
    if (cards.length) deck(review, cards, "Flashcards of the whole course");
    review.dataset.ready = "true";
  } else {
    for (const block of blocks) {
      const cards = cardsOf(block);
      if (cards.length) deck(listed(block, cards), cards, "Flashcards");
      block.dataset.ready = "true";
    }
  }
})();
