/** The ledger: all entries, newest first, as far as the filters let them through. */

import { listing, Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { inOrder, nameOf, remarksOf, shortUploaderOf, uploaderOf } from "./entry.js";
import { FilterForm } from "./filter-form.js";
import { contradictionIn, countOf, fromAddress, isOver, NONE, toAddress, toQuery } from "./filters.js";
import { clock, count, counted, day, size } from "./format.js";
import { Live } from "./live.js";
import { addressOf, entryAddress } from "./routes.js";
import { Rows } from "./rows.js";
import { outcomeMark } from "./shapes.js";
import { inARow, safeKey, safely, withCode } from "./text.js";
import { typeWord } from "./words.js";

/** @typedef {import("./entry.js").Entry} Entry */

const PAGE = 200;
const FIRST_PAGE = 100;
/** How many rows below the last one that is seen are loaded ahead. */
const AHEAD = 150;
/** How many pages without a match are read before the person is asked. The API bounds what a page costs. */
const EMPTY_PAGES = 20;
/** Rows don't move while the pointer has moved over them this recently. */
const POINTING_MS = 1_000;
const ANNOUNCE_MS = 10_000;

const COLUMNS = ["Recorded (UTC)", "Outcome", "Key", "Remarks", "Uploader", "Type", "Size", "Fingerprint"];

export class Ledger {
  title = "Ledger";
  #filter = { ...NONE };
  #shown = "";
  /** @type {Entry[]} */
  #waiting = [];
  /** New entries whose place is below the rows that have been loaded. @type {Entry[]} */
  #further = [];
  /** @type {string | null} */
  #cursor = null;
  /** @type {AbortController | null} */
  #loading = null;
  /** @type {Live | null} */
  #live = null;
  #unfollow = () => {};
  #emptyPages = 0;
  #pointedAt = 0;
  #announced = 0;
  #scrolled = 0;
  /** @type {number | null} */
  #left = null;
  #asked = 0;
  /** Whether there are more new entries than were asked for, so that there is a gap. */
  #isStale = false;

  /** @param {{showLive: (state: import("./live.js").State | "off", detail?: string) => void}} frame */
  constructor(frame) {
    this.frame = frame;
    this.rows = new Rows(rowOf, (last) => this.#loadAhead(last));
    this.form = new FilterForm((filter, isTyping) => this.#go(filter, isTyping));
    this.heading = h("h1", { tabindex: "-1" }, "Ledger");
    this.exportLink = h("a", { class: "button quiet", download: true }, "Export CSV");
    this.waitingButton = h("button", {
      class: "arrivals",
      type: "button",
      hidden: true,
      click: () => this.#takeIn(true),
    });
    this.announcement = h("p", { class: "unheard-not-seen", role: "status" });
    this.end = h("div", { class: "list-end", role: "status" });
    this.table = h(
      "div",
      { class: "table", role: "table", "aria-label": "Entries, newest first", "aria-busy": "true" },
      h(
        "div",
        { class: "thead", role: "rowgroup" },
        h(
          "div",
          { class: "row head", role: "row", "aria-rowindex": "1" },
          COLUMNS.map((name, at) => h("div", { role: "columnheader", class: `c${at}` }, name)),
        ),
      ),
      this.rows.element,
    );
    this.rows.element.addEventListener("pointermove", () => {
      this.#pointedAt = Date.now();
    });
    this.element = h(
      "section",
      { class: "view ledger" },
      h("div", { class: "title-bar" }, this.heading, this.exportLink),
      this.form.element,
      this.announcement,
      h("div", { class: "arrivals-place" }, this.waitingButton),
      this.table,
      this.end,
    );
  }

  /** @param {string[]} _path @param {URLSearchParams} address @returns {unknown} Settles when there are rows. */
  show(_path, address) {
    const filter = fromAddress(address);
    const query = String(toQuery(filter));
    this.#filter = filter;
    this.form.show(filter);
    this.exportLink.href = `/api/receipts.csv?${query}`;
    this.#unfollow = this.rows.follow();
    if (query !== this.#shown || !this.rows.items.length) {
      this.#shown = query;
      return this.#start();
    }
    scrollTo({ top: this.#scrolled });
    this.rows.redraw();
    this.#follow();
    return null;
  }

  /** Go back to the row that was left, if it is still there. */
  focus() {
    if (this.#left === null || this.#left >= this.rows.items.length)
      this.heading.focus({ preventScroll: true });
    else this.rows.focus(this.#left);
  }

  hide() {
    this.#scrolled = scrollY;
    this.#left = this.rows.focused;
    this.#unfollow();
    this.#endLive();
    this.frame.showLive("off");
  }

  /** @param {import("./filters.js").Filter} filter @param {boolean} isTyping */
  #go(filter, isTyping) {
    const address = addressOf(["ledger"], toAddress(filter));
    if (isTyping) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    dispatchEvent(new Event("routed"));
  }

  #start() {
    this.#endLive();
    this.#asked = Date.now();
    this.#isStale = false;
    this.#left = null;
    this.#loading?.abort();
    this.#loading = null;
    this.#cursor = "";
    this.#emptyPages = 0;
    this.#waiting = [];
    this.#further = [];
    this.#showWaiting();
    if (this.rows.focused !== null) this.heading.focus({ preventScroll: true });
    this.rows.replace([]);
    scrollTo({ top: 0 });
    const contradiction = contradictionIn(this.#filter);
    this.exportLink.hidden = contradiction !== null;
    this.table.setAttribute("aria-busy", String(contradiction === null));
    if (contradiction === null) return this.#load();
    this.frame.showLive("off");
    this.#showNoMatch(`No entry can match these filters: ${contradiction}. `);
  }

  async #load() {
    if (this.#loading || this.#cursor === null) return;
    const loading = new AbortController();
    this.#loading = loading;
    const isFirst = this.#cursor === "";
    this.#showEnd(isFirst ? "Loading the ledger…" : this.#progress);
    const query = toQuery(this.#filter);
    query.set("limit", String(isFirst ? FIRST_PAGE : PAGE));
    if (!isFirst) query.set("cursor", this.#cursor);
    try {
      const page = await listing(query, loading.signal);
      this.#loading = null;
      this.#cursor = page.next_cursor;
      this.#emptyPages = page.entries.length ? 0 : this.#emptyPages + 1;
      this.rows.append(this.#withFurther(page));
      this.#showCount();
      if (isFirst) this.#follow();
      this.#goOn();
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#loading = null;
      this.#showFailure(error);
    }
  }

  /** @param {import("./api.js").Page} page @returns {Entry[]} Its entries, and late ones that stand among them. */
  #withFurther({ entries, next_cursor }) {
    const last = next_cursor === null ? "" : entries.at(-1)?.recorded_at;
    const isReached = (/** @type {Entry} */ entry) => last !== undefined && entry.recorded_at >= last;
    const late = this.#further.filter(isReached);
    this.#further = this.#further.filter((entry) => !isReached(entry));
    return late.length ? inOrder([...late, ...entries]) : entries;
  }

  #goOn() {
    if (this.#cursor === null) this.#showTheEnd();
    else if (this.#emptyPages >= EMPTY_PAGES) {
      this.#showEnd(
        `Nothing more among the last ${count(EMPTY_PAGES)} stretches of the ledger. `,
        this.#button("Search further back", () => {
          this.#emptyPages = 0;
          this.#load();
        }),
      );
    } else {
      this.#showEnd(this.#progress);
      this.rows.draw();
    }
  }

  /** What is said while more is loaded. A match can be far back. */
  get #progress() {
    if (!this.#emptyPages) return "Loading more…";
    return `Searching further back… No match in the last ${counted(this.#emptyPages, "stretch", "stretches")} of the ledger.`;
  }

  /** @param {number} last */
  #loadAhead(last) {
    if (last + AHEAD >= this.rows.items.length && this.#cursor && this.#emptyPages < EMPTY_PAGES)
      this.#load();
  }

  #endLive() {
    this.#asked = this.#live?.asked ?? this.#asked;
    this.#live?.end();
    this.#live = null;
  }

  #follow() {
    this.#endLive();
    if (isOver(this.#filter, Date.now())) {
      this.frame.showLive("off");
      return;
    }
    const known = [...this.#waiting, ...this.#further, ...this.rows.items.slice(0, 2000)];
    this.#live = new Live(toQuery(this.#filter), known, this.#asked, {
      onEntries: (entries, mayLack) => this.#arrived(entries, mayLack),
      onState: (state, error) => this.frame.showLive(state, error?.message),
    });
  }

  /** @param {Entry[]} entries @param {boolean} mayLack Whether there are more than these. */
  #arrived(entries, mayLack) {
    this.#isStale ||= mayLack;
    const last = this.#cursor === null ? "" : (this.rows.items.at(-1)?.recorded_at ?? "");
    this.#further.push(...entries.filter((entry) => entry.recorded_at < last));
    const above = entries.filter((entry) => entry.recorded_at >= last);
    if (!above.length && !this.#isStale) return;
    this.#waiting = inOrder([...above, ...this.#waiting]);
    if (!this.#isBeingRead()) this.#takeIn(false);
    else this.#showWaiting();
    if (Date.now() - this.#announced > ANNOUNCE_MS) {
      this.#announced = Date.now();
      fill(this.announcement, `${counted(above.length, "new entry", "new entries")} recorded`);
    }
  }

  /** Whether rows that moved would take something away from whoever reads or points at them. */
  #isBeingRead() {
    const selection = getSelection();
    return (
      scrollY > 4 ||
      this.rows.isUsedByKeys ||
      Date.now() - this.#pointedAt < POINTING_MS ||
      Boolean(selection && !selection.isCollapsed && this.rows.element.contains(selection.anchorNode))
    );
  }

  /** @param {boolean} isAsked */
  #takeIn(isAsked) {
    if (this.#isStale) {
      this.#start();
      return;
    }
    if (isAsked) scrollTo({ top: 0 });
    const [place] = this.rows.insert(
      this.#waiting,
      (one, other) => one.recorded_at >= other.recorded_at,
    );
    this.#waiting = [];
    this.#showWaiting();
    this.#showCount();
    if (this.#cursor === null) this.#showTheEnd();
    if (isAsked) this.rows.focus(place ?? 0);
  }

  #showWaiting() {
    const number = this.#waiting.length;
    this.waitingButton.hidden = number === 0;
    fill(
      this.waitingButton,
      `↑ ${this.#isStale ? "More than " : ""}${counted(number, "new entry", "new entries")}`,
    );
  }

  #showCount() {
    const rows = this.rows.items.length;
    this.table.setAttribute("aria-busy", "false");
    this.table.setAttribute("aria-rowcount", String(this.#cursor === null ? rows + 1 : -1));
  }

  #showTheEnd() {
    const rows = this.rows.items.length;
    if (rows) this.#showEnd(`${counted(rows, "entry", "entries")}, back to the first.`);
    else if (countOf(this.#filter)) this.#showNoMatch("No entry matches these filters. ");
    else {
      this.#showEnd("Nothing has been recorded yet. ", h("a", { href: "#/upload" }, "Upload a receipt"));
    }
  }

  /** @param {string} text */
  #showNoMatch(text) {
    this.#showEnd(
      text,
      this.#button("Clear the filters", () => this.#go({ ...NONE }, false)),
    );
  }

  /** @param {unknown} error */
  #showFailure(error) {
    const text = error instanceof Problem ? `${error.title}. ${error.message}` : String(error);
    this.table.setAttribute("aria-busy", "false");
    this.#showEnd(
      ...withCode(`${text} `),
      this.#button("Try again", () => this.#load()),
    );
  }

  /** @param {...import("./dom.js").Child} children */
  #showEnd(...children) {
    fill(this.end, ...children);
  }

  /** @param {string} text @param {() => void} act */
  #button(text, act) {
    return h("button", { class: "quiet", type: "button", click: act }, text);
  }
}

/** @param {Entry} entry @param {number} index */
function rowOf(entry, index) {
  const uploader = uploaderOf(entry);
  const remarks = remarksOf(entry).map((each) => (each.key ? { ...each, key: nameOf(each.key) } : each));
  const cells = [
    h(
      "time",
      { datetime: entry.recorded_at },
      h("span", { class: "day" }, day(entry.recorded_at)),
      ` ${clock(entry.recorded_at)}`,
    ),
    outcomeMark(entry.outcome),
    h("a", { href: entryAddress(entry) }, safeKey(entry.key)),
    inARow(remarks),
    uploader === null
      ? h("span", { class: "absent" }, entry.resent ? "unknown (resent)" : "unknown")
      : safely(shortUploaderOf(entry)),
    entry.media_type === null ? h("span", { class: "absent" }, "–") : typeWord(entry.media_type),
    entry.size_bytes === null ? h("span", { class: "absent" }, "–") : size(entry.size_bytes),
    entry.fingerprint === null
      ? h("span", { class: "absent" }, "not read")
      : h("code", {}, entry.fingerprint.slice(0, 12)),
  ];
  return h(
    "div",
    { class: `row ${entry.outcome}`, role: "row", "aria-rowindex": index + 2 },
    cells.map((cell, at) => h("div", { role: "cell", class: `c${at}` }, cell)),
  );
}
