// The simulator's page: lag, backlog, throttles, calls and money over one axis, and all figures.
"use strict";

(() => {
  const { bill, dollars, exact, make, mark, panel, picture, simulator, svg, table, usage, whole } = globalThis.streamlabs;
  const place = document.getElementById("simulator");
  if (!place) return;

  // Milliseconds for people.
  function span(ms) {
    if (ms < 1000) return `${whole(ms)} ms`;
    if (ms < 120_000) return `${exact(ms / 1000)} s`;
    if (ms < 7_200_000) return `${exact(ms / 60_000)} min`;
    return `${exact(ms / 3_600_000)} h`;
  }

  const percent = (share) => `${exact(share)} %`;

  function rows({ outcome, bill: { lines: [request, compute], fullTotal, total, freeShare } }) {
    const quota = (line) => (100 * line.freeAmount) / line.quota;
    return [
      ["Highest iterator age", outcome.maxIteratorAgeMs, span],
      ["Longest time from write to done", outcome.maxDelayMs, span],
      ["Records waiting at the end", outcome.backlog, whole],
      ["Writes", outcome.writes, whole],
      ["Invocations", outcome.invocations, whole],
      ["Records in an invocation, on average", outcome.invocations ? outcome.handed / outcome.invocations : 0, exact],
      ["Most executions at once", outcome.peakConcurrency, whole],
      ["Executions at once, on average", outcome.billedMs / outcome.durationMs, exact],
      ["Throttles", outcome.throttles, whole],
      ["Errors", outcome.errors, whole],
      ["Timeouts among the errors", outcome.timeouts, whole],
      ["Records given up", outcome.discarded, whole],
      ["Records lost at 24 hours", outcome.lost, whole],
      ["Requests a month", request.amount, whole],
      ["GB-seconds a month", compute.amount, whole],
      ["Free Tier: requests used", quota(request), percent],
      ["Free Tier: GB-seconds used", quota(compute), percent],
      ["Month without Free Tier", fullTotal, dollars],
      ["Month with Free Tier", total, dollars],
      ["Share the Free Tier pays", 100 * freeShare, percent],
    ];
  }

  // -- over time --------------------------------------------------------------------------

  const MOST_COLUMNS = 90;
  const highest = (list) => {
    const known = list.filter((value) => value !== null);
    return known.length ? Math.max(...known) : null;
  };
  const sum = (list) => list.reduce((total, value) => total + value, 0);

  // What a month like these minutes would cost without the Free Tier.
  function monthly({ outcome, choice }, from, to) {
    const minutes = {
      invocations: sum(outcome.invocationsByMinute.slice(from, to)),
      billedMs: sum(outcome.billedMsByMinute.slice(from, to)),
      durationMs: Math.min(60_000 * to, outcome.durationMs) - 60_000 * from,
    };
    return bill(usage(minutes, choice, 30), { free: false }).total;
  }

  // Rows of the picture: name, the least that its top may be, how a number is written, and its value
  // from minute to minute.
  const STRIPS = [
    ["Iterator age, at most", 1000, span, ({ outcome }, from, to) => highest(outcome.iteratorAgeMs.slice(from, to))],
    ["Records waiting, at most", 10, whole, ({ outcome }, from, to) => highest(outcome.backlogByMinute.slice(from, to))],
    ["Throttles a minute", 1, exact, ({ outcome }, from, to) => sum(outcome.throttlesByMinute.slice(from, to)) / (to - from)],
    ["Calls a minute", 1, exact, ({ outcome }, from, to) => sum(outcome.invocationsByMinute.slice(from, to)) / (to - from)],
    ["Dollars a month at this rate", 0.01, dollars, monthly],
  ];

  // The minutes in columns, few enough to be seen apart.
  function columns(count) {
    const every = Math.ceil(count / MOST_COLUMNS);
    return Array.from({ length: Math.ceil(count / every) }, (_, n) => [n * every, Math.min(count, (n + 1) * every)]);
  }

  const when = (from, to) => (to - from === 1 ? `Minute ${from}` : `Minutes ${from} to ${to - 1}`);

  function line(values, x, y) {
    let path = "";
    values.forEach((value, at) => {
      // A minute without data is a gap.
      if (value === null) return;
      path += `${at > 0 && values[at - 1] !== null ? "L" : "M"}${x(at + 0.5).toFixed(1)} ${y(value).toFixed(1)}`;
      if ((at === 0 || values[at - 1] === null) && (at + 1 >= values.length || values[at + 1] === null)) path += "h2";
    });
    return path;
  }

  function draw(box, now, kept) {
    const width = Math.max(260, Math.min(900, box.clientWidth || 640));
    const left = 4;
    const high = 46;
    const gap = 28;
    const count = Math.max(now.outcome.iteratorAgeMs.length, kept ? kept.outcome.iteratorAgeMs.length : 0);
    const cut = columns(count);
    const x = (at) => left + ((width - left - 4) * at) / cut.length;
    const bottom = STRIPS.length * (high + gap);
    const drawn = svg("svg", { width, height: bottom + 20, viewBox: `0 0 ${width} ${bottom + 20}` });
    const said = cut.map(([from, to]) => [`${when(from, to)}:`]);
    STRIPS.forEach(([name, least, told, value], number) => {
      const lists = [now, kept].filter(Boolean).map((one) => cut.map(([from, to]) =>
        (from < one.outcome.iteratorAgeMs.length ? value(one, from, Math.min(to, one.outcome.iteratorAgeMs.length)) : null)));
      const most = highest(lists.flat()) ?? 0;
      const top = Math.max(most, least);
      const base = (number + 1) * (high + gap);
      const y = (height) => base - (high * height) / top;
      drawn.append(
        svg("text", { x: left, y: base - high - 7 }, name),
        svg("text", { x: width - 4, y: base - high - 7, "text-anchor": "end" }, `up to ${told(most)}`),
        svg("path", { class: "grid", d: `M${left} ${base}H${width - 4}` }));
      if (lists[1]) drawn.append(svg("path", { class: "line line2", "stroke-dasharray": "5 4", d: line(lists[1], x, y) }));
      drawn.append(svg("path", { class: "line", d: line(lists[0], x, y) }));
      cut.forEach((_, at) => {
        const mine = lists[0][at] === null ? "no data" : told(lists[0][at]);
        const other = lists[1] ? ` (kept ${lists[1][at] === null ? "no data" : told(lists[1][at])})` : "";
        said[at].push(`${name.toLowerCase()} ${mine}${other};`);
      });
    });
    for (const part of [0, 0.25, 0.5, 0.75, 1]) {
      const anchor = part ? (part === 1 ? "end" : "middle") : "start";
      drawn.append(svg("text", { x: x(part * cut.length), y: bottom + 16, "text-anchor": anchor }, `${part ? "" : "minute "}${Math.round(part * count)}`));
    }
    cut.forEach((_, at) => {
      const column = svg("rect", { class: "column", x: x(at), y: 0, width: x(at + 1) - x(at), height: bottom });
      drawn.append(mark(said[at].join(" ").replace(/;$/, "."), column));
    });
    const legend = kept ? "Solid: now. Dashed: kept. Point at a minute, or walk with the arrow keys." : "Point at a minute, or walk with the arrow keys.";
    picture(box, "Iterator age, backlog, throttles, calls and money over time", drawn, legend);
  }

  function series({ outcome }) {
    const cut = columns(outcome.iteratorAgeMs.length);
    const most = (list, from, to) => {
      const found = highest(list.slice(from, to));
      return found === null ? "no data" : span(found);
    };
    const body = cut.map(([from, to]) => [
      from, most(outcome.iteratorAgeMs, from, to), most(outcome.delayMs, from, to), whole(highest(outcome.backlogByMinute.slice(from, to))),
      ...[outcome.invocationsByMinute, outcome.throttlesByMinute, outcome.errorsByMinute].map((list) => whole(sum(list.slice(from, to)))),
    ]);
    const every = cut[0][1] - cut[0][0];
    const caption = every === 1 ? "By the minute" : `By ${every} minutes: the highest age, delay and backlog, the sum of the rest`;
    return [make("details", {}, make("summary", {}, "The picture's figures as a table"),
      table(caption, ["minute", "iterator age", "write to done", "waiting", "invocations", "throttles", "errors"], body))];
  }

  panel(place, {
    id: "sim",
    form: simulator,
    caption: "What these settings come to",
    tiles: ["Highest iterator age", "Records waiting at the end", "Throttles", "Month with Free Tier"],
    run: simulator.play,
    rows,
    draw,
    details: series,
    sentence: ({ outcome, bill: { total } }) => `Highest iterator age ${span(outcome.maxIteratorAgeMs)}, `
      + `${whole(outcome.throttles)} throttles, ${dollars(total)} a month.`,
  });
})();
