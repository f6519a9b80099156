/**
 * A table of any length that scrolls with the page. Only the rows that are seen are in the document, and the one
 * that has the focus. All rows have the same height, which the style sheet gives.
 */

import { h } from "./dom.js";

const OVERSCAN = 12;

/** @template Item */
export class Rows {
  /** @type {Item[]} */
  items = [];
  /** @type {Map<number, HTMLElement>} */
  #shown = new Map();
  #height = 36;
  #frame = 0;
  /** @type {number | null} */
  #focused = null;

  /**
   * @param {(item: Item, index: number) => HTMLElement} make Makes a row, with one link in it.
   * @param {(last: number) => void} onRange Hears of the last row that is seen.
   */
  constructor(make, onRange) {
    this.make = make;
    this.onRange = onRange;
    this.element = h("div", { class: "rows", role: "rowgroup", keydown: this.#onKey });
    this.element.addEventListener("focusin", (event) => {
      this.#focused = this.#indexOf(/** @type {Element} */ (event.target));
    });
    this.element.addEventListener("focusout", () => {
      this.#focused = null;
    });
  }

  /** Begin to follow the page's scrolling. @returns {() => void} Ends it. */
  follow() {
    const stop = new AbortController();
    addEventListener("scroll", this.schedule, { signal: stop.signal, passive: true });
    addEventListener("resize", this.redraw, { signal: stop.signal });
    this.redraw();
    return () => stop.abort();
  }

  /** @param {Item[]} items */
  replace(items) {
    this.items = items;
    this.#focused = null;
    this.redraw();
  }

  /** @param {Item[]} items */
  append(items) {
    this.items.push(...items);
    this.#resize();
    this.schedule();
  }

  /**
   * Add rows where they belong, and return where they are then. What is below them moves down.
   * @param {Item[]} items In order.
   * @param {(one: Item, other: Item) => boolean} isBefore
   */
  insert(items, isBefore) {
    let at = 0;
    const places = items.map((item) => {
      while (at < this.items.length && !isBefore(item, this.items[at])) at++;
      this.items.splice(at, 0, item);
      if (this.#focused !== null && at <= this.#focused) this.#focused++;
      return at++;
    });
    this.redraw();
    for (const place of places) this.#shown.get(place)?.classList.add("new");
    return places;
  }

  /** Which row has the focus. */
  get focused() {
    return this.#focused;
  }

  /** Whether a row has the focus, and the person sees it. A click leaves it behind unseen. */
  get isUsedByKeys() {
    return this.#focused !== null && this.element.querySelector(":focus-visible") !== null;
  }

  redraw = () => {
    const focused = this.#focused;
    for (const row of this.#shown.values()) row.remove();
    this.#shown.clear();
    this.#resize();
    this.draw();
    if (focused !== null) this.focus(focused);
  };

  schedule = () => {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  };

  #resize() {
    this.#height = this.#measured();
    this.element.style.setProperty("height", `${this.items.length * this.#height}px`);
  }

  /** The height that the style sheet gives, in pixels. */
  #measured() {
    const probe = h("div", { class: "row probe" });
    this.element.append(probe);
    const { height } = probe.getBoundingClientRect();
    probe.remove();
    return height || 36;
  }

  draw() {
    const top = -this.element.getBoundingClientRect().top;
    const seen = { first: Math.floor(top / this.#height), last: Math.ceil((top + innerHeight) / this.#height) };
    const [begin, end] = [Math.max(0, seen.first), Math.min(this.items.length - 1, seen.last)];
    // When all rows are new, those that aren't seen can wait for the next frame.
    const isJump = begin <= end && !this.#shown.has(begin) && !this.#shown.has(end);
    const spare = isJump ? 0 : OVERSCAN;
    const first = Math.max(0, seen.first - spare);
    const last = Math.min(this.items.length - 1, seen.last + spare);
    for (const [index, row] of this.#shown) {
      if ((index < first || index > last) && index !== this.#focused) {
        row.remove();
        this.#shown.delete(index);
      }
    }
    const below = this.#focused !== null && this.#focused > last ? this.#shown.get(this.#focused) : null;
    for (let index = last, next = below ?? null; index >= first; index--) {
      next = this.#shown.get(index) ?? this.#show(index, next);
    }
    this.onRange(last);
    if (isJump) this.schedule();
  }

  /** @param {number} index @param {HTMLElement | null} next The row that comes after it. */
  #show(index, next) {
    const row = this.make(this.items[index], index);
    row.style.setProperty("transform", `translateY(${index * this.#height}px)`);
    row.dataset.index = String(index);
    this.element.insertBefore(row, next);
    this.#shown.set(index, row);
    return row;
  }

  /** @param {number} index */
  #after(index) {
    const later = [...this.#shown.keys()].filter((other) => other > index);
    return this.#shown.get(Math.min(...later)) ?? null;
  }

  /** @param {Element} element */
  #indexOf(element) {
    const row = /** @type {HTMLElement | null} */ (element.closest(".row"));
    return row?.dataset.index === undefined ? null : Number(row.dataset.index);
  }

  /** Move the focus to a row, and scroll to it. @param {number} index */
  focus(index) {
    const at = Math.max(0, Math.min(this.items.length - 1, index));
    const row = this.#shown.get(at) ?? this.#show(at, this.#after(at));
    row.scrollIntoView({ block: "nearest" });
    row.querySelector("a")?.focus({ preventScroll: true });
  }

  #onKey = (/** @type {KeyboardEvent} */ event) => {
    if (this.#focused === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const page = Math.max(1, Math.floor(innerHeight / this.#height) - 4);
    const target = {
      ArrowDown: this.#focused + 1,
      ArrowUp: this.#focused - 1,
      PageDown: this.#focused + page,
      PageUp: this.#focused - page,
      Home: 0,
      End: this.items.length - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.focus(target);
  };
}
