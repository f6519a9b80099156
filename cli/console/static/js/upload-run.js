/**
 * Sends files: each is hashed in a worker, looked up in the ledger, and sent unless it is known, a few at a
 * time. Then its entry is waited for. What becomes of each file is told to a listener.
 */

import { lookUp, Problem, reported } from "./api.js";
import { moment, size as sizeText } from "./format.js";
import { Live } from "./live.js";

/** @typedef {import("./entry.js").Entry} Entry */
/**
 * @typedef {"waiting" | "hashing" | "known" | "ready" | "sending" | "sent" | "recorded" | "failed"
 *   | "cancelled"} State
 */

/**
 * @typedef {{
 *   id: number, file: File, path: string, state: State, done: number, why: string | null,
 *   fingerprint: string | null, entry: Entry | null, sent: {key: string, version_id: string | null} | null,
 *   request: XMLHttpRequest | null, isForced: boolean, isHopeless: boolean,
 * }} Item `entry` is the receipt if the file is known, and its own entry if it is recorded.
 */

/** A browser has six connections to a server, and the rest of the page, in every tab, needs some of them. */
const AT_ONCE = 4;
const GONE = "The console doesn't answer. Is `bill-e console` still running?";
const PERHAPS_RECORDED = "If all of it had been sent by then, its entry appears in the ledger.";
const MOST_LOOKED_UP = 100;

/** States in which nothing more happens by itself. */
export const FINAL = new Set(["known", "recorded", "failed", "cancelled"]);

export class UploadRun {
  /** @type {Item[]} */
  items = [];
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Item | null} */
  #hashing = null;
  /** @type {Item[]} */
  #hashed = [];
  #isLookingUp = false;
  /** @type {Live | null} */
  #live = null;

  /** @param {number} mostBytes @param {(item: Item) => void} onChange */
  constructor(mostBytes, onChange) {
    this.mostBytes = mostBytes;
    this.onChange = onChange;
  }

  /** How many files aren't done. */
  get unfinished() {
    return this.items.filter((item) => !FINAL.has(item.state)).length;
  }

  /** How many bytes aren't in S3 yet, as files: they are lost if the page is closed. */
  get unsent() {
    return this.items.filter((item) => ["waiting", "hashing", "ready", "sending"].includes(item.state))
      .length;
  }

  /** @param {import("./dropped.js").Chosen[]} chosen */
  add(chosen) {
    for (const { file, path } of chosen) {
      /** @type {Item} */
      const item = {
        id: this.items.length,
        file,
        path,
        state: "waiting",
        done: 0,
        why: null,
        fingerprint: null,
        entry: null,
        sent: null,
        request: null,
        isForced: false,
        isHopeless: false,
      };
      this.items.push(item);
      this.onChange(item);
    }
    this.#goOn();
  }

  /** @param {Item} item */
  cancel(item) {
    if (FINAL.has(item.state) || item.state === "sent") return;
    const what = item.state === "sending" ? PERHAPS_RECORDED : "Nothing was recorded.";
    this.#set(item, "cancelled", `You cancelled it. ${what}`);
    item.request?.abort();
    this.#goOn();
  }

  /** Send a file although its bytes have been accepted before, or once more after it failed. @param {Item} item */
  sendAgain(item) {
    item.isForced = item.state === "known";
    item.why = null;
    this.#set(item, item.fingerprint ? "ready" : "waiting");
    this.#goOn();
  }

  /** @param {Item} item @param {State} state @param {string | null} [why] */
  #set(item, state, why = null) {
    item.state = state;
    item.why = why;
    this.onChange(item);
  }

  #goOn() {
    this.#hashNext();
    this.#lookUpNext();
    this.#sendNext();
  }

  #hashNext() {
    if (this.#hashing) return;
    const next = this.items.find((item) => item.state === "waiting");
    if (!next) return;
    const { size } = next.file;
    if (size === 0 || size > this.mostBytes) {
      next.isHopeless = true;
      this.#set(
        next,
        "failed",
        size ? `A receipt may have up to ${sizeText(this.mostBytes)}.` : "The file has no bytes.",
      );
      this.#hashNext();
      return;
    }
    this.#hashing = next;
    next.done = 0;
    this.#set(next, "hashing");
    this.#worker ??= this.#newWorker();
    this.#worker.postMessage({ id: next.id, file: next.file });
  }

  #newWorker() {
    const worker = new Worker(new URL("./hash-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", (event) => this.#onHash(event.data));
    worker.addEventListener("error", () => this.#onNoWorker());
    return worker;
  }

  /** @param {{id: number, done?: number, fingerprint?: string, error?: string}} told */
  #onHash({ id, done, fingerprint, error }) {
    const item = this.items[id];
    if (done !== undefined) {
      item.done = done;
      if (item.state === "hashing") this.onChange(item);
      return;
    }
    this.#hashing = null;
    if (item.state === "hashing") {
      if (fingerprint === undefined) this.#set(item, "failed", `The file can't be read: ${error}`);
      else {
        item.fingerprint = fingerprint;
        this.#hashed.push(item);
      }
    }
    this.#goOn();
  }

  /** The script of the worker comes from the server, which may have ended. */
  #onNoWorker() {
    for (const item of this.items) {
      if (["waiting", "hashing"].includes(item.state)) this.#set(item, "failed", GONE);
    }
    this.#hashing = null;
    this.#worker = null;
  }

  async #lookUpNext() {
    const isBatch = this.#hashed.length >= MOST_LOOKED_UP || (!this.#hashing && this.#hashed.length > 0);
    if (this.#isLookingUp || !isBatch) return;
    this.#isLookingUp = true;
    const batch = this.#hashed.splice(0, MOST_LOOKED_UP).filter((item) => item.state === "hashing");
    try {
      await this.#sortOut(batch);
    } finally {
      this.#isLookingUp = false;
    }
    this.#goOn();
  }

  /** @param {Item[]} batch */
  async #sortOut(batch) {
    /** @type {Map<string | null, Entry>} */
    let known;
    try {
      const wanted = [...new Set(batch.map((item) => /** @type {string} */ (item.fingerprint)))];
      known = new Map(
        (wanted.length ? await lookUp(wanted) : []).map((receipt) => [receipt.fingerprint, receipt]),
      );
    } catch (error) {
      const why = error instanceof Problem ? error.message : String(error);
      for (const item of batch)
        this.#set(item, "failed", `It couldn't be looked up, so it wasn't sent. ${why}`);
      return;
    }
    for (const item of batch) {
      if (item.state !== "hashing") continue;
      item.entry = known.get(item.fingerprint) ?? null;
      const twin = this.items.find(
        (other) =>
          other !== item &&
          other.fingerprint === item.fingerprint &&
          ["ready", "sending", "sent", "recorded"].includes(other.state),
      );
      if (item.entry) this.#set(item, "known");
      else if (twin) this.#set(item, "known", `The same bytes as ${twin.path}`);
      else this.#set(item, "ready");
    }
  }

  #sendNext() {
    let sending = this.items.filter((item) => item.state === "sending").length;
    for (const item of this.items) {
      if (sending >= AT_ONCE) return;
      if (item.state === "ready") {
        this.#send(item);
        sending++;
      }
    }
  }

  /** With an old request, since `fetch` doesn't say how much it has sent. @param {Item} item */
  #send(item) {
    const request = new XMLHttpRequest();
    item.request = request;
    item.done = 0;
    this.#set(item, "sending");
    this.#watch();
    const parameters = new URLSearchParams({ key: item.path, ...(item.isForced ? { again: "1" } : {}) });
    request.open("PUT", `/api/uploads?${parameters}`);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-Sha256", /** @type {string} */ (item.fingerprint));
    request.upload.addEventListener("progress", (event) => {
      item.done = event.loaded;
      if (item.state === "sending") this.onChange(item);
    });
    request.addEventListener("loadend", () => this.#sent(item, request));
    request.send(item.file);
  }

  /** @param {Item} item @param {XMLHttpRequest} request */
  #sent(item, request) {
    if (item.state !== "sending") return;
    const answer = request.response ?? {};
    if (request.status === 200 && answer.already_accepted) {
      this.#set(
        item,
        "known",
        `The same bytes were accepted on ${moment(answer.already_accepted.recorded_at)}.`,
      );
    } else if (request.status === 200) {
      item.sent = { key: answer.key, version_id: answer.version_id };
      this.#set(item, "sent");
      this.#match();
    } else if (request.status === 0) {
      this.#set(item, "failed", GONE);
    } else {
      const problem = reported(new Problem(request.status, answer));
      this.#set(item, "failed", problem.message);
    }
    this.#goOn();
  }

  /** @type {Entry[]} */
  #arrived = [];

  /** Listen for entries from before the first file is sent, until each has its own. */
  #watch() {
    this.#live ??= new Live(new URLSearchParams(), [], Date.now(), {
      onEntries: (entries) => {
        this.#arrived.push(...entries);
        this.#match();
      },
      onState: () => {},
    });
  }

  #match() {
    for (const item of this.items) {
      if (item.state !== "sent" || !item.sent) continue;
      const { key, version_id: version } = item.sent;
      // S3 may not say which version it made.
      const entry = this.#arrived.find(
        (each) => each.key === key && (version === null || each.version_id === version),
      );
      if (!entry) continue;
      item.entry = entry;
      this.#set(item, "recorded");
    }
    if (this.#live && !this.items.some((item) => ["ready", "sending", "sent"].includes(item.state))) {
      this.#live.end();
      this.#live = null;
      this.#arrived = [];
    }
  }
}
