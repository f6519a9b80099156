/** Asks for new entries: every second while the page is seen, and every half minute while it isn't. */

import { listing } from "./api.js";
import { identityOf } from "./entry.js";

/** @typedef {import("./entry.js").Entry} Entry */

const SEEN_MS = 1_000;
const HIDDEN_MS = 30_000;
const FAILED_MS = 5_000;
const PAGE = 200;
const MOST_PAGES = 10;

/** Entries come to the index within this time after their time of recording. */
const LATE_MS = 30_000;
/** How far apart the clocks of this machine and of AWS may be: AWS refuses requests that are off by more. */
const SKEW_MS = 15 * 60_000;
/** Tabs that begin at the same time ask the same question, and share the answer. */
const STEP_MS = 10_000;

/**
 * @typedef {"live" | "slow" | "failed" | "ended"} State
 * @typedef {{
 *   onEntries: (entries: Entry[], mayLack: boolean) => void,
 *   onState: (state: State, error?: Error) => void,
 * }} Listener `mayLack` if there are more new entries than these.
 */

export class Live {
  #stop = new AbortController();
  #timer = 0;
  /** @type {Set<string>} */
  #known;
  #newest;

  /**
   * @param {URLSearchParams} query What the view shows.
   * @param {Entry[]} known What it has, newest first.
   * @param {number} asked When it was asked for last.
   * @param {Listener} listener
   */
  constructor(query, known, asked, listener) {
    this.query = query;
    this.asked = asked;
    this.listener = listener;
    this.#known = new Set(known.map(identityOf));
    this.#newest = known.length ? Date.parse(known[0].recorded_at) : 0;
    document.addEventListener("visibilitychange", this.#onVisibility, { signal: this.#stop.signal });
    this.#wait(SEEN_MS);
  }

  end() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  #onVisibility = () => {
    if (document.hidden) this.listener.onState("slow");
    else this.#wait(0);
  };

  /** @param {number} milliseconds */
  #wait(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#poll(), milliseconds);
  }

  async #poll() {
    const began = Date.now();
    try {
      const { fresh, mayLack } = await this.#fresh();
      this.asked = began;
      if (this.#stop.signal.aborted) return;
      this.listener.onState(document.hidden ? "slow" : "live");
      if (fresh.length) this.listener.onEntries(fresh, mayLack);
      this.#wait(document.hidden ? HIDDEN_MS : Math.max(0, SEEN_MS - (Date.now() - began)));
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const hasEnded = error instanceof Error && "endsSession" in error && error.endsSession === true;
      this.listener.onState(hasEnded ? "ended" : "failed", /** @type {Error} */ (error));
      this.#wait(document.hidden ? HIDDEN_MS : FAILED_MS);
    }
  }

  async #fresh() {
    const query = new URLSearchParams(this.query);
    const since = Math.max(this.#newest - LATE_MS, this.asked - SKEW_MS);
    const from = Math.floor(since / STEP_MS) * STEP_MS;
    const own = query.get("from");
    if (!own || Date.parse(own) < from) query.set("from", new Date(from).toISOString());
    query.set("limit", String(PAGE));
    /** @type {Entry[]} */
    const fresh = [];
    let pages = 0;
    let cursor = null;
    let goesOn = true;
    while (goesOn) {
      const page = await listing(query, this.#stop.signal);
      const added = page.entries.filter((entry) => !this.#known.has(identityOf(entry)));
      for (const entry of added) this.#known.add(identityOf(entry));
      fresh.push(...added);
      cursor = page.next_cursor;
      if (cursor) query.set("cursor", cursor);
      // A page without anything new ends it, unless it is empty: then the filter has left everything out.
      const isKnown = page.entries.length > 0 && added.length === 0;
      goesOn = cursor !== null && !isKnown && ++pages < MOST_PAGES;
      if (isKnown) cursor = null;
    }
    if (fresh.length) this.#newest = Math.max(this.#newest, Date.parse(fresh[0].recorded_at));
    return { fresh, mayLack: cursor !== null };
  }
}
