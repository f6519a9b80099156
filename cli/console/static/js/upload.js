/** Uploading: files and folders are dropped or chosen, and what becomes of each is shown. */

import { fill, h } from "./dom.js";
import { chosenIn, droppedIn, isHidden } from "./dropped.js";
import { count, counted } from "./format.js";
import { safely, withCode } from "./text.js";
import { UploadRows } from "./upload-rows.js";
import { UploadRun } from "./upload-run.js";

/** @typedef {import("./upload-run.js").Group} Group */

/** How each group is called after its number. @type {[Group, string][]} */
const GROUPS = [
  ["under way", "on the way"],
  ["accepted", "accepted"],
  ["duplicate", "recorded as duplicates"],
  ["rejected", "rejected"],
  ["known", "already known, not sent"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
];
/** In a longer list, what is done makes room for what isn't. */
const LONG = 100;
/** How often a screen reader says how far it is. */
const SAY_EVERY_MS = 20_000;

export class Upload {
  title = "Upload";
  #hidden = 0;
  #unreadable = 0;
  #frame = 0;
  /** Which group the person wants to see. @type {Group | "all" | null} */
  #chosen = null;
  #saidAt = 0;
  #isOver = true;
  /** @type {import("./upload-run.js").Halt | null} */
  #said = null;

  /** @param {import("./api.js").Session} session @param {{showUploads: (unfinished: number) => void}} frame */
  constructor(session, frame) {
    this.session = session;
    this.frame = frame;
    this.heading = h("h1", { tabindex: "-1" }, "Upload");
    /** @type {UploadRun | null} */
    this.run = null;
    this.files = this.#input({ multiple: true });
    this.folder = this.#input({ webkitdirectory: true });
    this.rows = new UploadRows({
      cancel: (item) => this.run?.cancel(item),
      sendAgain: (item) => this.run?.sendAgain(item),
      onMore: () => this.#schedule(),
    });
    this.all = this.#choice("all");
    this.choices = GROUPS.map(([group, words]) => ({
      group,
      words,
      button: this.#choice(group),
      before: h("span", {}),
    }));
    this.left = h("span", {});
    this.summary = h(
      "p",
      { class: "upload-summary" },
      this.all,
      this.choices.flatMap(({ before, button }) => [before, button]),
      this.left,
    );
    this.said = h("p", { class: "unheard", role: "status" });
    this.stopAll = this.#button("Cancel all", () => this.run?.cancelAll());
    this.sendRest = this.#button("Send those that were cancelled", () => this.run?.sendCancelled());
    this.progress = h("progress", { class: "whole", max: 1, "aria-label": "Files that are done" });
    this.halt = h("div", { class: "halt", role: "alert" });
    this.unsent = h("span", { "aria-live": "off" });
    this.results = h(
      "div",
      { class: "results", hidden: true },
      this.halt,
      h("div", { class: "title-bar" }, this.summary, this.sendRest, this.stopAll),
      this.progress,
      this.rows.element,
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
      this.said,
      this.results,
    );
    addEventListener("beforeunload", (event) => {
      if (this.run?.unsent) event.preventDefault();
    });
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  show() {
    this.#schedule();
  }

  hide() {}

  /** @param {string} words @param {() => void} act */
  #button(words, act) {
    return h("button", { type: "button", class: "quiet", click: act, hidden: true }, words);
  }

  /** @param {Group | "all"} group */
  #choice(group) {
    const choose = () => {
      this.#chosen = group;
      this.rows.restart();
      this.#schedule();
    };
    return h("button", { type: "button", class: "choice", click: choose });
  }

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
    const most = this.session.max_receipt_bytes ?? this.session.max_upload_bytes;
    this.run ??= new UploadRun(most, () => this.#schedule());
    this.results.hidden = false;
    this.run.add(taken);
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.run) this.#draw(this.run);
    });
  }

  /** @param {UploadRun} run */
  #draw(run) {
    const { items, groups, halt, unfinished } = run;
    const shown = this.#chosen ?? groupToShow(run);
    const group = shown === "all" ? items : groups[shown];
    this.rows.show(group, shown === "all" ? items.length : groups[shown].size, halt !== null);
    this.#summarise(run, shown);
    this.#sayHalt(run);
    this.stopAll.hidden = run.unsent === 0;
    this.sendRest.hidden = groups.cancelled.size < 2 || run.unsent > 0;
    this.progress.hidden = unfinished === 0;
    this.progress.value = items.length ? 1 - unfinished / items.length : 0;
    this.frame.showUploads(unfinished);
    const isOver = unfinished === 0;
    const now = performance.now();
    if (isOver !== this.#isOver || (!isOver && now - this.#saidAt > SAY_EVERY_MS)) {
      this.#saidAt = now;
      this.#isOver = isOver;
      const text = this.summary.textContent ?? "";
      fill(this.said, `${isOver ? "Finished" : "So far"}: ${text.slice(text.indexOf(": ") + 2)}`);
    }
  }

  /** @param {UploadRun} run @param {Group | "all"} shown */
  #summarise({ items, groups, halt }, shown) {
    put(this.all, counted(items.length, "file"));
    this.all.setAttribute("aria-pressed", String(shown === "all"));
    let separator = ": ";
    for (const { group, words, before, button } of this.choices) {
      const { size } = groups[group];
      put(before, size ? separator : "");
      const said = group === "under way" && halt ? "not finished" : words;
      put(button, size ? `${count(size)} ${said}` : "");
      button.hidden = size === 0;
      button.setAttribute("aria-pressed", String(shown === group));
      if (size) separator = ", ";
    }
    const left = [
      this.#hidden ? `${this.#hidden} hidden, left out` : null,
      this.#unreadable ? `${this.#unreadable} that can't be read, left out` : null,
    ].filter(Boolean);
    put(this.left, left.length ? `${separator}${left.join(", ")}` : "");
  }

  /** The number of files changes while this is read out, which isn't to be begun again. @param {UploadRun} run */
  #sayHalt({ halt, unsent }) {
    if (halt !== this.#said) {
      this.#said = halt;
      fill(this.halt, ...(halt ? this.#haltInWords(halt) : []));
    }
    put(this.unsent, `${counted(unsent, "file")} ${unsent === 1 ? "hasn't" : "haven't"} been sent`);
  }

  /** @param {import("./upload-run.js").Halt} halt */
  #haltInWords({ title, message, waits }) {
    const next = waits ? "The page tries again by itself." : "To send the rest, go on.";
    return [
      h(
        "p",
        {},
        h("strong", {}, `${title}.`),
        " ",
        ...withCode(message),
        " ",
        this.unsent,
        `, and will be lost if you close this page. ${next}`,
      ),
      h("button", { type: "button", click: () => this.run?.resume() }, waits ? "Try now" : "Send the rest"),
    ];
  }
}

/** @param {UploadRun} run @returns {Group | "all"} */
function groupToShow({ items, groups, unfinished }) {
  if (items.length <= LONG) return "all";
  if (unfinished) return "under way";
  return ["failed", "cancelled", "rejected"].find((group) => groups[/** @type {Group} */ (group)].size) ?? "all";
}

/** @param {HTMLElement} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) fill(element, text);
}
