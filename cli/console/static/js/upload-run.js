/**
 * Sends files: each is hashed in a worker, looked up in the ledger, and sent unless it is known, ten at a time.
 * Then its entry is waited for. What becomes of each file is told to a listener. No step looks at all files.
 */

import { history, lookUp, Problem, reported, session } from "./api.js";
import { moment, size as sizeText } from "./format.js";
import { Live } from "./live.js";
import { Broken, Unreadable, UploadSocket } from "./upload-socket.js";

/** @typedef {import("./entry.js").Entry} Entry */
/**
 * @typedef {"waiting" | "hashing" | "hashed" | "ready" | "sending" | "sent" | "recorded" | "known" | "failed"
 *   | "cancelled"} State
 * @typedef {"under way" | "accepted" | "duplicate" | "rejected" | "known" | "failed" | "cancelled"} Group
 */

/**
 * @typedef {{
 *   id: number, file: File, path: string, state: State, group: Group, version: number, done: number,
 *   why: string | null, fingerprint: string | null, entry: Entry | null, socket: UploadSocket | null,
 *   isForced: boolean, isHopeless: boolean, setbacks: number, goodBefore: number, twins: Item[],
 *   sentAt: number,
 * }} Item `entry` is the receipt if the file is known, and its own entry if it is recorded; `version` counts
 *   changes; `socket` is what it is sent through, another one if it is cancelled and sent after all; `twins` have the same bytes and aren't sent, since this one is.
 */

/**
 * Why nothing is sent at the moment. The run goes on by itself if it `waits`.
 * @typedef {{title: string, message: string, waits: boolean}} Halt
 */

const AT_ONCE = 10;
/** So many files may have been hashed and not been sent: nobody waits for more of them, and they may be known. */
const MOST_AHEAD = 200;
const FIRST_BATCH = 4;
const MOST_LOOKED_UP = 100;
const BATCH_BYTES = 16 * 1024 * 1024;
const MOST_SETBACKS = 3;
const PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
/** An entry that hasn't been heard of for so long is asked for. */
const OVERDUE_MS = 20_000;
const SEEK_MS = 5_000;

const GONE = "Is `bill-e console` still running?";
const PERHAPS_RECORDED = "If all of it had been sent by then, its entry appears in the ledger.";

/** States in which nothing more happens by itself. */
export const FINAL = new Set(["known", "recorded", "failed", "cancelled"]);
/** States in which S3 doesn't have the file: it is lost if the page is closed. */
const UNSENT = new Set(["waiting", "hashing", "hashed", "ready", "sending"]);

export class UploadRun {
  /** @type {Item[]} */
  items = [];
  /** @type {Record<Group, Set<Item>>} */
  groups = {
    "under way": new Set(),
    accepted: new Set(),
    duplicate: new Set(),
    rejected: new Set(),
    known: new Set(),
    failed: new Set(),
    cancelled: new Set(),
  };
  /** @type {Halt | null} */
  halt = null;
  /** How many files S3 doesn't have, and won't be kept from having. */
  unsent = 0;

  /** @type {Record<State, number>} */
  #count = {
    waiting: 0,
    hashing: 0,
    hashed: 0,
    ready: 0,
    sending: 0,
    sent: 0,
    recorded: 0,
    known: 0,
    failed: 0,
    cancelled: 0,
  };
  #toHash = new Queue("waiting");
  #toLookUp = new Queue("hashed");
  #toSend = new Queue("ready");
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Item | null} */
  #hashing = null;
  #hashedBytes = 0;
  #batch = FIRST_BATCH;
  #isLookingUp = false;
  /** What is sent of these bytes. @type {Map<string, Item>} */
  #senders = new Map();
  /** @type {UploadSocket[]} */
  #idle = [];
  #good = 0;
  #pause = PAUSE_MS;
  #timer = 0;
  /** @type {Live | null} */
  #live = null;
  #seeking = 0;
  /** By object version, in the order in which they were sent or asked for. @type {Map<string, Item>} */
  #unrecorded = new Map();
  /** By object version. @type {Map<string, Entry>} */
  #arrived = new Map();

  /** @param {number} mostBytes @param {(item: Item | null) => void} onChange Hears null if the run halts or goes on. */
  constructor(mostBytes, onChange) {
    this.mostBytes = mostBytes;
    this.onChange = onChange;
  }

  /** How many files aren't done. */
  get unfinished() {
    return this.groups["under way"].size;
  }

  /** @param {import("./dropped.js").Chosen[]} chosen */
  add(chosen) {
    if (!this.unfinished) this.#batch = FIRST_BATCH;
    for (const { file, path } of chosen) {
      /** @type {Item} */
      const item = {
        id: this.items.length,
        file,
        path,
        state: "waiting",
        group: "under way",
        version: 0,
        done: 0,
        why: null,
        fingerprint: null,
        entry: null,
        socket: null,
        isForced: false,
        isHopeless: false,
        setbacks: 0,
        goodBefore: 0,
        twins: [],
        sentAt: 0,
      };
      this.items.push(item);
      this.groups[item.group].add(item);
      this.#count.waiting++;
      this.unsent++;
      this.#toHash.push(item);
    }
    this.#goOn();
  }

  /** @param {Item} item */
  cancel(item) {
    if (!UNSENT.has(item.state)) return;
    const what = item.state === "sending" ? PERHAPS_RECORDED : "Nothing was recorded.";
    item.socket?.close();
    this.#set(item, "cancelled", `You cancelled it. ${what}`);
    this.#goOn();
  }

  cancelAll() {
    // Otherwise the next one would begin whenever one is cancelled.
    this.halt = { title: "Cancelled", message: "", waits: false };
    for (const item of this.groups["under way"]) this.cancel(item);
    this.resume();
  }

  /** Send a file although its bytes have been accepted before, or once more after it failed. @param {Item} item */
  sendAgain(item) {
    item.isForced ||= item.state === "known";
    item.setbacks = 0;
    this.#take(item);
    this.#goOn();
  }

  sendCancelled() {
    for (const item of this.groups.cancelled) this.#take(item);
    this.#goOn();
  }

  /** Go on after a halt. */
  resume() {
    clearTimeout(this.#timer);
    this.halt = null;
    this.onChange(null);
    this.#goOn();
  }

  /** Have a file go its way from the start. It isn't hashed twice. @param {Item} item */
  #take(item) {
    this.#set(item, item.fingerprint ? "hashed" : "waiting");
    (item.fingerprint ? this.#toLookUp : this.#toHash).push(item);
  }

  /** @param {Item} item @param {State} state @param {string | null} [why] */
  #set(item, state, why = null) {
    this.#count[item.state]--;
    this.#count[state]++;
    this.unsent += Number(UNSENT.has(state)) - Number(UNSENT.has(item.state));
    item.state = state;
    if (state !== "sending") item.socket = null;
    item.why = why;
    item.version++;
    const group = groupOf(item);
    if (group !== item.group) {
      this.groups[item.group].delete(item);
      this.groups[group].add(item);
      item.group = group;
    }
    this.onChange(item);
    if (state === "failed" || state === "cancelled") {
      for (const twin of item.twins.splice(0)) if (twin.state === "known") this.#take(twin);
    }
  }

  /** Ten files may fail for the same reason, which is said once. @param {Halt} halt */
  #stop(halt) {
    if (this.halt && (halt.waits || !this.halt.waits)) return;
    clearTimeout(this.#timer);
    this.halt = halt;
    if (halt.waits) {
      this.#timer = window.setTimeout(() => this.resume(), this.#pause);
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
    }
    this.onChange(null);
  }

  /** @param {Problem} problem @returns {boolean} Whether the other files would get the same answer. */
  #stopsFor(problem) {
    if (problem.endsSession) {
      reported(problem);
      this.#stop({ title: problem.title, message: problem.message, waits: false });
    } else if (problem.status === 0 || problem.type === "unavailable") {
      const title = problem.status ? "The stack can't be reached" : "The console doesn't answer";
      this.#stop({ title, message: problem.status ? problem.message : GONE, waits: true });
    } else if (problem.type === "missing-right") {
      this.#stop({ title: problem.title, message: problem.message, waits: false });
    } else return false;
    return true;
  }

  #goOn() {
    if (this.halt) return;
    this.#hashNext();
    this.#lookUpNext();
    this.#sendNext();
    if (!this.unsent) for (const socket of this.#idle.splice(0)) socket.close();
    if (this.#live && !this.#count.sent && !this.unsent) {
      this.#live.end();
      this.#live = null;
      this.#arrived.clear();
      clearTimeout(this.#seeking);
    }
  }

  #hashNext() {
    while (!this.#hashing && this.#count.hashed + this.#count.ready < MOST_AHEAD) {
      const next = this.#toHash.take();
      if (!next) return;
      const { size } = next.file;
      if (size === 0 || size > this.mostBytes) {
        next.isHopeless = true;
        const most = `A receipt may have up to ${sizeText(this.mostBytes)}.`;
        this.#set(next, "failed", size ? most : "The file has no bytes.");
        continue;
      }
      this.#hashing = next;
      next.done = 0;
      this.#set(next, "hashing");
      this.#worker ??= this.#newWorker();
      this.#worker.postMessage({ id: next.id, file: next.file });
    }
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
    if (done !== undefined) return this.#progress(item, "hashing", done);
    this.#hashing = null;
    item.fingerprint = fingerprint ?? null;
    if (item.state === "hashing" && fingerprint) {
      this.#hashedBytes += item.file.size;
      this.#take(item);
    } else if (item.state === "hashing") this.#set(item, "failed", `The file can't be read: ${error}`);
    this.#goOn();
  }

  /** The script of the worker comes from the server, which may have ended. */
  #onNoWorker() {
    const item = this.#hashing;
    this.#hashing = null;
    this.#worker = null;
    if (item?.state === "hashing") this.#take(item);
    this.#stopsFor(new Problem(0, {}));
  }

  /** @param {Item} item @param {State} state @param {number} done */
  #progress(item, state, done) {
    if (item.state !== state) return;
    item.done = done;
    this.onChange(item);
  }

  /** The first batches are small, so that something is sent soon. */
  async #lookUpNext() {
    const { hashed, hashing, waiting } = this.#count;
    const isBatch = hashed >= this.#batch || this.#hashedBytes >= BATCH_BYTES || hashing + waiting === 0;
    if (this.#isLookingUp || !hashed || !isBatch) return;
    /** @type {Item[]} */
    const batch = [];
    for (let item; batch.length < MOST_LOOKED_UP && (item = this.#toLookUp.take()); ) batch.push(item);
    this.#hashedBytes = 0;
    this.#batch = Math.min(2 * this.#batch, MOST_LOOKED_UP);
    this.#isLookingUp = true;
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
      known = new Map((await lookUp(wanted)).map((receipt) => [receipt.fingerprint, receipt]));
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(500, { detail: String(error) });
      for (const item of batch) if (item.state === "hashed") this.#take(item);
      if (!this.#stopsFor(problem)) {
        this.#stop({ title: "The files can't be looked up", message: problem.message, waits: false });
      }
      return;
    }
    this.#pause = PAUSE_MS;
    for (const item of batch) {
      if (item.state !== "hashed") continue;
      const sender = this.#senders.get(/** @type {string} */ (item.fingerprint));
      const isTwin =
        sender && sender !== item && (UNSENT.has(sender.state) || ["sent", "recorded"].includes(sender.state));
      item.entry = known.get(item.fingerprint) ?? null;
      if (item.isForced) this.#ready(item);
      else if (item.entry) this.#set(item, "known");
      else if (isTwin) {
        sender.twins.push(item);
        this.#set(item, "known", `The same bytes as ${sender.path}`);
      } else this.#ready(item);
    }
  }

  /** @param {Item} item */
  #ready(item) {
    this.#senders.set(/** @type {string} */ (item.fingerprint), item);
    this.#set(item, "ready");
    this.#toSend.push(item);
  }

  #sendNext() {
    while (this.#count.sending < AT_ONCE) {
      const item = this.#toSend.take();
      if (!item) return;
      this.#send(item);
    }
  }

  /** @param {Item} item */
  async #send(item) {
    let socket = this.#idle.pop();
    while (socket && !socket.isOpen) socket = this.#idle.pop();
    socket ??= new UploadSocket();
    item.socket = socket;
    item.done = 0;
    this.#set(item, "sending");
    this.#watch();
    const announcement = {
      key: item.path,
      size_bytes: item.file.size,
      fingerprint: /** @type {string} */ (item.fingerprint),
      again: item.isForced,
    };
    try {
      const answer = await socket.send(item.file, announcement, (done) =>
        this.#progress(item, "sending", done),
      );
      this.#idle.push(socket);
      if (item.socket === socket) this.#answered(item, answer);
    } catch (error) {
      if (item.socket === socket) await this.#broke(item, socket, error);
    }
    this.#goOn();
  }

  /** @param {Item} item @param {Record<string, any>} answer */
  #answered(item, answer) {
    if ("status" in answer) {
      this.#refused(item, new Problem(answer.status, answer));
    } else if (answer.already_accepted) {
      const when = moment(answer.already_accepted.recorded_at);
      this.#set(item, "known", `The same bytes were accepted on ${when}.`);
    } else {
      this.#good++;
      this.#pause = PAUSE_MS;
      this.#set(item, "sent");
      this.#sent(item, answer.key, answer.version_id);
    }
  }

  /** @param {Item} item @param {Problem} problem */
  #refused(item, problem) {
    const isTemporary = problem.type === "unavailable";
    if (!(isTemporary && this.#isToBlame(item)) && this.#stopsFor(problem)) this.#take(item);
    else this.#set(item, "failed", problem.message);
  }

  /** @param {Item} item @param {UploadSocket} socket @param {unknown} error */
  async #broke(item, socket, error) {
    if (error instanceof Unreadable) {
      this.#set(item, "failed", `The file can't be read: ${error.message}`);
      return;
    }
    try {
      // A browser doesn't say why it couldn't open a web socket.
      await session();
    } catch (problem) {
      if (item.socket === socket) this.#refused(item, /** @type {Problem} */ (problem));
      return;
    }
    if (item.socket !== socket) return;
    const message = (error instanceof Broken && error.message) || "The connection to the console breaks off.";
    if (this.#isToBlame(item)) this.#set(item, "failed", message);
    else {
      this.#take(item);
      if (!this.halt) this.#stop({ title: "Sending was interrupted", message, waits: true });
    }
  }

  /** Whether it is this file that has failed several times, while others arrived. @param {Item} item */
  #isToBlame(item) {
    item.setbacks++;
    if (item.setbacks === 1) item.goodBefore = this.#good;
    return item.setbacks >= MOST_SETBACKS && this.#good > item.goodBefore;
  }

  /** Listen for entries from before the first file is sent, until each has its own. */
  #watch() {
    if (this.#live) return;
    this.#seekLater();
    this.#live = new Live(new URLSearchParams(), [], Date.now(), {
      onEntries: (entries) => {
        for (const entry of entries) this.#onEntry(entry);
        this.#goOn();
      },
      onState: () => {},
    });
  }

  /** @param {Item} item @param {string} key @param {string | null} version S3 may not say which one it made. */
  #sent(item, key, version) {
    const place = placeOf(key, version);
    const entry = this.#arrived.get(place);
    item.sentAt = performance.now();
    if (entry) this.#recorded(item, entry);
    else this.#unrecorded.set(place, item);
  }

  /** In a tab that is hidden, more entries can come between two questions than are listened to. */
  #seekLater() {
    this.#seeking = window.setTimeout(async () => {
      let isFound = true;
      while (isFound) isFound = await this.#seekOldest();
      this.#goOn();
      if (this.#live) this.#seekLater();
    }, SEEK_MS);
  }

  /** Ask for the entry of one file. @returns {Promise<boolean>} Whether to ask for another one's. */
  async #seekOldest() {
    const [place, item] = this.#unrecorded.entries().next().value ?? ["", null];
    if (!item || performance.now() - item.sentAt < OVERDUE_MS) return false;
    this.#unrecorded.delete(place);
    this.#unrecorded.set(place, item);
    item.sentAt = performance.now();
    try {
      const { receipt, duplicates, rejections } = await history(/** @type {string} */ (item.fingerprint));
      const entry = [receipt, ...duplicates, ...rejections].find(
        (each) => each && [placeOf(each.key, each.version_id), placeOf(each.key, null)].includes(place),
      );
      if (entry) this.#onEntry(entry);
      return Boolean(entry);
    } catch {
      // It isn't recorded yet, or can't be asked for now.
      return false;
    }
  }

  /** @param {Entry} entry */
  #onEntry(entry) {
    for (const place of [placeOf(entry.key, entry.version_id), placeOf(entry.key, null)]) {
      const item = this.#unrecorded.get(place);
      this.#unrecorded.delete(place);
      if (item) this.#recorded(item, entry);
      else this.#arrived.set(place, entry);
    }
  }

  /** @param {Item} item @param {Entry} entry */
  #recorded(item, entry) {
    item.entry = entry;
    this.#set(item, "recorded");
  }
}

/** Items in the order in which they came. One that has got into another state meanwhile isn't there any more. */
class Queue {
  /** @type {Item[]} */
  #items = [];
  #first = 0;

  /** @param {State} state */
  constructor(state) {
    this.state = state;
  }

  /** @param {Item} item */
  push(item) {
    this.#items.push(item);
  }

  /** @returns {Item | null} */
  take() {
    while (this.#first < this.#items.length) {
      const item = this.#items[this.#first++];
      if (item.state === this.state) return item;
    }
    this.#items = [];
    this.#first = 0;
    return null;
  }
}

/** @param {string} key @param {string | null} version */
function placeOf(key, version) {
  return `${key}\0${version ?? ""}`;
}

/** @param {Item} item @returns {Group} */
function groupOf({ state, entry }) {
  if (!FINAL.has(state)) return "under way";
  if (state !== "recorded") return /** @type {Group} */ (state);
  return /** @type {Group} */ (entry?.outcome.toLowerCase());
}
