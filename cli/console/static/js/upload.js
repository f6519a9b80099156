/** Uploading: files and folders are dropped or chosen, and what becomes of each is shown. */

import { fill, h } from "./dom.js";
import { chosenIn, droppedIn, isHidden } from "./dropped.js";
import { remarksOf } from "./entry.js";
import { counted, moment, size } from "./format.js";
import { entryAddress } from "./routes.js";
import { outcomeMark } from "./shapes.js";
import { safeKey, safely } from "./text.js";
import { FINAL, UploadRun } from "./upload-run.js";

/** @typedef {import("./upload-run.js").Item} Item */

export class Upload {
  title = "Upload";
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map();
  #hidden = 0;
  #unreadable = 0;
  #frame = 0;

  /** @param {import("./api.js").Session} session @param {{showUploads: (unfinished: number) => void}} frame */
  constructor(session, frame) {
    this.session = session;
    this.frame = frame;
    this.heading = h("h1", { tabindex: "-1" }, "Upload");
    /** @type {UploadRun | null} */
    this.run = null;
    this.files = this.#input({ multiple: true });
    this.folder = this.#input({ webkitdirectory: true });
    this.summary = h("p", { class: "upload-summary", role: "status" });
    this.stopAll = h(
      "button",
      { type: "button", class: "quiet", click: () => this.#cancelAll() },
      "Cancel all",
    );
    this.list = h("tbody", {});
    this.results = h(
      "div",
      { class: "results", hidden: true },
      h("div", { class: "title-bar" }, this.summary, this.stopAll),
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
    );
    this.zone = h(
      "div",
      { class: "drop", dragover: this.#onDrag, dragleave: this.#onDrag, drop: this.#onDrop },
      h("p", { class: "lead" }, "Drop receipts or folders here"),
      h(
        "p",
        {},
        h("button", { type: "button", click: () => this.files.click() }, "Choose files"),
        " ",
        h("button", { type: "button", class: "quiet", click: () => this.folder.click() }, "Choose a folder"),
      ),
      h(
        "p",
        { class: "hint" },
        "Each file is hashed in this browser first. What the ledger already has isn't sent. Files go to ",
        h("code", {}, safely(`${session.bucket}/${session.upload_prefix}`)),
        session.names_are_keys ? "." : ", under names that the stack chooses.",
      ),
      this.files,
      this.folder,
    );
    const refused = h("p", {}, "You may read this stack, but not upload to it.");
    this.element = h(
      "section",
      { class: "view upload" },
      this.heading,
      session.can.upload ? this.zone : refused,
      this.results,
    );
    addEventListener("beforeunload", (event) => {
      if (this.run?.unsent) event.preventDefault();
    });
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  show() {}

  hide() {}

  /** @param {Record<string, boolean>} attributes */
  #input(attributes) {
    const input = h("input", {
      type: "file",
      hidden: true,
      "aria-label": attributes.multiple ? "Files" : "Folder",
      ...attributes,
      change: () => {
        if (input.files) this.#add(chosenIn(input.files));
        input.value = "";
      },
    });
    return input;
  }

  #onDrag = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    this.zone.classList.toggle("over", event.type === "dragover");
  };

  #onDrop = async (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    this.zone.classList.remove("over");
    if (!event.dataTransfer) return;
    const { found, unreadable } = await droppedIn(event.dataTransfer);
    this.#unreadable += unreadable;
    this.#add(found);
  };

  /** @param {import("./dropped.js").Chosen[]} chosen */
  #add(chosen) {
    const taken = chosen.filter(({ path }) => !isHidden(path));
    this.#hidden += chosen.length - taken.length;
    this.run ??= new UploadRun(this.session.max_receipt_bytes ?? this.session.max_upload_bytes, (item) =>
      this.#changed(item),
    );
    this.results.hidden = false;
    this.run.add(taken);
    this.#schedule();
  }

  #cancelAll() {
    for (const item of this.run?.items ?? []) this.run?.cancel(item);
  }

  /** @param {Item} item */
  #changed(item) {
    const before = this.#rows.get(item.id);
    const focused = before?.contains(document.activeElement);
    const row = this.#row(item);
    if (before) before.replaceWith(row);
    else this.list.append(row);
    if (focused) /** @type {HTMLElement | null} */ (row.querySelector("button, a"))?.focus();
    this.#rows.set(item.id, row);
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#summarise();
    });
  }

  #summarise() {
    const items = this.run?.items ?? [];
    const unfinished = this.run?.unfinished ?? 0;
    /** @param {(item: Item) => boolean} which @param {string} word */
    const part = (which, word) => {
      const number = items.filter(which).length;
      return number ? `${number} ${word}` : null;
    };
    const parts = [
      part((item) => !FINAL.has(item.state), "on the way"),
      part((item) => item.state === "recorded" && item.entry?.outcome === "ACCEPTED", "accepted"),
      part(
        (item) => item.state === "recorded" && item.entry?.outcome === "DUPLICATE",
        "recorded as duplicates",
      ),
      part((item) => item.state === "recorded" && item.entry?.outcome === "REJECTED", "rejected"),
      part((item) => item.state === "known", "already known, not sent"),
      part((item) => item.state === "failed", "failed"),
      part((item) => item.state === "cancelled", "cancelled"),
      this.#hidden ? `${this.#hidden} hidden, left out` : null,
      this.#unreadable ? `${this.#unreadable} that can't be read, left out` : null,
    ];
    fill(this.summary, `${counted(items.length, "file")}: ${parts.filter(Boolean).join(", ")}`);
    this.stopAll.hidden = !this.run?.unsent;
    this.frame.showUploads(unfinished);
  }

  /** @param {Item} item */
  #row(item) {
    return h(
      "tr",
      { class: item.state },
      h("th", { scope: "row" }, safeKey(item.path)),
      h("td", { class: "number" }, size(item.file.size)),
      h("td", {}, this.#state(item)),
      h("td", {}, this.#action(item)),
    );
  }

  /** @param {Item} item @returns {import("./dom.js").Child | import("./dom.js").Child[]} */
  #state(item) {
    switch (item.state) {
      case "waiting":
        return "Waiting";
      case "hashing":
        return item.fingerprint ? "Looking it up" : progress("Hashing", item);
      case "known":
        if (item.why !== null || !item.entry) return `Not sent. ${item.why ?? ""}`;
        return [
          "Not sent: ",
          h("a", { href: entryAddress(item.entry) }, `accepted on ${moment(item.entry.recorded_at)}`),
        ];
      case "ready":
        return "Waiting to be sent";
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
            remarksOf(item.entry).flatMap(([words, given]) =>
              [words, given === undefined ? " " : [" ", safely(given)]].flat(),
            ),
          ].flat()
        );
      default:
        return `${item.state === "failed" ? "Failed. " : ""}${item.why ?? ""}`;
    }
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
    if (!FINAL.has(item.state)) return button("Cancel", () => this.run?.cancel(item));
    return button(item.state === "known" ? "Send anyway" : "Try again", () => this.run?.sendAgain(item));
  }
}

/** @param {string} word @param {Item} item */
function progress(word, item) {
  const share = item.file.size ? item.done / item.file.size : 0;
  return [`${word} `, h("progress", { value: share, max: 1, "aria-label": `${word} ${item.path}` })];
}
