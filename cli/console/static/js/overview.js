/** The overview: what arrived over time, and for operators what needs them. */

import { checkpoint, operations, Problem, redrive, summary } from "./api.js";
import { barTable, stackedBars } from "./charts.js";
import { fill, h } from "./dom.js";
import { toAddress, NONE } from "./filters.js";
import { count, counted, dayInWords, moment } from "./format.js";
import { canCheckSignatures, hex, isSigned, parseCheckpoint, parseNote, parseVerifierKey } from "./proof.js";
import { addressOf } from "./routes.js";
import { outcomeMark, shape } from "./shapes.js";
import { safeKey, safely } from "./text.js";
import { OUTCOMES, REASONS, wordFor } from "./words.js";

/** @typedef {import("./words.js").Outcome} Outcome */
/** @typedef {{day: string, ACCEPTED: number, DUPLICATE: number, REJECTED: number, reasons: Record<string, number>}} Day */
/**
 * @typedef {{complete: boolean, since: string | null, entries: number, days: Day[],
 *   uploaders: {uploader: string | null, entries: number, duplicates: number}[]}} Summary
 * @typedef {{value: any} | {unavailable: string}} Item
 */

const DAYS = 30;
const REFRESH_MS = 30_000;
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
    this.element = h("section", { class: "view overview" }, this.heading, this.operation, this.receipts, this.log);
  }

  show() {
    this.#isShown = true;
    this.#refresh();
  }

  hide() {
    this.#isShown = false;
    clearTimeout(this.#timer);
  }

  async #refresh() {
    clearTimeout(this.#timer);
    await Promise.all([this.#showSummary(), this.#showLog(), this.#showOperation()]);
    if (this.#isShown) this.#timer = window.setTimeout(() => (document.hidden ? this.#later() : this.#refresh()), REFRESH_MS);
  }

  #later() {
    addEventListener("visibilitychange", () => this.#isShown && this.#refresh(), { once: true });
  }

  async #showSummary() {
    const head = h("h2", { id: "h-over-time" }, `The last ${DAYS} days`);
    try {
      const answer = /** @type {Summary} */ (await summary(DAYS));
      fill(this.receipts, head, ...summarised(answer));
    } catch (error) {
      fill(this.receipts, head, failure(error));
    }
  }

  async #showLog() {
    const head = h("h2", { id: "h-log" }, "The log");
    try {
      fill(this.log, head, ...(await logged(await checkpoint(), this.session)));
    } catch (error) {
      fill(this.log, head, failure(error));
    }
  }

  async #showOperation() {
    this.operation.hidden = !this.session.can.operate;
    if (!this.session.can.operate || this.operation.contains(document.activeElement)) return;
    const head = h("h2", { id: "h-operation" }, "Operation");
    try {
      fill(this.operation, head, ...operated(await operations(), () => this.#refresh()));
    } catch (error) {
      fill(this.operation, head, failure(error));
    }
  }
}

/** @param {unknown} error */
function failure(error) {
  return h("p", { role: "alert" }, error instanceof Problem ? `${error.title}. ${error.message}` : String(error));
}

/** @param {Summary} answer */
function summarised({ complete, since, days, uploaders }) {
  const filled = allDays(days);
  const totals = NAMES.map((name) => ({ name, value: filled.reduce((sum, each) => sum + each[name], 0) }));
  /** @type {Map<string, number>} */
  const reasons = new Map();
  for (const each of filled) {
    for (const [name, value] of Object.entries(each.reasons)) reasons.set(name, (reasons.get(name) ?? 0) + value);
  }
  const repeated = uploaders.filter(({ duplicates }) => duplicates > 0);
  return [
    complete ? null : h("p", { class: "hint" }, `Counted back to ${since ? moment(since) : "a part of the period"}: the ledger has more entries than the console reads for this page.`),
    h(
      "dl",
      { class: "totals" },
      totals.map(({ name, value }) =>
        h("div", {}, h("dt", {}, outcomeMark(name)), h("dd", {}, h("a", { href: ledgerOf({ outcome: name, from: filled[0].day }) }, count(value)))),
      ),
    ),
    stackedBars(
      filled.map((each) => ({
        label: each.day.slice(5),
        href: ledgerOf({ from: each.day, to: each.day }),
        parts: NAMES.map((name) => ({ name, value: each[name] })),
      })),
    ),
    h("details", {}, h("summary", {}, "Entries of each day, as a table"), dayTable(filled)),
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
                  name: h("a", { href: ledgerOf({ reason: name, from: filled[0].day }) }, wordFor(REASONS, name).word),
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
        repeated.length
          ? barTable(
              ["Uploader", "Duplicates"],
              repeated.slice(0, 12).map(({ uploader, duplicates }) => ({
                name:
                  uploader === null
                    ? "unknown"
                    : h("a", { href: ledgerOf({ outcome: "DUPLICATE", uploader: uploader.split(" of ")[0], from: filled[0].day }) }, safely(uploader)),
                value: duplicates,
                className: "DUPLICATE",
              })),
            )
          : h("p", {}, "Nobody sent a receipt twice."),
      ),
    ),
  ];
}

/** @param {Partial<import("./filters.js").Filter>} filter */
function ledgerOf(filter) {
  return addressOf(["ledger"], toAddress({ ...NONE, ...filter }));
}

/** Every day of the period, also those without entries. @param {Day[]} days @returns {Day[]} */
function allDays(days) {
  const known = new Map(days.map((each) => [each.day, each]));
  return Array.from({ length: DAYS }, (_, at) => {
    const day = new Date(Date.now() - (DAYS - 1 - at) * DAY_MS).toISOString().slice(0, 10);
    return known.get(day) ?? { day, ACCEPTED: 0, DUPLICATE: 0, REJECTED: 0, reasons: {} };
  });
}

/** @param {Day[]} days */
function dayTable(days) {
  return h(
    "table",
    { class: "numbers" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Day (UTC)"), NAMES.map((name) => h("th", { scope: "col", class: "number" }, OUTCOMES[name].word)))),
    h(
      "tbody",
      {},
      days.map((each) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("a", { href: ledgerOf({ from: each.day, to: each.day }) }, dayInWords(each.day))),
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
  if (session.log_public_key && !(await canCheckSignatures())) words = "Not checked: this browser can't check Ed25519 signatures.";
  else if (session.log_public_key) {
    const key = await parseVerifierKey(session.log_public_key);
    const holds = origin === key.name && (await isSigned(note, key));
    state = holds ? "holds" : "fails";
    const whose = session.pinned_by === "option" ? "the key that you gave" : "the key in the stack's outputs";
    words = holds ? `Verified: signed with ${whose}` : `Not verified: ${whose} didn't sign it`;
  }
  return [
    h("p", { class: "figure" }, h("strong", {}, count(size)), Number(size) === 1 ? " entry sealed" : " entries sealed"),
    h(
      "dl",
      { class: "fields-of-entry" },
      h("div", {}, h("dt", {}, "Newest checkpoint"), h("dd", { class: `check ${state}` }, shape(/** @type {"open"} */ (state)), ` ${words}`)),
      h("div", {}, h("dt", {}, "Root"), h("dd", {}, h("code", {}, hex(root)))),
      h("div", {}, h("dt", {}, "Log"), h("dd", {}, safely(origin))),
    ),
  ];
}

/** @param {Record<string, Item>} answer @param {() => void} refresh */
function operated(answer, refresh) {
  const figures = [
    ["backlog", "Waiting to be processed"],
    ["missing", "Uploads without an entry"],
    ["unbacked", "Receipts without an object"],
    ["unsealed", "Entries not sealed in time"],
  ];
  return [
    h(
      "dl",
      { class: "totals" },
      figures.map(([name, words]) => {
        const item = answer[name];
        return h("div", {}, h("dt", {}, words), h("dd", {}, figure(item, name !== "backlog")));
      }),
    ),
    alarms(answer.alarms),
    h("h3", {}, "Dead letters"),
    letters(answer.dead_letters, refresh),
  ];
}

/** @param {Item | undefined} item @param {boolean} isAlarming Whether anything but zero is wrong. */
function figure(item, isAlarming) {
  if (!item || "unavailable" in item) return h("small", {}, `not known: ${item?.unavailable ?? "no answer"}`);
  if (item.value === null) return h("small", {}, "no data yet");
  return h("span", { class: isAlarming && item.value > 0 ? "alarming" : null }, isAlarming && item.value > 0 ? shape("fails") : null, count(item.value));
}

/** @param {Item | undefined} item */
function alarms(item) {
  if (!item || "unavailable" in item) return h("p", {}, `Alarms: not known: ${item?.unavailable ?? "no answer"}`);
  /** @type {{name: string, state: string, since: string | null, description: string | null}[]} */
  const all = item.value;
  const active = all.filter(({ state }) => state === "ALARM");
  if (!active.length) return h("p", { class: "check holds" }, shape("holds"), ` ${all.length ? `None of the ${count(all.length)} alarms is on` : "The stack has no alarms"}`);
  return h(
    "ul",
    { class: "alarms" },
    active.map(({ name, since, description }) =>
      h("li", { class: "check fails" }, shape("fails"), " ", h("strong", {}, safely(name)), since ? ` since ${moment(since)}. ` : ". ", description ? safely(description) : null),
    ),
  );
}

/** @param {Item | undefined} item @param {() => void} refresh */
function letters(item, refresh) {
  if (!item || "unavailable" in item) return h("p", {}, `Not known: ${item?.unavailable ?? "no answer"}`);
  /** @type {{id: string, queue: string, bucket: string | null, key: string | null, version_id: string | null, reason: string | null, sent_at: string | null, redrivable: boolean, why_not: string | null}[]} */
  const all = item.value;
  if (!all.length) return h("p", {}, "There are none.");
  const said = h("p", { class: "hint", role: "status" });
  const button = h("button", { type: "submit" }, "Redrive the chosen ones");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const ids = [...form.querySelectorAll("input:checked")].map((box) => /** @type {HTMLInputElement} */ (box).value);
    if (!ids.length) {
      fill(said, "Choose at least one.");
      return;
    }
    button.disabled = true;
    try {
      const { redriven, refused } = await redrive(ids);
      const rest = refused.length ? ` ${counted(refused.length, "message")} stayed: ${refused[0].why}` : "";
      fill(said, `${counted(redriven.length, "message")} sent back to be processed.${rest}`);
      button.blur();
      refresh();
    } catch (error) {
      fill(said, error instanceof Problem ? `${error.title}. ${error.message}` : String(error));
    } finally {
      button.disabled = false;
    }
  };
  const form = h(
    "form",
    { submit },
    h(
      "div",
      { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Dead letters" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["Choose", "Key", "Why it failed", "Since"].map((name) => h("th", { scope: "col" }, name)))),
        h(
          "tbody",
          {},
          all.map((letter) =>
            h(
              "tr",
              {},
              h("td", {}, h("input", { type: "checkbox", value: letter.id, disabled: !letter.redrivable, "aria-label": `Choose ${letter.key ?? letter.id}` })),
              h("td", {}, letter.key === null ? safely(letter.id) : safeKey(letter.key)),
              h("td", {}, letter.reason === null ? "not known" : safely(letter.reason), letter.why_not ? h("small", {}, safely(letter.why_not)) : null),
              h("td", {}, letter.sent_at === null ? "not known" : moment(letter.sent_at)),
            ),
          ),
        ),
      ),
    ),
    h("p", {}, button, said),
  );
  return form;
}
