// A month's bill from amounts by item: the arithmetic of grader/review/pricing.py, with the prices of
// prices.js, in floating point. tests/site/test_simulator_parity.py compares both.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  // A number with `digits` behind the point and commas between thousands. The first of a browser's
  // own formats takes it some 15 ms to make, longer than any other script of the course here.
  const fixed = (amount, digits) => amount.toFixed(digits).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");

  // Dollars for `amount` units of which the first `free` cost nothing.
  function cost(price, amount, free) {
    let total = 0;
    let below = 0;
    for (const tier of price.tiers) {
      const end = tier.upTo === null ? amount : Math.min(amount, tier.upTo);
      const charged = end - Math.max(below, free);
      if (charged > 0) total += (charged * tier.price) / price.per;
      below = end;
    }
    return total;
  }

  // The bill of a month of `days` days: lines in the order of the price list, totals, free share.
  function bill(usage, { days = 30, free = true } = {}) {
    const { prices, quotas } = globalThis.streamlabs;
    const whole = {};
    for (const quota of Object.values(quotas)) {
      whole[quota.id] = quota.hourly ? quota.amount * 24 * days : quota.amount;
    }
    const left = free ? { ...whole } : {};
    const lines = [];
    for (const price of prices) {
      if (!(price.id in usage)) continue;
      const amount = usage[price.id];
      const freeAmount = Math.min(amount, left[price.quota] || 0);
      if (price.quota in left) left[price.quota] -= freeAmount;
      lines.push({
        item: price.id,
        name: price.name,
        unit: price.unit,
        amount,
        freeAmount,
        chargedAmount: amount - freeAmount,
        cost: cost(price, amount, freeAmount),
        fullCost: cost(price, amount, 0),
        quota: price.quota === null ? null : whole[price.quota],
        upperBound: price.knownUpTo !== null && amount > price.knownUpTo,
      });
    }
    const total = lines.reduce((sum, line) => sum + line.cost, 0);
    const fullTotal = lines.reduce((sum, line) => sum + line.fullCost, 0);
    return { lines, total, fullTotal, freeShare: fullTotal ? (fullTotal - total) / fullTotal : 1 };
  }

  // Money for people; what is not nothing but rounds to it is "under $0.01".
  function dollars(money) {
    if (money > 0 && money < 0.005) return "under $0.01";
    return `${money < 0 ? "-" : ""}$${fixed(Math.abs(money), 2)}`;
  }

  const whole = (amount) => fixed(amount, 0);
  const exact = (amount) => (amount < 100 ? String(Number(amount.toFixed(2))) : whole(amount));

  Object.assign(globalThis.streamlabs, { bill, dollars, whole, exact });
})();
