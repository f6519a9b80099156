import assert from "node:assert/strict";
import { test } from "node:test";

import {
  remarksOf,
  shortName,
  shortUploaderOf,
  uploaderOf,
} from "../../../../cli/console/static/js/entry.js";
import { duration, size } from "../../../../cli/console/static/js/format.js";
import { addressOf, entryAddress, routeOf } from "../../../../cli/console/static/js/routes.js";
import { FINDINGS, OUTCOMES, REASONS, VIA } from "../../../../cli/console/static/js/words.js";
import { vectors } from "./vectors.mjs";

test("everything that an entry can say has words", () => {
  assert.deepEqual(Object.keys(OUTCOMES).sort(), vectors.outcomes.sort());
  assert.deepEqual(Object.keys(REASONS).sort(), vectors.reasons.sort());
  assert.deepEqual(Object.keys(FINDINGS).sort(), vectors.findings.sort());
  assert.deepEqual(Object.keys(VIA).sort(), vectors.via.sort());
});

test("uploaders are called what the command line calls them", () => {
  for (const { entry, uploader, short_uploader: short } of vectors.records) {
    assert.equal(uploaderOf(entry), uploader);
    assert.equal(shortUploaderOf(entry) || "-", short);
    assert.equal(shortName(uploader ?? "-"), short);
  }
});

test("sizes are those of the command line", () => {
  for (const [bytes, text] of vectors.sizes) assert.equal(size(bytes), text);
});

test("durations are short", () => {
  assert.deepEqual([300, 1_120, 74_000, 5_400_000, 172_800_000].map(duration), [
    "0.3 s",
    "1.12 s",
    "74 s",
    "2 hours",
    "2 days",
  ]);
});

test("remarks keep what was given apart from our words", () => {
  const [{ entry }] = vectors.records;
  const first = { bucket: "b", key: "<b>other</b>", version_id: "v" };
  const duplicate = { ...entry, findings: ["encrypted"], outcome: "DUPLICATE", duplicate_of: first };
  assert.deepEqual(remarksOf(duplicate), [
    { words: "Same as", key: "<b>other</b>" },
    { words: "Encrypted" },
  ]);
  assert.deepEqual(remarksOf({ ...duplicate, findings: [], duplicate_of: { ...first, key: entry.key } }), [
    { words: "Sent again" },
  ]);
  assert.deepEqual(remarksOf({ ...entry, findings: [], reason: "constructor" }), [{ words: "constructor" }]);
  assert.deepEqual(remarksOf({ ...entry, findings: [], reason: "damaged", detail: "has \u202e in it" }), [
    { words: "Damaged", detail: "has \u202e in it" },
  ]);
});

test("addresses keep every key", () => {
  for (const { entry } of vectors.records) {
    const { path, parameters } = routeOf(entryAddress(entry));
    assert.deepEqual(path, ["receipt", entry.fingerprint]);
    assert.equal(parameters.get("key"), entry.key);
    assert.equal(parameters.get("version"), entry.version_id);
  }
  assert.deepEqual(routeOf("#/a%ZZ?x").path, ["a%ZZ"]);
  assert.deepEqual(routeOf("").path, []);
  assert.equal(addressOf(["ledger"], new URLSearchParams()), "#/ledger");
});
