// What the parts of the site share: the learner's progress in this browser, and small helpers.
//
// On `file://` all local pages share one store, so every key begins with the course's name. A browser
// may refuse to store anything: then progress lasts as long as the page.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const PREFIX = "streamlabs/";
  const SCHEMA = "labs/progress/v1";
  const DAY_MS = 86_400_000;
  // After how many days what is in each box of the learner's memory is asked again.
  const WAIT_DAYS = [0, 1, 3, 7, 14];
  const unsaved = new Map();

  // The value of a key, `otherwise` when there is none or it cannot be read.
  function get(key, otherwise) {
    try {
      const text = localStorage.getItem(PREFIX + key);
      if (text !== null) return JSON.parse(text);
    } catch {
      // No store, or not our text in it.
    }
    return unsaved.has(key) ? unsaved.get(key) : otherwise;
  }

  // Keep a value; null forgets it.
  function set(key, value) {
    if (value === null) unsaved.delete(key);
    else unsaved.set(key, value);
    try {
      if (value === null) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // It lasts as long as the page.
    }
  }

  // Every key without its prefix, in order.
  function keys() {
    const found = new Set(unsaved.keys());
    try {
      for (let n = 0; n < localStorage.length; n += 1) {
        const key = localStorage.key(n);
        if (key.startsWith(PREFIX)) found.add(key.slice(PREFIX.length));
      }
    } catch {
      // Only what this page knows.
    }
    return [...found].sort();
  }

  // Everything as text to keep in a file.
  function exported() {
    const entries = {};
    for (const key of keys()) entries[key] = get(key, null);
    return `${JSON.stringify({ schema: SCHEMA, entries }, null, 2)}\n`;
  }

  // Take such a text in, in place of what is here; how many entries. An Error says what is wrong.
  function imported(text) {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      throw new Error("This file is not JSON.");
    }
    if (!data || data.schema !== SCHEMA || typeof data.entries !== "object" || !data.entries) {
      throw new Error(`This file does not hold progress of this course (${SCHEMA}).`);
    }
    forget();
    for (const [key, value] of Object.entries(data.entries)) set(key, value);
    return Object.keys(data.entries).length;
  }

  function forget() {
    for (const key of keys()) set(key, null);
  }

  // An element with attributes and children; `on…` attributes are listeners.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // Give the reader a text as a file. A link works where the clipboard does not: on disk.
  function save(name, text) {
    const link = make("a", { download: name });
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  Object.assign(globalThis.streamlabs, {
    store: { get, set, keys, exported, imported, forget },
    make,
    save,
    DAY_MS,
    WAIT_DAYS,
  });
})();
