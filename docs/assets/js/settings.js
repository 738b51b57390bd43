// The simulator's settings: names as in the address, ranges, defaults; and one run of them.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const { form } = globalThis.streamlabs;
  const field = (group, name, label, value, min, max, step = 1, more = {}) =>
    ({ group, name, label, value, min, max, step, ...more });
  const { choice } = form;

  // In the order of the form.
  const settingsForm = form([
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
    field("Mapping", "age", "MaximumRecordAgeInSeconds", -1, -1, 604_800, 1, { gap: 60 }),
    field("Function", "concurrency", "Reserved concurrency, or none", "none", 0, 1_000, 1, { none: "none" }),
    field("Function", "memory", "MemorySize in MB", 512, 128, 10_240),
    field("Function", "timeout", "Timeout in seconds", 30, 1, 900),
    choice("Function", "arch", "Architecture", "x86_64", "arm64"),
    field("Handler", "call", "Work an invocation, ms at one vCPU", 5, 0, 60_000, "any"),
    field("Handler", "record", "Work a record, ms at one vCPU", 0.2, 0, 10_000, "any"),
    field("Handler", "callwait", "Waiting an invocation, ms", 0, 0, 60_000, "any"),
    field("Handler", "recordwait", "Waiting a record, ms", 0, 0, 10_000, "any"),
    field("Handler", "cold", "A cold start adds, ms", 0, 0, 60_000),
    field("Handler", "errors", "Invocations that fail, percent", 0, 0, 100, "any"),
  ]);

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
    return { outcome, choice, bill: bill(usage(outcome, choice, 30)) };
  }

  globalThis.streamlabs.simulator = { ...settingsForm, play };
})();
