import assert from "node:assert/strict";
import { test } from "node:test";

import { droppedIn } from "../../../../cli/console/static/js/dropped.js";

/** @param {string} name */
const file = (name) => ({ name, isFile: true, file: (/** @type {(file: object) => void} */ done) => done({ name }) });

/** @param {string} name */
const lost = (name) => ({
  name,
  isFile: true,
  file: (/** @type {unknown} */ _, /** @type {(error: Error) => void} */ fail) => fail(new Error("gone")),
});

/** @param {string} name @param {...object} entries */
function folder(name, ...entries) {
  const batches = [entries, []];
  return {
    name,
    isFile: false,
    createReader: () => ({
      readEntries: (/** @type {(entries: object[]) => void} */ done) => done(batches.shift() ?? []),
    }),
  };
}

/** @param {...object} entries */
const transferOf = (...entries) => ({
  items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })),
  files: [],
});

/** @param {unknown} transfer */
async function dropped(transfer) {
  const { found, unreadable } = await droppedIn(/** @type {DataTransfer} */ (transfer));
  return [found.map(({ path }) => path), unreadable];
}

test("a folder is taken with everything in it, under paths without its own name", async () => {
  const scans = folder("scans", file("a.png"), folder("2026", file("b.png"), folder("11", file("c.png"))));

  assert.deepEqual(await dropped(transferOf(scans, file("d.png"))), [
    ["a.png", "2026/b.png", "2026/11/c.png", "d.png"],
    0,
  ]);
});

test("what can't be read is counted, and the rest is taken", async () => {
  const scans = folder("scans", lost("a.png"), file("b.png"));

  assert.deepEqual(await dropped(transferOf(scans, lost("c.png"), file("d.png"))), [["b.png", "d.png"], 2]);
});
