/** The overview: what arrived over time, and for operators what needs them. */

import { checkpoint, operations, Problem, summary } from "./api.js";
import { barTable, stackedBars } from "./charts.js";
import { fill, h } from "./dom.js";
import { shortName } from "./entry.js";
import { toAddress, NONE } from "./filters.js";
import { count, dayInWords, moment } from "./format.js";
import { canCheckSignatures, hex, isSigned, parseCheckpoint, parseNote, parseVerifierKey } from "./proof.js";
import { operated } from "./operation.js";
import { addressOf } from "./routes.js";
import { outcomeMark, shape } from "./shapes.js";
import { safely, withCode } from "./text.js";
import { OUTCOMES, REASONS, wordFor } from "./words.js";

/** @typedef {import("./words.js").Outcome} Outcome */
/**
 * @typedef {{day: string, reasons: Map<string, number>} & Record<Outcome, number>} Day
 * @typedef {{complete: boolean, since: string, limit_reached: boolean,
 *   outcomes: {day: string, outcome: Outcome, reason: string | null, entries: number}[],
 *   duplicates: {uploader: string | null, entries: number}[]}} Summary
 */

const DAYS = 30;
const REFRESH_MS = 30_000;
const MOST_UPLOADERS = 12;
const DAY_MS = 86_400_000;
const NAMES = /** @type {Outcome[]} */ (Object.keys(OUTCOMES));

export class Overview {
  title = "Overview";
  #timer = 0;
  #isShown = false;

  /** @param {import("./api.js").Session} session */
  constructor(session) {
    this.session = session;
    this.heading = h("h1", { tabindex: "-1" }, "Overview");
    this.receipts = h("section", { class: "over-time", "aria-labelledby": "h-over-time" });
    this.log = h("section", { class: "log", "aria-labelledby": "h-log" });
    this.operation = h("section", { class: "operation", "aria-labelledby": "h-operation" });
    this.redriven = h("p", { class: "hint", role: "status" });
    this.element = h(
      "section",
      { class: "view overview" },
      this.heading,
      h("div", { class: "columns" }, this.receipts, h("div", {}, this.operation, this.log)),
    );
  }

  show() {
    this.#isShown = true;
    this.#refresh();
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  hide() {
    this.#isShown = false;
    clearTimeout(this.#timer);
    fill(this.redriven);
  }

  async #refresh() {
    clearTimeout(this.#timer);
    await Promise.all([this.#showSummary(), this.#showLog(), this.#showOperation()]);
    if (this.#isShown)
      this.#timer = window.setTimeout(() => (document.hidden ? this.#later() : this.#refresh()), REFRESH_MS);
  }

  #later() {
    addEventListener("visibilitychange", () => this.#isShown && this.#refresh(), { once: true });
  }

  async #showSummary() {
    const head = h("h2", { id: "h-over-time" }, `The last ${DAYS} days`);
    if (!this.receipts.hasChildNodes()) fill(this.receipts, head, h("p", { class: "hint" }, "Counting…"));
    try {
      /** @type {Summary} */
      let answer;
      do {
        answer = await summary(DAYS);
        fill(this.receipts, head, ...summarised(answer));
      } while (this.#isShown && !answer.complete && !answer.limit_reached);
    } catch (error) {
      fill(this.receipts, head, failure(error));
    }
  }

  async #showLog() {
    const head = h("h2", { id: "h-log" }, "The log");
    try {
      fill(this.log, head, ...(await logged(await checkpoint(), this.session)));
    } catch (error) {
      const isEmpty = error instanceof Problem && error.status === 404;
      fill(this.log, head, isEmpty ? h("p", {}, "Nothing has been sealed yet.") : failure(error));
    }
  }

  async #showOperation() {
    this.operation.hidden = !this.session.can.operate;
    if (!this.session.can.operate || this.operation.contains(document.activeElement)) return;
    const head = h("h2", { id: "h-operation" }, "Operation");
    try {
      fill(this.operation, head, ...operated(await operations(), this.redriven, () => this.#refresh()));
    } catch (error) {
      fill(this.operation, head, failure(error));
    }
  }
}

/** @param {unknown} error */
function failure(error) {
  return h(
    "p",
    { role: "alert" },
    withCode(error instanceof Problem ? `${error.title}. ${error.message}` : String(error)),
  );
}

/** @param {Summary} answer */
function summarised({ complete, since, limit_reached: isLimited, outcomes, duplicates }) {
  const days = byDay(outcomes);
  const totals = NAMES.map((name) => ({ name, value: days.reduce((sum, each) => sum + each[name], 0) }));
  /** @type {Map<string, number>} */
  const reasons = new Map();
  for (const each of days) {
    for (const [name, value] of each.reasons) reasons.set(name, (reasons.get(name) ?? 0) + value);
  }
  return [
    complete
      ? null
      : h(
          "p",
          { class: "hint", role: "status" },
          isLimited
            ? `Counted back to ${moment(since)}. The ledger has more entries than the console counts.`
            : `Counted back to ${moment(since)} so far…`,
        ),
    h(
      "dl",
      { class: "totals" },
      totals.map(({ name, value }) =>
        h(
          "div",
          {},
          h("dt", {}, outcomeMark(name)),
          h("dd", {}, h("a", { href: ledgerOf({ outcome: name, from: days[0].day }) }, count(value))),
        ),
      ),
    ),
    stackedBars(
      days.map((each) => ({
        label: dayInWords(each.day).slice(0, -5),
        href: ledgerOf({ from: each.day, to: each.day }),
        parts: NAMES.map((name) => ({ name, value: each[name] })),
      })),
    ),
    h("details", {}, h("summary", {}, "Entries of each day, as a table"), dayTable(days)),
    h(
      "div",
      { class: "pair" },
      h(
        "div",
        {},
        h("h3", {}, "Why uploads were rejected"),
        reasons.size
          ? barTable(
              ["Reason", "Entries"],
              [...reasons]
                .sort(([, a], [, b]) => b - a)
                .map(([name, value]) => ({
                  name: h(
                    "a",
                    { href: ledgerOf({ reason: name, from: days[0].day }) },
                    wordFor(REASONS, name).word,
                  ),
                  value,
                  className: "REJECTED",
                })),
            )
          : h("p", {}, "Nothing was rejected."),
      ),
      h(
        "div",
        {},
        h("h3", {}, "Who sent duplicates"),
        duplicates.length
          ? barTable(
              ["Uploader", "Duplicates"],
              duplicates.slice(0, MOST_UPLOADERS).map(({ uploader, entries }) => ({
                name: uploader === null ? "unknown" : uploaderLink(uploader, days[0].day),
                value: entries,
                className: "DUPLICATE",
              })),
            )
          : h("p", {}, "Nobody sent a receipt twice."),
      ),
    ),
  ];
}

/**
 * What an uploader has sent again. The API searches principals and subjects.
 * @param {string} name
 * @param {string} from
 */
function uploaderLink(name, from) {
  const uploader = name.startsWith("AWS:") || name.startsWith("arn:") ? name : shortName(name);
  return h(
    "a",
    { href: ledgerOf({ outcome: "DUPLICATE", uploader, from }), title: name },
    safely(shortName(name)),
  );
}

/** @param {Partial<import("./filters.js").Filter>} filter */
function ledgerOf(filter) {
  return addressOf(["ledger"], toAddress({ ...NONE, ...filter }));
}

/** Every day of the period, also those without entries. @param {Summary["outcomes"]} outcomes @returns {Day[]} */
function byDay(outcomes) {
  /** @type {Map<string, Day>} */
  const days = new Map();
  for (let back = DAYS - 1; back >= 0; back--) {
    const day = new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10);
    days.set(day, { day, reasons: new Map(), ACCEPTED: 0, DUPLICATE: 0, REJECTED: 0 });
  }
  for (const { day, outcome, reason, entries } of outcomes) {
    const found = days.get(day);
    if (!found) continue;
    found[outcome] += entries;
    if (reason) found.reasons.set(reason, (found.reasons.get(reason) ?? 0) + entries);
  }
  return [...days.values()];
}

/** @param {Day[]} days */
function dayTable(days) {
  return h(
    "table",
    { class: "numbers" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Day (UTC)"),
        NAMES.map((name) => h("th", { scope: "col", class: "number" }, OUTCOMES[name].word)),
      ),
    ),
    h(
      "tbody",
      {},
      days.map((each) =>
        h(
          "tr",
          {},
          h(
            "th",
            { scope: "row" },
            h("a", { href: ledgerOf({ from: each.day, to: each.day }) }, dayInWords(each.day)),
          ),
          NAMES.map((name) => h("td", { class: "number" }, count(each[name]))),
        ),
      ),
    ),
  );
}

/** @param {string} text The newest checkpoint. @param {import("./api.js").Session} session */
async function logged(text, session) {
  const note = parseNote(text);
  const { origin, size, root } = parseCheckpoint(note.text);
  let state = "open";
  let words = "Not checked: the console has no key of the log.";
  if (session.log_public_key && !(await canCheckSignatures()))
    words = "Not checked: this browser can't check Ed25519 signatures.";
  else if (session.log_public_key) {
    const key = await parseVerifierKey(session.log_public_key);
    const holds = origin === key.name && (await isSigned(note, key));
    state = holds ? "holds" : "fails";
    const whose = session.pinned_by === "option" ? "the key that you gave" : "the key in the stack's outputs";
    words = holds ? `Verified: signed with ${whose}` : `Not verified: ${whose} didn't sign it`;
  }
  return [
    h(
      "p",
      { class: "figure" },
      h("strong", {}, count(size)),
      Number(size) === 1 ? " entry sealed" : " entries sealed",
    ),
    h(
      "dl",
      { class: "fields-of-entry" },
      h(
        "div",
        {},
        h("dt", {}, "Newest checkpoint"),
        h("dd", { class: `check ${state}` }, shape(/** @type {"open"} */ (state)), ` ${words}`),
      ),
      h("div", {}, h("dt", {}, "Root"), h("dd", {}, h("code", {}, hex(root)))),
      h("div", {}, h("dt", {}, "Log"), h("dd", {}, safely(origin))),
    ),
  ];
}
