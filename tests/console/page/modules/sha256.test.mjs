import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Sha256 } from "../../../../cli/console/static/js/sha256.js";

const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 31 + (at >> 8)) & 255);

function expected(data) {
  return createHash("sha256").update(data).digest("hex");
}

test("every length around the blocks, in one piece and in many", () => {
  for (let length = 0; length <= 200; length++) {
    const data = bytes.subarray(0, length);
    assert.equal(new Sha256().add(data).hex(), expected(data));
    for (const piece of [1, 7, 63, 64, 65]) {
      const hash = new Sha256();
      for (let at = 0; at < length; at += piece) hash.add(data.subarray(at, at + piece));
      assert.equal(hash.hex(), expected(data), `${length} in pieces of ${piece}`);
    }
  }
});

test("more than a block at once", () => {
  assert.equal(new Sha256().add(bytes).hex(), expected(bytes));
  assert.equal(new Sha256().add(bytes.subarray(0, 10)).add(bytes.subarray(10)).hex(), expected(bytes));
});

test("more bits than fit into 32", { timeout: 60_000 }, () => {
  const piece = new Uint8Array(1 << 20);
  const hash = new Sha256();
  const reference = createHash("sha256");
  for (let count = 0; count < 513; count++) {
    hash.add(piece);
    reference.update(piece);
  }
  assert.equal(hash.hex(), reference.digest("hex"));
});
