// A page to try figures on: fields with sliders, the result beside them while one types, and the
// settings that were kept to compare with. The simulator and the calculator share this.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const { make } = globalThis.streamlabs;
  const PLACES = 1000;

  // -- sliders ----------------------------------------------------------------------------

  // Fine near the low end and coarse at the high one, where the range is wide.
  const unit = (one) => (one.step === 1 ? 1 : 0.1);
  const wide = (one) => (one.max - one.min) / unit(one) > 100;

  function toPlace(one, value) {
    if (one.none && value === one.none) return PLACES;
    const share = wide(one)
      ? Math.log1p((value - one.min) / unit(one)) / Math.log1p((one.max - one.min) / unit(one))
      : (value - one.min) / (one.max - one.min);
    return Math.round(PLACES * share);
  }

  function toValue(one, place) {
    if (one.none && place >= PLACES) return one.none;
    const span = one.max - one.min;
    const share = place / PLACES;
    let value = one.min + (wide(one) ? unit(one) * Math.expm1(share * Math.log1p(span / unit(one))) : share * span);
    // Two digits are as fine as a thumb is.
    value = Number(value.toPrecision(2));
    if (one.step === 1) value = Math.round(value);
    if (one.gap && value > one.min && value < one.gap) value = value < one.gap / 2 ? one.min : one.gap;
    return Math.min(one.max, Math.max(one.min, value));
  }

  // -- the page ---------------------------------------------------------------------------

  // Fill `place`. `form` is of fields.js; `run(settings)` gives a result or throws a RangeError;
  // `rows(result)` are [name, number, how a number is written, sign of a change that is good];
  // `tiles` names the rows that stand large; `draw(box, now, kept)` fills a figure;
  // `details(now)` gives more elements; `sentence(now)` is read out.
  function panel(place, { id, form, caption, tiles, run, rows, draw, details, sentence }) {
    const inputs = {};
    const sliders = {};
    const error = make("p", { class: "panel-error", role: "alert" });
    const spoken = make("p", { class: "panel-spoken", role: "status" });
    // The names first, so that what stands below has its place.
    const large = make("dl", { class: "panel-tiles" }, ...tiles.map((name) => make("div", {}, make("dt", {}, name), make("dd", {}, "…"))));
    const picture = make("div", { class: "panel-picture" });
    const figures = make("div", {});
    const more = make("div", {});
    const output = make("div", { class: "panel-output" }, figures, more);
    const beside = make("p", { class: "panel-kept", hidden: true });
    const link = make("a", { href: "#" }, "Link to these settings");
    const button = (text, then, hidden = false) => make("button", { type: "button", class: "md-button", onclick: then, hidden }, text);
    const keep = button("Keep to compare", () => { kept = read().settings; update(); });
    const swap = button("Swap", () => { const mine = kept; kept = read().settings; write(mine); update(); }, true);
    const drop = button("Stop comparing", () => { kept = null; update(); }, true);
    const reset = button("Start over", () => { kept = null; write(form.defaults()); update(); });
    let kept = null;
    let shown = null;

    function field(one) {
      const name = `${id}-${one.name}`;
      let input;
      if (one.words) input = make("select", { id: name }, ...one.words.map((word) => make("option", {}, word)));
      else if (one.none) input = make("input", { id: name, type: "text", inputmode: "numeric", autocomplete: "off" });
      else input = make("input", { id: name, type: "number", min: one.min, max: one.max, step: one.step });
      inputs[one.name] = input;
      const row = make("div", { class: "panel-field" }, make("label", { for: name }, one.label), input);
      if (one.words) return row;
      // For the hand only: the field beside it takes arrow keys, and says what it is.
      const slider = make("input", { type: "range", min: 0, max: PLACES, tabindex: -1, "aria-hidden": "true" });
      slider.addEventListener("input", () => { input.value = toValue(one, Number(slider.value)); });
      sliders[one.name] = slider;
      row.append(slider);
      return row;
    }

    function controls() {
      const groups = new Map();
      for (const one of form.fields) {
        if (!groups.has(one.group)) groups.set(one.group, make("fieldset", {}, make("legend", {}, one.group)));
        groups.get(one.group).append(field(one));
      }
      return make("form", { class: "panel", novalidate: true, oninput: later, onsubmit: (event) => event.preventDefault() },
        ...groups.values());
    }

    function read() {
      const settings = {};
      const faults = [];
      for (const one of form.fields) {
        const value = form.value(one, inputs[one.name].value);
        const wrong = form.fault(one, value);
        inputs[one.name].setAttribute("aria-invalid", wrong ? "true" : "false");
        if (wrong) faults.push(wrong);
        else if (sliders[one.name]) sliders[one.name].value = toPlace(one, value);
        settings[one.name] = value;
      }
      return { settings, faults };
    }

    function write(settings) {
      for (const one of form.fields) inputs[one.name].value = settings[one.name];
    }

    // As soon as the last run allows: a quick one while one types, a slow one when one stops.
    let waiting = 0;
    let took = 0;
    function later() {
      clearTimeout(waiting);
      waiting = setTimeout(update, Math.min(400, 30 + 2 * took));
    }

    function played(settings) {
      try {
        return run(settings);
      } catch (problem) {
        if (!(problem instanceof RangeError)) throw problem;
        error.textContent = problem.message;
        return null;
      }
    }

    function update() {
      clearTimeout(waiting);
      const { settings, faults } = read();
      error.textContent = faults.join(" ");
      if (faults.length) return;
      const query = form.toQuery(settings, kept);
      link.href = `${location.pathname}${query}`;
      try {
        history.replaceState(null, "", link.href);
      } catch {
        // On disk some browsers keep the address as it is; the link still holds the settings.
      }
      const began = performance.now();
      const now = played(settings);
      const before = kept && played(kept);
      took = performance.now() - began;
      if (!now || (kept && !before)) return;
      shown = { now, before };
      inTurn(
        () => show(settings),
        () => draw(picture, now, before),
        () => {
          const open = [...more.children].map((one) => one.open);
          more.replaceChildren(...details(now));
          [...more.children].forEach((one, at) => { if (open[at]) one.open = true; });
          place.dataset.ready = "true";
        });
    }

    // Each in a task of its own, so that what is typed meanwhile is heard; the last that began counts.
    function inTurn(...steps) {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        steps.shift()();
        if (steps.length) inTurn(...steps);
      });
    }

    // -- what comes out -------------------------------------------------------------------

    // How far a figure is from the kept one, in words.
    function change(value, old, told) {
      if (told(value) === told(old)) return "the same";
      return `${value > old ? "+" : "\u2212"}${told(Math.abs(value - old))}`;
    }

    function show(settings) {
      const { now, before } = shown;
      const mine = rows(now);
      const others = before ? rows(before) : [];
      large.replaceChildren(...tiles.map((name) => {
        const at = mine.findIndex((row) => row[0] === name);
        const [, value, told] = mine[at];
        const tile = make("div", {}, make("dt", {}, name), make("dd", {}, told(value)));
        if (before) tile.append(make("dd", { class: "panel-change" }, `kept ${told(others[at][1])}: ${change(value, others[at][1], told)}`));
        return tile;
      }));
      for (const one of [swap, drop]) one.hidden = !kept;
      const differs = kept ? form.differing(kept, settings) : [];
      beside.hidden = !kept;
      beside.textContent = differs.length
        ? `Kept: ${differs.map((one) => `${one.label} ${kept[one.name]} (now ${settings[one.name]})`).join(", ")}.`
        : "Kept. Change something and see the difference.";
      mark(form.toQuery(settings, kept));
      figures.replaceChildren(
        table(caption, before ? ["figure", "kept", "now", "difference"] : ["figure", "value"],
          mine.map(([name, value, told], at) => before
            ? [name, told(others[at][1]), told(value), change(value, others[at][1], told)] : [name, told(value)])));
      spoken.textContent = sentence(now);
    }

    function mark(query) {
      for (const one of presets) {
        if (one.search === query) one.setAttribute("aria-current", "true");
        else one.removeAttribute("aria-current");
      }
    }

    function open(query) {
      const found = form.fromQuery(query);
      kept = found.kept;
      write(found.settings);
      return found.faults;
    }

    // -- links of this page that open settings of it --------------------------------------

    const presets = [...document.querySelectorAll("article a[href*='?']")].filter((one) => one.pathname === location.pathname);
    for (const one of presets) {
      one.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        open(one.search);
        update();
        place.scrollIntoView({ block: "start" });
      });
    }

    const side = make("div", { class: "panel-side" }, make("div", { class: "panel-now" }, large, error), picture);
    place.classList.add("panel-page");
    place.replaceChildren(
      make("div", { class: "panel-buttons" }, keep, swap, drop, reset, link, beside),
      controls(), side, output, spoken);
    const faults = open(location.search);
    // The page is drawn first.
    setTimeout(() => {
      update();
      if (faults.length) error.textContent = faults.join(" ");
      if (!shown) place.dataset.ready = "true";
    }, 0);
    // A picture is as wide as its place: its letters keep their size.
    let width = 0;
    new ResizeObserver(([{ contentRect: now }]) => {
      if (width && shown && now.width !== width) draw(picture, shown.now, shown.before);
      width = now.width;
    }).observe(picture);
  }

  // Rows of text under a head; the first cell of each names it.
  function table(caption, head, body) {
    const cells = (row) => row.map((text, n) => make(n ? "td" : "th", n ? {} : { scope: "row" }, String(text)));
    return make("div", { class: "md-typeset__scrollwrap", tabindex: "0", role: "group", "aria-label": caption },
      make("div", { class: "md-typeset__table" },
        make("table", {},
          make("caption", {}, caption),
          make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
          make("tbody", {}, ...body.map((row) => make("tr", {}, ...cells(row)))))));
  }

  // An element of a picture, with attributes and children.
  function svg(tag, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, text] of Object.entries(attributes)) element.setAttribute(name, text);
    element.append(...children);
    return element;
  }

  // Put a picture into its place, with what a mark of it says below: drawing.js walks over it.
  function picture(place, title, drawn, legend) {
    drawn.setAttribute("class", "drawing");
    drawn.setAttribute("role", "group");
    drawn.setAttribute("aria-label", title);
    place.replaceChildren(make("figure", {}, make("p", { class: "said", "aria-hidden": "true" }, legend), drawn));
    globalThis.walk(drawn);
  }

  // A mark: what it says, and what of it is seen.
  const mark = (said, ...drawn) => svg("g", { class: "mark", role: "img", tabindex: -1 }, svg("title", {}, said), ...drawn);

  Object.assign(globalThis.streamlabs, { panel, table, svg, picture, mark });
})();
