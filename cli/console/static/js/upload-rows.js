/** The list of files that are uploaded. Only so many rows are in the document as the person has asked for. */

import { fill, h } from "./dom.js";
import { remarksOf } from "./entry.js";
import { count, moment, size } from "./format.js";
import { entryAddress } from "./routes.js";
import { outcomeMark } from "./shapes.js";
import { inARow, safeKey, withCode } from "./text.js";
import { FINAL } from "./upload-run.js";

/** @typedef {import("./upload-run.js").Item} Item */

const AT_FIRST = 100;
const MORE = 500;

export class UploadRows {
  #limit = AT_FIRST;
  /** What is in the document. @type {Map<Item, {row: HTMLElement, version: number, halted: boolean}>} */
  #made = new Map();

  /** @param {{cancel: (item: Item) => void, sendAgain: (item: Item) => void, onMore: () => void}} acts */
  constructor(acts) {
    this.acts = acts;
    this.list = h("tbody", {});
    this.shown = h("span", {});
    this.more = h(
      "p",
      { class: "list-end", hidden: true },
      this.shown,
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          click: () => {
            this.#limit += MORE;
            acts.onMore();
          },
        },
        `Show ${MORE} more`,
      ),
    );
    this.element = h(
      "div",
      {},
      h(
        "table",
        { class: "uploads", "aria-label": "Files" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["File", "Size", "What became of it", "Act"].map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        this.list,
      ),
      this.more,
    );
  }

  /** Another list is shown from now on. */
  restart() {
    this.#limit = AT_FIRST;
  }

  /**
   * Show the first of these files.
   * @param {Iterable<Item>} items
   * @param {number} total
   * @param {boolean} halted Whether nothing is sent at the moment.
   */
  show(items, total, halted) {
    const focused = this.list.contains(document.activeElement);
    const before = this.#made;
    this.#made = new Map();
    /** @type {Element | null} */
    let place = this.list.firstElementChild;
    for (const item of items) {
      if (this.#made.size === this.#limit) break;
      const old = before.get(item);
      before.delete(item);
      const isSame = old && old.version === item.version && old.halted === halted;
      const made = isSame ? old : { row: this.#row(item, halted), version: item.version, halted };
      this.#made.set(item, made);
      if (isSame) progressed(item, made.row);
      else if (old) {
        const hadFocus = old.row.contains(document.activeElement);
        if (place === old.row) place = place.nextElementSibling;
        old.row.replaceWith(made.row);
        if (hadFocus) focusIn(made.row);
        if (made.row.nextElementSibling === place) continue;
      }
      if (made.row === place) place = place.nextElementSibling;
      else this.list.insertBefore(made.row, place);
    }
    for (const { row } of before.values()) row.remove();
    if (focused && !this.list.contains(document.activeElement)) focusIn(this.list);
    this.more.hidden = total <= this.#limit;
    if (!this.more.hidden) fill(this.shown, `The first ${count(this.#limit)} of ${count(total)} are shown.`);
  }

  /** @param {Item} item @param {boolean} halted */
  #row(item, halted) {
    return h(
      "tr",
      { class: item.group },
      h("th", { scope: "row" }, safeKey(item.path)),
      h("td", { class: "number" }, size(item.file.size)),
      h("td", {}, stateOf(item, halted)),
      h("td", {}, this.#action(item)),
    );
  }

  /** @param {Item} item */
  #action(item) {
    /** @param {string} words @param {() => void} act */
    const button = (words, act) =>
      h(
        "button",
        { type: "button", class: "quiet", click: act, "aria-label": `${words}: ${item.path}` },
        words,
      );
    if (item.isHopeless || item.state === "sent" || item.state === "recorded") return null;
    if (!FINAL.has(item.state)) return button("Cancel", () => this.acts.cancel(item));
    const words = { known: "Send anyway", cancelled: "Send it" }[String(item.state)] ?? "Try again";
    return button(words, () => this.acts.sendAgain(item));
  }
}

/** @param {Item} item @param {boolean} halted @returns {import("./dom.js").Child | import("./dom.js").Child[]} */
function stateOf(item, halted) {
  switch (item.state) {
    case "waiting":
      return halted ? "Not sent" : "Waiting";
    case "hashing":
      return progress("Hashing", item);
    case "hashed":
      return halted ? "Not sent" : "Looking it up";
    case "known":
      if (item.why !== null || !item.entry) return `Not sent. ${item.why ?? ""}`;
      return [
        "Not sent: ",
        h("a", { href: entryAddress(item.entry) }, `accepted on ${moment(item.entry.recorded_at)}`),
      ];
    case "ready":
      return halted ? "Not sent" : "Waiting to be sent";
    case "sending":
      return progress("Sending", item);
    case "sent":
      return "Sent, waiting for its entry";
    case "recorded":
      return (
        item.entry &&
        [
          h("a", { href: entryAddress(item.entry) }, outcomeMark(item.entry.outcome)),
          " ",
          ...inARow(remarksOf(item.entry)),
        ]
      );
    default:
      return withCode(`${item.state === "failed" ? "Failed. " : ""}${item.why ?? ""}`);
  }
}

/** @param {string} word @param {Item} item */
function progress(word, item) {
  return [`${word} `, h("progress", { value: shareOf(item), max: 1, "aria-label": `${word} ${item.path}` })];
}

/** @param {Item} item */
function shareOf(item) {
  return item.file.size ? item.done / item.file.size : 0;
}

/** @param {Item} item @param {HTMLElement} row */
function progressed(item, row) {
  const bar = row.querySelector("progress");
  if (bar) bar.value = shareOf(item);
}

/** @param {HTMLElement} element */
function focusIn(element) {
  /** @type {HTMLElement | null} */ (element.querySelector("button, a"))?.focus({ preventScroll: true });
}
