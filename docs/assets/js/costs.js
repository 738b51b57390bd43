// What a stream consumer uses in a month, from a few figures about it: the calculator's arithmetic.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const { form } = globalThis.streamlabs;
  const field = (group, name, label, value, max, step = "any", min = 0) =>
    ({ group, name, label, value, min, max, step });
  const { choice } = form;

  const figures = form([
    field("Writes", "writes", "Writes a second, on average", 100, 1e6),
    field("Writes", "item", "Bytes of an item", 500, 409_600, 1, 1),
    field("Function", "batch", "Records in an invocation, on average", 100, 10_000, "any", 1),
    field("Function", "duration", "Duration of an invocation, ms", 50, 900_000, 1, 1),
    field("Function", "memory", "MemorySize in MB", 512, 10_240, 1, 128),
    choice("Function", "arch", "Architecture", "x86_64", "arm64"),
    field("What the handler writes", "puts", "Writes an invocation", 10, 1e6),
    field("What the handler writes", "putbytes", "Bytes of such an item", 200, 409_600, 1, 1),
    choice("What the handler writes", "transact", "In transactions", "no", "yes"),
    field("Logs", "logbytes", "Log bytes an invocation", 600, 1e7, 1),
    field("Logs", "retention", "Days the logs are kept", 30, 3653, 1, 1),
    field("Watching", "metrics", "Custom metrics", 5, 10_000, 1),
    field("Watching", "alarms", "Alarms", 6, 5_000, 1),
    field("Watching", "dashboards", "Dashboards", 1, 500, 1),
  ]);
  // What CloudWatch Logs calls a gigabyte.
  const GB = 2 ** 30;
  const DAYS = 30;

  // Write units of one write: one for each started KB, twice that in a transaction.
  const units = (bytes, transactional) => Math.max(1, Math.ceil(bytes / 1024)) * (transactional ? 2 : 1);

  // A month's amounts by item of the price list. Logs are taken to be kept from long ago, uncompressed.
  function monthly(settings) {
    const writes = settings.writes * 86_400 * DAYS;
    const invocations = writes / settings.batch;
    const compute = settings.arch === "arm64" ? "lambda_gb_seconds_arm" : "lambda_gb_seconds_x86";
    const logs = (invocations * settings.logbytes) / GB;
    return {
      lambda_requests: invocations,
      [compute]: (invocations * settings.duration * settings.memory) / 1024 / 1000,
      dynamodb_write_requests: writes * units(settings.item, false)
        + invocations * settings.puts * units(settings.putbytes, settings.transact === "yes"),
      logs_ingested_gb: logs,
      logs_stored_gb: (logs * settings.retention) / DAYS,
      custom_metrics: settings.metrics,
      alarms: settings.alarms,
      dashboards: settings.dashboards,
    };
  }

  globalThis.streamlabs.costs = { ...figures, DAYS, monthly };
})();
