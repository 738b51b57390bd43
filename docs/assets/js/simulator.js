// The simulator's page: a form, a chart of the lag over time, and the same figures as tables.
"use strict";

(() => {
  const { dollars, exact, make, simulator, whole } = globalThis.streamlabs;
  const { ARCHITECTURES, FIELDS, defaults, fault, fromQuery, play, toQuery, value } = simulator;
  const SVG = "http://www.w3.org/2000/svg";
  const place = document.getElementById("simulator");
  if (!place) return;

  const inputs = {};
  const error = make("p", { class: "panel-error", role: "alert" });
  const summary = make("p", { class: "panel-summary", role: "status" });
  const output = make("div", { class: "panel-output" });
  const link = make("a", { href: "#" }, "Link to these settings");
  const reset = make("button", { type: "button", class: "md-button" }, "Start over");

  function form(settings) {
    const groups = new Map();
    for (const one of FIELDS) {
      if (!groups.has(one.group)) groups.set(one.group, make("fieldset", {}, make("legend", {}, one.group)));
      let input;
      if (one.name === "arch") {
        input = make("select", { id: `sim-${one.name}` }, ...ARCHITECTURES.map((name) => make("option", {}, name)));
      } else if (one.name === "concurrency") {
        input = make("input", { id: `sim-${one.name}`, type: "text", inputmode: "numeric", autocomplete: "off" });
      } else {
        input = make("input", { id: `sim-${one.name}`, type: "number", min: one.min, max: one.max, step: one.step });
      }
      input.value = settings[one.name];
      inputs[one.name] = input;
      groups.get(one.group).append(make("label", { for: input.id }, make("span", {}, one.label), input));
    }
    return make("form", { class: "panel", novalidate: true, oninput: later, onsubmit: (event) => event.preventDefault() },
      ...groups.values(), make("div", { class: "panel-buttons" }, reset, link));
  }

  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(update, 250);
  }

  function read() {
    const settings = {};
    const faults = [];
    for (const one of FIELDS) {
      settings[one.name] = value(one, inputs[one.name].value);
      const wrong = fault(one, settings[one.name]);
      inputs[one.name].setAttribute("aria-invalid", wrong ? "true" : "false");
      if (wrong) faults.push(wrong);
    }
    return { settings, faults };
  }

  function update() {
    const { settings, faults } = read();
    error.textContent = faults.join(" ");
    if (faults.length) return;
    const query = toQuery(settings);
    link.href = `${location.pathname}${query}`;
    try {
      history.replaceState(null, "", link.href);
    } catch {
      // On disk some browsers keep the address as it is; the link above still holds the settings.
    }
    try {
      show(play(settings));
    } catch (problem) {
      if (!(problem instanceof RangeError)) throw problem;
      error.textContent = `${problem.message} Fewer hours or a larger batch take fewer.`;
    }
  }

  // -- what comes out ---------------------------------------------------------------------

  // Milliseconds for people.
  function span(ms) {
    if (ms < 1000) return `${whole(ms)} ms`;
    if (ms < 120_000) return `${exact(ms / 1000)} s`;
    if (ms < 7_200_000) return `${exact(ms / 60_000)} min`;
    return `${exact(ms / 3_600_000)} h`;
  }

  function rows(outcome, bill) {
    const request = bill.lines[0];
    const compute = bill.lines[1];
    const quota = (line) => `${exact((100 * line.freeAmount) / line.quota)} %`;
    const mean = outcome.invocations ? outcome.handed / outcome.invocations : 0;
    return [
      ["Highest iterator age", span(outcome.maxIteratorAgeMs)],
      ["Longest time from write to done", span(outcome.maxDelayMs)],
      ["Records waiting at the end", whole(outcome.backlog)],
      ["Writes", whole(outcome.writes)],
      ["Invocations", whole(outcome.invocations)],
      ["Records in an invocation, on average", exact(mean)],
      ["Most executions at once", whole(outcome.peakConcurrency)],
      ["Throttles", whole(outcome.throttles)],
      ["Errors, timeouts among them", `${whole(outcome.errors)}, ${whole(outcome.timeouts)}`],
      ["Records given up", whole(outcome.discarded)],
      ["Records lost at 24 hours", whole(outcome.lost)],
      ["Requests a month", whole(request.amount)],
      ["GB-seconds a month", whole(compute.amount)],
      ["Free Tier: requests used", quota(request)],
      ["Free Tier: GB-seconds used", quota(compute)],
      ["Month without Free Tier", dollars(bill.fullTotal)],
      ["Month with Free Tier", dollars(bill.total)],
      ["Share the Free Tier pays", `${exact(100 * bill.freeShare)} %`],
    ];
  }

  function table(caption, head, body) {
    const cells = (tag, row) => row.map((text, n) =>
      make(n === 0 ? "th" : tag, n === 0 ? { scope: "row" } : {}, String(text)));
    return make("div", { class: "md-typeset__scrollwrap" }, make("div", { class: "md-typeset__table" },
      make("table", {},
        make("caption", {}, caption),
        make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
        make("tbody", {}, ...body.map((row) => make("tr", {}, ...cells("td", row)))))));
  }

  function draw(tag, attributes, ...children) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, text] of Object.entries(attributes)) element.setAttribute(name, text);
    element.append(...children);
    return element;
  }

  // Spans that an axis may end with, in seconds: half of each is easy to read, too.
  const TOPS = [
    1, 2, 4, 10, 20, 30, 60, 120, 240, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200,
  ];
  const ceiling = (top) => 1000 * (TOPS.find((seconds) => seconds * 1000 >= top) || top / 1000);

  function chart(outcome) {
    // As wide as there is room, so that the letters keep their size.
    const width = Math.max(260, Math.min(720, place.clientWidth || 640));
    const height = 260;
    const left = 64;
    const bottom = 34;
    const ages = outcome.iteratorAgeMs;
    const delays = outcome.delayMs;
    const top = ceiling(Math.max(1000, ...ages, ...delays));
    const x = (minute) => left + ((width - left - 10) * minute) / Math.max(1, ages.length - 1);
    const y = (ms) => 12 + (height - bottom - 12) * (1 - ms / top);
    const line = (figures, name) => {
      // A minute without data is a gap.
      let path = "";
      figures.forEach((ms, minute) => {
        if (ms === null) return;
        const pen = minute > 0 && figures[minute - 1] !== null ? "L" : "M";
        path += `${pen}${x(minute).toFixed(1)} ${y(ms).toFixed(1)}`;
        if (pen === "M" && (minute + 1 >= figures.length || figures[minute + 1] === null)) path += "h1";
      });
      return draw("path", { class: name, d: path });
    };
    const svg = draw("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "sim-chart-title" });
    svg.append(
      draw("title", { id: "sim-chart-title" },
        `Iterator age by the minute, at most ${span(outcome.maxIteratorAgeMs)}, and time from write to done, at most ${span(outcome.maxDelayMs)}`),
      draw("path", { class: "axis", d: `M${left} 12V${height - bottom}H${width - 10}` }));
    for (const part of [0, 0.5, 1]) {
      svg.append(draw("text", { x: left - 6, y: y(top * part) + 4, "text-anchor": "end" }, span(top * part)));
    }
    for (const part of [0, 0.5, 1]) {
      const minute = Math.round((ages.length - 1) * part);
      svg.append(draw("text", { x: x(minute), y: height - 14, "text-anchor": part ? (part === 1 ? "end" : "middle") : "start" }, `minute ${minute}`));
    }
    svg.append(line(delays, "line-second"), line(ages, "line"));
    return svg;
  }

  function series(outcome) {
    const count = outcome.iteratorAgeMs.length;
    const every = Math.ceil(count / 60);
    const body = [];
    const most = (list, from) => {
      const found = list.slice(from, from + every).filter((ms) => ms !== null);
      return found.length ? span(Math.max(...found)) : "no data";
    };
    const sum = (list, from) => whole(list.slice(from, from + every).reduce((a, b) => a + b, 0));
    for (let from = 0; from < count; from += every) {
      body.push([from, most(outcome.iteratorAgeMs, from), most(outcome.delayMs, from),
        sum(outcome.invocationsByMinute, from), sum(outcome.throttlesByMinute, from), sum(outcome.errorsByMinute, from)]);
    }
    const caption = every === 1 ? "By the minute" : `By ${every} minutes: the highest age and delay, the sum of the rest`;
    return make("details", {}, make("summary", {}, "The chart's figures as a table"),
      table(caption, ["minute", "iterator age", "write to done", "invocations", "throttles", "errors"], body));
  }

  function show({ outcome, bill }) {
    const open = output.querySelector("details[open]") !== null;
    const legend = make("p", {}, "Solid line: iterator age. Dashed line: time from a write to the end of its invocation.");
    output.replaceChildren(
      make("figure", { class: "chart-box" }, chart(outcome), make("figcaption", {}, legend)),
      table("What these settings come to", ["figure", "value"], rows(outcome, bill)),
      series(outcome));
    if (open) output.querySelector("details").open = true;
    summary.textContent = `Highest iterator age ${span(outcome.maxIteratorAgeMs)}, `
      + `${whole(outcome.throttles)} throttles, ${dollars(bill.total)} a month.`;
  }

  reset.addEventListener("click", () => {
    for (const [name, text] of Object.entries(defaults())) inputs[name].value = text;
    update();
  });

  const { settings, faults } = fromQuery(location.search);
  place.replaceChildren(form(settings), error, summary, output);
  // The page is drawn first.
  setTimeout(() => {
    update();
    if (faults.length) error.textContent = faults.join(" ");
    place.dataset.ready = "true";
  }, 0);
})();
