// Whether `labs docs --serve` serves these pages. Its server answers this file with `true`: then
// `standing.json` is there, which is `labs list --json` of the learner's folder.
"use strict";

globalThis.streamlabs.served = false;
