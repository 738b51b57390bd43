// The cost calculator's page: a form, and the month's bill line by line.
"use strict";

(() => {
  const { bill, costs, dollars, exact, make } = globalThis.streamlabs;
  const { DAYS, FIELDS, WORDS, monthly } = costs;
  const place = document.getElementById("calculator");
  if (!place) return;

  const given = new URLSearchParams(location.search);
  const inputs = {};
  const groups = new Map();
  for (const one of FIELDS) {
    if (!groups.has(one.group)) groups.set(one.group, make("fieldset", {}, make("legend", {}, one.group)));
    const words = WORDS[one.name];
    const input = words
      ? make("select", { id: `cost-${one.name}` }, ...words.map((word) => make("option", {}, word)))
      : make("input", { id: `cost-${one.name}`, type: "number", min: one.min, max: one.max, step: one.step });
    input.value = given.get(one.name) ?? one.value;
    if (words && !words.includes(input.value)) input.value = one.value;
    inputs[one.name] = input;
    groups.get(one.group).append(make("label", { for: input.id }, make("span", {}, one.label), input));
  }
  const error = make("p", { class: "panel-error", role: "alert" });
  const summary = make("p", { class: "panel-summary", role: "status" });
  const output = make("div", { class: "panel-output" });
  const link = make("a", { href: "#" }, "Link to these figures");

  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(update, 250);
  }

  function update() {
    const settings = {};
    const faults = [];
    for (const one of FIELDS) {
      const input = inputs[one.name];
      settings[one.name] = WORDS[one.name] ? input.value : Number(input.value);
      const wrong = !WORDS[one.name] && (input.value.trim() === "" || !input.checkValidity());
      input.setAttribute("aria-invalid", wrong ? "true" : "false");
      if (wrong) faults.push(`${one.label}: from ${one.min} to ${one.max}.`);
    }
    error.textContent = faults.join(" ");
    if (faults.length) return;
    const query = FIELDS.filter((one) => settings[one.name] !== one.value)
      .map((one) => `${one.name}=${encodeURIComponent(settings[one.name])}`).join("&");
    link.href = `${location.pathname}${query && "?"}${query}`;
    try {
      history.replaceState(null, "", link.href);
    } catch {
      // On disk some browsers keep the address as it is.
    }
    show(bill(monthly(settings), { days: DAYS }));
  }

  function show(found) {
    const cell = (tag, text) => make(tag, tag === "th" ? { scope: "row" } : {}, text);
    const lines = found.lines.map((line) => make("tr", {},
      cell("th", line.upperBound ? `${line.name} (at most)` : line.name),
      cell("td", `${exact(line.amount)} ${line.unit}`),
      cell("td", line.quota === null ? "none" : exact(line.quota)),
      cell("td", exact(line.freeAmount)),
      cell("td", dollars(line.fullCost)),
      cell("td", dollars(line.cost))));
    const head = ["line", "a month", "free quota", "of it free", "without free quota", "to pay"];
    const total = make("tr", {}, cell("th", "Total"), cell("td", ""), cell("td", ""),
      cell("td", `${exact(100 * found.freeShare)} %`), cell("td", dollars(found.fullTotal)), cell("td", dollars(found.total)));
    output.replaceChildren(make("div", { class: "md-typeset__scrollwrap", tabindex: "0", role: "group", "aria-label": "The bill, scrolls sideways" },
      make("div", { class: "md-typeset__table" }, make("table", {},
        make("caption", {}, `A month of ${DAYS} days, us-east-1, US dollars`),
        make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
        make("tbody", {}, ...lines, total)))));
    summary.textContent = `${dollars(found.total)} a month; the free quotas take off ${exact(100 * found.freeShare)} %.`;
  }

  place.replaceChildren(
    make("form", { class: "panel", novalidate: true, oninput: later, onsubmit: (event) => event.preventDefault() },
      ...groups.values(), make("div", { class: "panel-buttons" }, link)),
    error, summary, output);
  update();
  place.dataset.ready = "true";
})();
