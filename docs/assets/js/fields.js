// Settings that a page lets people change: their ranges, what is wrong with a value, and how they
// stand in an address. The simulator and the calculator share this.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  // A field is {group, name, label, value, min, max, step}; `step` 1 is for whole numbers. `words`
  // are all that it may be, `none` is a word for no bound, `gap` ends what may not follow `min`.
  function form(fields) {
    const named = new Map(fields.map((one) => [one.name, one]));
    const defaults = () => Object.fromEntries(fields.map((one) => [one.name, one.value]));

    // What is wrong with a value of a field; "" when nothing is.
    function fault(one, value) {
      if (one.words) return one.words.includes(value) ? "" : `${one.label}: ${one.words.join(" or ")}.`;
      if (one.none && value === one.none) return "";
      if (typeof value !== "number" || !Number.isFinite(value) || value < one.min || value > one.max) {
        return `${one.label}: from ${one.min} to ${one.max}.`;
      }
      if (one.step === 1 && !Number.isInteger(value)) return `${one.label}: a whole number.`;
      if (one.gap && value > one.min && value < one.gap) return `${one.label}: ${one.min}, or from ${one.gap} on.`;
      return "";
    }

    // A text of the form or the address as the value of a field.
    function value(one, text) {
      const bare = text.trim();
      if (one.words) return bare;
      if (one.none && (bare === one.none || bare === "")) return one.none;
      return bare === "" ? NaN : Number(bare);
    }

    // Take name and text into `settings`; what is wrong, "" when nothing is.
    function take(settings, name, text) {
      const one = named.get(name);
      if (!one) return `The address names ${name}, which is no setting of this page.`;
      const found = value(one, text);
      const wrong = fault(one, found);
      if (!wrong) settings[name] = found;
      return wrong;
    }

    // Settings from an address's query, those kept to compare with (null without), and what is
    // wrong with it. `against=pf:1,batch:10` are the same settings with these two in place of theirs.
    function fromQuery(query) {
      const given = new URLSearchParams(query);
      const settings = defaults();
      const against = given.get("against");
      given.delete("against");
      const faults = [...given].map(([name, text]) => take(settings, name, text));
      const kept = against === null ? null : { ...settings };
      for (const pair of (against || "").split(",").filter(Boolean)) {
        const [name, ...text] = pair.split(":");
        faults.push(take(kept, name, text.join(":")));
      }
      return { settings, kept, faults: faults.filter(Boolean) };
    }

    // What `other` has that `settings` have not: the fields that differ.
    const differing = (settings, other) => fields.filter((one) => settings[one.name] !== other[one.name]);

    // The query of settings: only what differs from the defaults, and what is kept beside them.
    function toQuery(settings, kept = null) {
      const parts = differing(settings, defaults()).map((one) => `${one.name}=${encodeURIComponent(settings[one.name])}`);
      if (kept) parts.push(`against=${differing(settings, kept).map((one) => `${one.name}:${kept[one.name]}`).join(",")}`);
      return parts.length ? `?${parts.join("&")}` : "";
    }

    return { fields, defaults, fault, value, fromQuery, toQuery, differing };
  }

  // A field that is one of some words, the first unless another is chosen.
  form.choice = (group, name, label, ...words) => ({ group, name, label, value: words[0], words });

  globalThis.streamlabs.form = form;
})();
