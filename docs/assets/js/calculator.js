// The cost calculator's page: the month's bill as bars and line by line.
"use strict";

(() => {
  const { bill, costs, dollars, exact, mark, panel, picture, svg, table } = globalThis.streamlabs;
  const { DAYS, monthly } = costs;
  const place = document.getElementById("calculator");
  if (!place) return;

  const percent = (share) => `${exact(share)} %`;

  function rows(found) {
    return [
      ["To pay a month", found.total, dollars],
      ["Without free quotas", found.fullTotal, dollars],
      ["The free quotas take off", 100 * found.freeShare, percent],
      ...found.lines.map((line) => [line.name, line.cost, dollars]),
    ];
  }

  // Each line's cost without the free quotas; a stroke shows the kept one.
  function draw(box, now, kept) {
    const width = Math.max(260, Math.min(900, box.clientWidth || 640));
    const old = new Map((kept ? kept.lines : []).map((line) => [line.item, line.fullCost]));
    const top = Math.max(0.01, ...now.lines.map((line) => line.fullCost), ...old.values());
    const high = 44;
    const long = (cost) => ((width - 90) * cost) / top;
    const drawn = svg("svg", { width, height: high * now.lines.length, viewBox: `0 0 ${width} ${high * now.lines.length}` });
    now.lines.forEach((line, at) => {
      const y = at * high;
      const before = old.has(line.item) ? `, kept ${dollars(old.get(line.item))}` : "";
      const parts = [
        svg("text", { x: 2, y: y + 14 }, line.name),
        svg("rect", { class: "bar", x: 2, y: y + 20, width: long(line.fullCost).toFixed(1), height: 16 }),
        svg("text", { x: 8 + long(line.fullCost), y: y + 32 }, dollars(line.fullCost)),
      ];
      if (before) parts.push(svg("path", { class: "before", d: `M${(2 + long(old.get(line.item))).toFixed(1)} ${y + 17}v22` }));
      drawn.append(mark(`${line.name}: ${dollars(line.fullCost)} without free quotas, ${dollars(line.cost)} to pay${before}.`, ...parts));
    });
    const legend = `Without free quotas, dollars a month.${kept ? " A dashed stroke: kept." : ""}`;
    picture(box, "The bill's lines", drawn, legend);
  }

  function lines(found) {
    const body = found.lines.map((line) => [
      line.upperBound ? `${line.name} (at most)` : line.name, `${exact(line.amount)} ${line.unit}`,
      line.quota === null ? "none" : exact(line.quota), exact(line.freeAmount), dollars(line.fullCost), dollars(line.cost),
    ]);
    body.push(["Total", "", "", percent(100 * found.freeShare), dollars(found.fullTotal), dollars(found.total)]);
    return [table("The bill, line by line", ["line", "a month", "free quota", "of it free", "without free quota", "to pay"], body)];
  }

  panel(place, {
    id: "cost",
    form: costs,
    caption: `A month of ${DAYS} days, us-east-1, US dollars`,
    tiles: ["To pay a month", "Without free quotas", "The free quotas take off"],
    run: (settings) => bill(monthly(settings), { days: DAYS }),
    rows,
    draw,
    details: lines,
    sentence: (found) => `${dollars(found.total)} a month; the free quotas take off ${percent(100 * found.freeShare)}.`,
  });
})();
