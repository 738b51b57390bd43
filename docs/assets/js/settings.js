// The simulator's settings: names as in the address, ranges, defaults; and one run of them.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const field = (group, name, label, value, min, max, step = 1) =>
    ({ group, name, label, value, min, max, step });

  // In the order of the form. `concurrency` may also be "none", `arch` is one of two words.
  const FIELDS = [
    field("Load", "rate", "Writes a second", 100, 0, 20_000, "any"),
    field("Load", "hours", "Hours", 1, 1, 72),
    field("Load", "burst", "More writes a second in a burst", 0, 0, 20_000, "any"),
    field("Load", "burstat", "Burst begins at minute", 10, 0, 4_319),
    field("Load", "burstfor", "Burst lasts minutes", 5, 1, 4_320),
    field("Load", "shards", "Shards", 1, 1, 50),
    field("Mapping", "batch", "BatchSize", 100, 1, 10_000),
    field("Mapping", "window", "MaximumBatchingWindowInSeconds", 0, 0, 300),
    field("Mapping", "pf", "ParallelizationFactor", 1, 1, 10),
    field("Mapping", "retries", "MaximumRetryAttempts", -1, -1, 10_000),
    field("Mapping", "age", "MaximumRecordAgeInSeconds", -1, -1, 604_800),
    field("Function", "concurrency", "Reserved concurrency, or none", "none", 0, 1_000),
    field("Function", "memory", "MemorySize in MB", 512, 128, 10_240),
    field("Function", "timeout", "Timeout in seconds", 30, 1, 900),
    field("Function", "arch", "Architecture", "x86_64"),
    field("Handler", "call", "Work an invocation, ms at one vCPU", 5, 0, 60_000, "any"),
    field("Handler", "record", "Work a record, ms at one vCPU", 0.2, 0, 10_000, "any"),
    field("Handler", "callwait", "Waiting an invocation, ms", 0, 0, 60_000, "any"),
    field("Handler", "recordwait", "Waiting a record, ms", 0, 0, 10_000, "any"),
    field("Handler", "cold", "A cold start adds, ms", 0, 0, 60_000),
    field("Handler", "errors", "Invocations that fail, percent", 0, 0, 100, "any"),
  ];
  const ARCHITECTURES = ["x86_64", "arm64"];

  const defaults = () => Object.fromEntries(FIELDS.map((one) => [one.name, one.value]));

  // What is wrong with a value of a field; "" when nothing is.
  function fault(one, value) {
    if (one.name === "arch") {
      return ARCHITECTURES.includes(value) ? "" : `Architecture is ${ARCHITECTURES.join(" or ")}.`;
    }
    if (one.name === "concurrency" && value === "none") return "";
    if (typeof value !== "number" || !Number.isFinite(value) || value < one.min || value > one.max) {
      return `${one.label}: from ${one.min} to ${one.max}.`;
    }
    if (one.step === 1 && !Number.isInteger(value)) return `${one.label}: a whole number.`;
    if (one.name === "age" && value !== -1 && value < 60) return `${one.label}: -1, or from 60 on.`;
    return "";
  }

  // A text of the form or the address as the value of a field.
  function value(one, text) {
    const bare = text.trim();
    if (one.name === "arch") return bare;
    if (one.name === "concurrency" && (bare === "none" || bare === "")) return "none";
    return bare === "" ? NaN : Number(bare);
  }

  // Settings from an address's query, and what is wrong with it. Unknown names are not ours.
  function fromQuery(query) {
    const settings = defaults();
    const faults = [];
    const given = new URLSearchParams(query);
    for (const one of FIELDS) {
      if (!given.has(one.name)) continue;
      const found = value(one, given.get(one.name));
      const wrong = fault(one, found);
      if (wrong) faults.push(wrong);
      else settings[one.name] = found;
    }
    return { settings, faults };
  }

  // The query of settings: only what differs from the defaults.
  function toQuery(settings) {
    const parts = FIELDS.filter((one) => settings[one.name] !== one.value)
      .map((one) => `${one.name}=${encodeURIComponent(settings[one.name])}`);
    return parts.length ? `?${parts.join("&")}` : "";
  }

  // Simulate settings: the outcome, and the month's bill of mapping and function.
  function play(settings) {
    const { bill, burst, simulate, steady, usage } = globalThis.streamlabs;
    const length = settings.hours * 3600;
    let load = steady(settings.rate, length, settings.shards);
    const start = settings.burstat * 60;
    if (settings.burst > 0 && start < length) {
      load = burst(load, start, Math.min(settings.burstfor * 60, length - start), settings.burst);
    }
    const handler = {
      callMs: settings.call,
      recordMs: settings.record,
      callWaitMs: settings.callwait,
      recordWaitMs: settings.recordwait,
      coldStartMs: settings.cold,
      errorRate: settings.errors / 100,
    };
    const choice = {
      batchSize: settings.batch,
      windowS: settings.window,
      parallelization: settings.pf,
      concurrency: settings.concurrency === "none" ? null : settings.concurrency,
      memoryMb: settings.memory,
      timeoutS: settings.timeout,
      architecture: settings.arch,
      maxRetries: settings.retries,
      maxAgeS: settings.age,
    };
    const outcome = simulate(load, handler, choice);
    return { outcome, bill: bill(usage(outcome, choice, 30)) };
  }

  globalThis.streamlabs.simulator = {
    FIELDS, ARCHITECTURES, defaults, fault, value, fromQuery, toQuery, play,
  };
})();
