// Quizzes: a question, its options and a folded answer become a form to fill in.
//
// A block says in `data-kind` how it is answered and in `data-answer` what is right: `one` and `all`
// by letters of its list, `line` by lines of its code, `order` by the letters in their order,
// `number` by numbers that may be off by `data-within`. The folded answer has an entry for each wrong
// way: it begins with what was chosen, in bold. What was missed comes back after a day, then after
// 3, 7 and 14 days, until it was right each time.
"use strict";

(() => {
  const { make, store, WAIT_DAYS, DAY_MS } = globalThis.streamlabs;
  const letter = (number) => String.fromCharCode(65 + number);
  const numbers = (text) => (text.match(/-?\d+(\.\d+)?/g) || []).map(Number);
  const single = (text) => numbers(text.replace(/(\d),(?=\d{3}\b)/g, "$1"));
  const copies = (nodes) => [...nodes].map((node) => node.cloneNode(true));

  // What is due of a question that was missed; null when it was not.
  const due = (state) => (state && state.box ? state.due : null);

  // The state after an answer. `missed`: another one was wrong in this sitting.
  function moved(before, right, missed) {
    const state = { ...before, right, tries: ((before && before.tries) || 0) + 1 };
    if (!right) state.box = 1;
    else if (state.box && !missed) state.box += 1;
    if (state.box >= WAIT_DAYS.length) delete state.box;
    state.due = state.box ? Date.now() + WAIT_DAYS[state.box] * DAY_MS : null;
    return state;
  }

  // The entries of the folded answer: the bold words that each begins with, and its nodes.
  function entriesOf(answer) {
    return [...answer.querySelectorAll(":scope > ul > li")].map((item) => {
      const key = item.querySelector("strong");
      return { key: key ? key.textContent : "", item };
    });
  }

  // --- ways to answer: each has `field`, `given()` (null: nothing yet), `set()`, `isRight()`, `met(key)`

  function choice(block, options, type) {
    const boxes = options.map(([name]) => make("input", { type, name: block.id, value: name }));
    const rows = options.map(([name, ...nodes], n) => make("div", { class: "quiz-option" },
      make("label", {}, boxes[n], make("b", {}, name), make("span", {}, ...nodes))));
    const given = () => boxes.filter((box) => box.checked).map((box) => box.value);
    const names = (text) => text.match(/\b([A-Z]|\d+)\b/g) || [];
    const wanted = names(block.dataset.answer);
    return {
      field: rows,
      given: () => (given().length ? given() : null),
      set: (values) => boxes.forEach((box) => { box.checked = values.includes(box.value); }),
      isRight: (values) => String(values) === String(wanted),
      met: (key, values) => names(key).some((name) => values.includes(name) && !wanted.includes(name)),
      lacks: (values) => wanted.filter((name) => !values.includes(name)).length,
    };
  }

  function listed(block, list, type) {
    return choice(block, [...list.children].map((item, n) => [letter(n), ...item.childNodes]), type);
  }

  function lines(block, code) {
    const text = code.querySelector("td.code code, code").textContent.replace(/\n$/, "");
    const way = choice(block, text.split("\n").map((line, n) => [String(n + 1), make("code", {}, line)]), "radio");
    way.field.forEach((row) => row.classList.add("quiz-line"));
    return way;
  }

  function number(block) {
    const field = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": "Your answer" });
    const within = block.dataset.within || "0";
    // A comma parts thousands in one number, and numbers in several.
    const read = numbers(block.dataset.answer).length > 1 ? numbers : single;
    const near = (some, wanted) => some.length === wanted.length && some.every((value, n) => {
      const off = parseFloat(within) * (within.endsWith("%") ? Math.abs(wanted[n]) / 100 : 1);
      return Math.abs(value - wanted[n]) <= off + 1e-9;
    });
    return {
      field: [make("p", { class: "quiz-number" }, field, " ", block.dataset.unit || "")],
      given: () => (read(field.value).length ? read(field.value) : null),
      set: (values) => { field.value = values.join(", "); },
      isRight: (values) => near(values, read(block.dataset.answer)),
      met: (key, values) => near(values, read(key)),
    };
  }

  function order(block, list, say) {
    const rows = [...list.children].map((item, n) => {
      const text = item.textContent.trim();
      const row = make("li", { "data-name": letter(n) });
      for (const [sign, way, step] of [["↑", "up", -1], ["↓", "down", 1]]) {
        const button = make("button", { type: "button", "aria-label": `Move ${way}: ${text}` }, sign);
        button.addEventListener("click", () => move(row, step, button, text));
        row.append(button);
      }
      row.append(make("b", {}, letter(n)), " ", make("span", {}, ...item.childNodes));
      return row;
    });
    const place = make("ol", { class: "quiz-order" }, ...rows);
    const given = () => [...place.children].map((row) => row.dataset.name);
    function move(row, step, button, text) {
      const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
      if (other) (step < 0 ? other.before(row) : other.after(row));
      button.focus();
      say(`${text}: step ${given().indexOf(row.dataset.name) + 1} of ${rows.length}.`);
    }
    return {
      field: [place],
      given,
      set: (names) => names.forEach((name) => place.append(rows[name.charCodeAt(0) - 65])),
      isRight: (names) => names.join(" ") === block.dataset.answer,
      met: (key, names) => {
        const [first, second] = key.match(/\b[A-Z]\b/g) || [];
        return second !== undefined && names.indexOf(first) < names.indexOf(second);
      },
    };
  }

  function build(block) {
    const answer = block.querySelector(":scope > details");
    const list = block.querySelector(":scope > ol");
    const code = block.querySelector(":scope > .highlight, :scope > .highlighttable");
    const [question, ...rest] = [...block.children].filter((child) => child !== answer && child !== list);
    const result = make("div", { class: "quiz-result", role: "status" });
    const say = (...nodes) => result.replaceChildren(...nodes);
    const kinds = {
      one: () => listed(block, list, "radio"),
      all: () => listed(block, list, "checkbox"),
      line: () => lines(block, code),
      number: () => number(block),
      order: () => order(block, list, say),
    };
    const way = kinds[block.dataset.kind]();
    const fields = make("fieldset", {}, make("legend", {}, ...question.childNodes),
      ...rest.filter((one) => block.dataset.kind !== "line" || one !== code), ...way.field);
    const button = make("button", { type: "submit", class: "md-button" }, "Check");
    const form = make("form", { class: "quiz-form" }, fields, button, result);
    const key = `quiz/${block.id}`;
    let missed = false;

    function solved() {
      say(make("p", {}, make("strong", {}, "Right. "), "The whole answer is open below."));
      answer.hidden = false;
      answer.open = true;
      form.dataset.solved = "true";
    }

    function failed(values) {
      const why = entriesOf(answer).filter((entry) => way.met(entry.key, values));
      const lacks = way.lacks && block.dataset.kind === "all" ? way.lacks(values) : 0;
      if (block.dataset.kind === "number" || block.dataset.kind === "order") why.splice(1);
      say(make("p", {}, make("strong", {}, "Not yet. "), "Read why, and try again; it comes back tomorrow."),
        ...why.map(({ item }) => make("p", { class: "quiz-why" }, ...copies(item.childNodes))),
        lacks ? make("p", {}, lacks === 1 ? "One that applies is missing." : `${lacks} that apply are missing.`) : "");
      answer.hidden = false;
      answer.open = false;
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = way.given();
      if (values === null) {
        say(make("p", {}, "Answer first."));
        return;
      }
      const right = way.isRight(values);
      store.set(key, { ...moved(store.get(key, null), right, missed), chosen: values });
      missed = missed || !right;
      if (right) solved();
      else failed(values);
    });

    answer.hidden = true;
    question.remove();
    if (list) list.remove();
    if (block.dataset.kind === "line") code.remove();
    block.prepend(form);
    const saved = store.get(key, null);
    const again = due(saved) !== null && due(saved) <= Date.now();
    if (again) say(make("p", {}, "You missed this one before. It is asked again."));
    else if (saved && saved.right && Array.isArray(saved.chosen) && way.isRight(saved.chosen)) {
      way.set(saved.chosen);
      solved();
    }
    block.dataset.ready = "true";
    return again;
  }

  const review = document.querySelector(".quiz-review");
  const blocks = [...document.querySelectorAll(".md-typeset div.quiz")];
  const again = blocks.filter((block) => build(block));
  if (review) {
    // Every question of the course is here, and those that are due are shown.
    for (const child of review.children) child.hidden = !again.includes(child);
    const waiting = blocks.map((block) => due(store.get(`quiz/${block.id}`, null)));
    const later = waiting.filter((time) => time !== null).sort();
    review.prepend(make("p", { role: "status" }, again.length
      ? `${again.length} of your missed questions ${again.length === 1 ? "is" : "are"} due.`
      : later.length
        ? `Nothing is due. The next one comes back on ${new Date(later[0]).toLocaleDateString()}.`
        : "Nothing is due. What you miss in a module's quiz comes back here."));
    review.dataset.ready = "true";
  }
})();
