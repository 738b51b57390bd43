// Runs the browser's simulator and bill in Node: settings as JSON on stdin, results on stdout.
"use strict";

const path = require("node:path");

const scripts = path.join(__dirname, "..", "..", "docs", "assets", "js");
for (const name of ["prices", "bill", "engine", "fields", "settings", "costs"]) require(path.join(scripts, `${name}.js`));
const { bill, costs, simulator } = globalThis.streamlabs;

let text = "";
process.stdin.on("data", (chunk) => { text += chunk; });
process.stdin.on("end", () => {
  const { played, costed, links } = JSON.parse(text);
  const settings = played.map((given) => ({ ...simulator.defaults(), ...given }));
  process.stdout.write(JSON.stringify({
    played: settings.map((one) => simulator.play(one)),
    costed: costed.map((one) => bill(costs.monthly(one))),
    links: links.map((query) => {
      const { settings: now, kept, faults } = simulator.fromQuery(query);
      return { now, kept, faults, back: simulator.toQuery(now, kept) };
    }),
  }));
});
