/**
 * Filters of the ledger, as they are in the address and as the API takes them. Days are in UTC, and the last day
 * belongs to the period.
 */

/** @typedef {Record<(typeof NAMES)[number], string>} Filter */

export const NAMES = /** @type {const} */ (["outcome", "reason", "finding", "from", "to", "uploader", "key"]);

/** @type {Readonly<Filter>} */
export const NONE = Object.freeze({
  outcome: "",
  reason: "",
  finding: "",
  from: "",
  to: "",
  uploader: "",
  key: "",
});

const IS_DAY = /^\d{4}-\d\d-\d\d$/;
const DAY_MS = 86_400_000;

/** An address may have been typed, in any case. @param {URLSearchParams} address @returns {Filter} */
export function fromAddress(address) {
  const filter = { ...NONE };
  for (const name of NAMES) filter[name] = address.get(name)?.trim() ?? "";
  filter.outcome = filter.outcome.toUpperCase();
  filter.reason = filter.reason.toLowerCase();
  filter.finding = filter.finding.toLowerCase();
  return filter;
}

/** Why no entry can match, if none can: a listing would go through the whole ledger. @param {Filter} filter */
export function contradictionIn({ outcome, reason, finding }) {
  if (reason && outcome && outcome !== "REJECTED") return "only rejected uploads have a reason";
  if (finding && (reason || outcome === "REJECTED")) return "rejected uploads have no findings";
  return null;
}

/** @param {Filter} filter */
export function toAddress(filter) {
  const address = new URLSearchParams();
  for (const name of NAMES) if (filter[name]) address.set(name, filter[name]);
  return address;
}

/** The parameters for GET /receipts. @param {Filter} filter */
export function toQuery(filter) {
  const query = toAddress(filter);
  if (IS_DAY.test(filter.from)) query.set("from", `${filter.from}T00:00:00Z`);
  if (IS_DAY.test(filter.to) && !Number.isNaN(Date.parse(filter.to))) {
    query.set("to", `${dayAfter(filter.to)}T00:00:00Z`);
  }
  return query;
}

/** How many filters are set. A period is one. @param {Filter} filter */
export function countOf(filter) {
  const { from, to, ...others } = filter;
  return Object.values(others).filter(Boolean).length + (from || to ? 1 : 0);
}

/** Whether nothing new can match, since the period has ended. @param {Filter} filter @param {number} now */
export function isOver(filter, now) {
  const end = toQuery(filter).get("to");
  return end !== null && Date.parse(end) <= now;
}

/** @typedef {{name: string, word: string, from: string, to: string}} Period */

/** Periods to choose from. @param {number} now @returns {Period[]} */
export function periods(now) {
  const today = dayOf(now);
  const [year, month] = today.split("-").map(Number);
  return [
    { name: "today", word: "Today", from: today, to: today },
    { name: "week", word: "Last 7 days", from: dayOf(now - 6 * DAY_MS), to: today },
    { name: "month", word: "This month", from: first(year, month), to: last(year, month) },
    { name: "last-month", word: "Last month", from: first(year, month - 1), to: last(year, month - 1) },
    { name: "year", word: "This year", from: first(year, 1), to: last(year, 12) },
  ];
}

/**
 * The period that a filter has: "" for any time, "dates" if it has no name.
 * @param {Filter} filter
 * @param {number} now
 */
export function periodOf(filter, now) {
  if (!filter.from && !filter.to) return "";
  return periods(now).find(({ from, to }) => from === filter.from && to === filter.to)?.name ?? "dates";
}

/** @param {number} year @param {number} month From 1; 0 is December of the year before. */
function first(year, month) {
  return dayOf(Date.UTC(year, month - 1, 1));
}

/** @param {number} year @param {number} month */
function last(year, month) {
  return dayOf(Date.UTC(year, month, 0));
}

/** @param {number} time */
function dayOf(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/** @param {string} day */
function dayAfter(day) {
  return dayOf(Date.parse(day) + DAY_MS);
}
