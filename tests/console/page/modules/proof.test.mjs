import assert from "node:assert/strict";
import { test } from "node:test";

import {
  checkSeal,
  objectIdOf,
  parseVerifierKey,
  ProofError,
  recordOf,
  isIncluded,
  sha256,
} from "../../../../cli/console/static/js/proof.js";
import { vectors } from "./vectors.mjs";

const key = await parseVerifierKey(vectors.key);
const [{ entry, proof }] = vectors.proved.filter(({ size, index }) => size === 257 && index === 128);

test("every entry of logs of many sizes is verified", async () => {
  for (const each of vectors.proved) {
    const check = await checkSeal(each.entry, each.proof, key);
    assert.equal(check.isVerified, true, `${each.index} of ${each.size}`);
    assert.equal(check.index, BigInt(each.index));
    assert.equal(check.checkpoint.size, BigInt(each.size));
    assert.equal(check.leaf.sealed_at, each.sealed_at);
  }
});

test("records and object ids are Python's", async () => {
  for (const each of vectors.records) {
    assert.equal(recordOf(each.entry), each.record);
    assert.equal(await objectIdOf(each.entry), each.object_id);
  }
});

test("an entry with any member changed is not verified", async () => {
  const changed = (value) =>
    typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : `${value ?? ""}x`;
  for (const name of Object.keys(entry)) {
    const other = { ...entry, [name]: changed(entry[name]) };
    const check = await checkSeal(other, proof, key);
    assert.equal(check.isVerified, false, name);
    assert.equal(check.record.holds, false, name);
    assert.equal(check.inclusion.holds, true, name);
  }
  const sender = { ...entry, uploader: { ...entry.uploader, principal: "AWS:SOMEBODYELSE" } };
  assert.equal((await checkSeal(sender, proof, key)).record.holds, false);
  assert.equal((await checkSeal({ ...entry, added: "later" }, proof, key)).isVerified, false);
});

test("what a later release adds is left out if it is absent", async () => {
  const later = { ...entry, added: null, flag: false, list: [], group: { of: null } };
  assert.equal((await checkSeal(later, proof, key)).isVerified, true);
});

test("another key, and another log, didn't sign it", async () => {
  for (const each of vectors.proved) {
    for (const [text, by] of [
      [each.by_other_key, key],
      [each.of_other_log, key],
      [each.of_other_origin, key],
      [each.proof, await parseVerifierKey(vectors.other_key)],
    ]) {
      const check = await checkSeal(each.entry, text, by);
      assert.equal(check.isVerified, false);
      assert.equal(check.signature.holds, false);
    }
  }
});

test("the proof of one entry doesn't prove another", async () => {
  const [first, last] = vectors.proved
    .filter(({ size }) => size === 7)
    .flatMap((each, at) => (at === 1 ? [] : [each]));
  const check = await checkSeal(first.entry, last.proof, key);
  assert.equal(check.isVerified, false);
  assert.match(check.record.why, /another object version/);
});

test("no character of a proof can be changed", async () => {
  const lines = proof.split("\n");
  for (const [at, line] of lines.entries()) {
    const place = line.search(/[A-Za-z0-9](?==*$)/);
    if (place < 1) continue;
    // The last digit of base64 can have bits that mean nothing, the one before it never has.
    const digit = line[place - 1];
    const other = `${line.slice(0, place - 1)}${digit === "A" ? "B" : digit === "1" ? "2" : "A"}${line.slice(place)}`;
    const text = [...lines.slice(0, at), other, ...lines.slice(at + 1)].join("\n");
    assert.equal((await checkSeal(entry, text, key)).isVerified, false, `line ${at}: ${other}`);
  }
});

test("hashes can't be left out, added or swapped", async () => {
  const [head, ...note] = proof.split("\n\n");
  const [first, leaf, index, ...path] = head.split("\n");
  assert.ok(path.length > 3);
  for (const other of [
    path.slice(1),
    path.slice(0, -1),
    [...path, path[0]],
    [path[1], path[0], ...path.slice(2)],
    [],
  ]) {
    const text = [[first, leaf, index, ...other].join("\n"), ...note].join("\n\n");
    const check = await checkSeal(entry, text, key);
    assert.equal(check.inclusion.holds, false);
    assert.equal(check.isVerified, false);
  }
});

test("a way that ends below the root leads nowhere, even to the same hash", async () => {
  const leaf = new TextEncoder().encode("leaf");
  const root = await sha256(Uint8Array.of(0, ...leaf));
  assert.equal(await isIncluded({ leaf, index: 0n, size: 1n, root, path: [] }), true);
  assert.equal(await isIncluded({ leaf, index: 0n, size: 2n, root, path: [] }), false);
  assert.equal(await isIncluded({ leaf, index: 1n, size: 1n, root, path: [] }), false);
});

test("what isn't a proof is not verified", async () => {
  for (const text of [
    "",
    "\n\n",
    "{}",
    "c2sp.org/tlog-proof@v1\n\n",
    proof.slice(0, -5),
    proof.replace("\n\n", "\n"),
    `x${proof}`,
  ]) {
    assert.equal((await checkSeal(entry, text, key)).isVerified, false, text);
  }
});

test("an erasure isn't an entry", async () => {
  const line = proof.split("\n").find((each) => each.startsWith("extra "));
  const leaf = Buffer.from(line.slice(6), "base64").toString().replace('"entry"', '"erasure"');
  const check = await checkSeal(
    entry,
    proof.replace(line, `extra ${Buffer.from(leaf).toString("base64")}`),
    key,
  );
  assert.equal(check.isVerified, false);
  assert.match(check.record.why, /erased/);
});

test("a verifier key has to have the id that it says", async () => {
  const [name, id, data] = vectors.key.split("+");
  for (const text of [
    "",
    name,
    `${name}+00000000+${data}`,
    `other+${id}+${data}`,
    `${name}+${id}+AAAA`,
    `a b+${id}+${data}`,
  ]) {
    await assert.rejects(parseVerifierKey(text), ProofError, text);
  }
});
