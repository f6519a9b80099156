import assert from "node:assert/strict";
import { test } from "node:test";

import {
  contradictionIn,
  countOf,
  fromAddress,
  isOver,
  NONE,
  periodOf,
  periods,
  toAddress,
  toQuery,
} from "../../../../cli/console/static/js/filters.js";

const NOW = Date.parse("2026-03-01T00:30:00Z");

test("an address leads to the same filter again", () => {
  const filter = {
    ...NONE,
    outcome: "REJECTED",
    reason: "damaged",
    from: "2026-02-01",
    to: "2026-02-28",
    uploader: "erika&?",
    key: "taxi ä#",
  };
  assert.deepEqual(fromAddress(new URLSearchParams(String(toAddress(filter)))), filter);
  assert.deepEqual(fromAddress(new URLSearchParams("foo=1")), NONE);
  assert.equal(String(toAddress(NONE)), "");
});

test("an address may be typed in any case", () => {
  const { outcome, reason, finding, key } = fromAddress(
    new URLSearchParams("outcome=accepted&reason=Damaged&finding=ENCRYPTED&key=Taxi"),
  );
  assert.deepEqual([outcome, reason, finding, key], ["ACCEPTED", "damaged", "encrypted", "Taxi"]);
});

test("filters that no entry can match are known", () => {
  const of = (filter) => contradictionIn({ ...NONE, ...filter });
  assert.match(of({ outcome: "ACCEPTED", reason: "damaged" }), /only rejected/);
  assert.match(of({ outcome: "REJECTED", finding: "encrypted" }), /no findings/);
  assert.match(of({ reason: "damaged", finding: "encrypted" }), /no findings/);
  assert.equal(of({ outcome: "REJECTED", reason: "damaged" }), null);
  assert.equal(of({ outcome: "DUPLICATE", finding: "encrypted" }), null);
  assert.equal(of({ reason: "damaged" }), null);
});

test("the last day belongs to the period", () => {
  const query = toQuery({ ...NONE, from: "2026-02-01", to: "2026-02-28" });
  assert.equal(query.get("from"), "2026-02-01T00:00:00Z");
  assert.equal(query.get("to"), "2026-03-01T00:00:00Z");
  const exact = toQuery({ ...NONE, from: "2026-02-01T10:00:00Z", to: "2026-02-01T11:00:00Z" });
  assert.equal(exact.get("to"), "2026-02-01T11:00:00Z");
});

test("months have their days, across years as well", () => {
  const of = (now, name) => periods(Date.parse(now)).find((period) => period.name === name);
  assert.deepEqual(
    [of("2026-03-15T12:00:00Z", "last-month").from, of("2026-03-15T12:00:00Z", "last-month").to],
    ["2026-02-01", "2026-02-28"],
  );
  assert.deepEqual(
    [of("2024-03-31T12:00:00Z", "last-month").from, of("2024-03-31T12:00:00Z", "last-month").to],
    ["2024-02-01", "2024-02-29"],
  );
  assert.deepEqual(
    [of("2026-01-01T00:00:00Z", "last-month").from, of("2026-01-01T00:00:00Z", "last-month").to],
    ["2025-12-01", "2025-12-31"],
  );
  assert.deepEqual(
    [of("2026-03-01T00:30:00Z", "week").from, of("2026-03-01T00:30:00Z", "week").to],
    ["2026-02-23", "2026-03-01"],
  );
});

test("a period is recognised in the address", () => {
  assert.equal(periodOf(NONE, NOW), "");
  assert.equal(periodOf({ ...NONE, from: "2026-02-01", to: "2026-02-28" }, NOW), "last-month");
  assert.equal(periodOf({ ...NONE, from: "2026-02-02", to: "" }, NOW), "dates");
});

test("nothing new comes to a period that is over", () => {
  assert.equal(isOver(NONE, NOW), false);
  assert.equal(isOver({ ...NONE, to: "2026-02-28" }, NOW), true);
  assert.equal(isOver({ ...NONE, to: "2026-03-01" }, NOW), false);
});

test("a period counts once", () => {
  assert.equal(countOf({ ...NONE, from: "2026-02-01", to: "2026-02-28", key: "x" }), 2);
});
