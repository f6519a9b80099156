/** The controls with which the ledger is filtered. */

import { h } from "./dom.js";
import { countOf, NONE, periodOf, periods, toAddress } from "./filters.js";
import { FINDINGS, OUTCOMES, REASONS } from "./words.js";

/** @typedef {import("./filters.js").Filter} Filter */

const TYPING_MS = 300;

export class FilterForm {
  #filter = { ...NONE };
  #typing = 0;

  /** @param {(filter: Filter, isTyping: boolean) => void} onFilter */
  constructor(onFilter) {
    this.onFilter = onFilter;
    this.outcome = h(
      "select",
      {
        id: "filter-outcome",
        change: () => this.#set({ outcome: this.outcome.value, ...this.#reasonFor(this.outcome.value) }),
      },
      h("option", { value: "" }, "All outcomes"),
      Object.entries(OUTCOMES).map(([value, { word }]) => h("option", { value }, word)),
    );
    this.what = h(
      "select",
      { id: "filter-what", change: () => this.#setWhat(this.what.value) },
      h("option", { value: "" }, "Any"),
      group("Rejected because", "reason", REASONS),
      group("Found in the file", "finding", FINDINGS),
    );
    this.period = h(
      "select",
      { id: "filter-period", change: () => this.#setPeriod(this.period.value) },
      h("option", { value: "" }, "Any time"),
      periods(Date.now()).map(({ name, word }) => h("option", { value: name }, word)),
      h("option", { value: "dates" }, "Between dates…"),
    );
    this.from = h("input", {
      id: "filter-from",
      type: "date",
      change: () => this.#set({ from: this.from.value }),
    });
    this.to = h("input", { id: "filter-to", type: "date", change: () => this.#set({ to: this.to.value }) });
    this.uploader = this.#text("uploader", "filter-uploader", "such as erika");
    this.key = this.#text("key", "filter-key", "such as taxi");
    this.dates = h(
      "div",
      { class: "dates", hidden: true },
      field("First day", this.from),
      field("Last day", this.to),
    );
    this.clear = h(
      "button",
      { type: "button", class: "quiet", click: () => this.#set({ ...NONE }) },
      "Clear",
    );
    this.toggle = h(
      "button",
      {
        type: "button",
        class: "quiet toggle",
        "aria-expanded": "false",
        "aria-controls": "filter-fields",
        click: () => this.#open(),
      },
      "Filters",
    );
    this.fields = h(
      "div",
      { class: "fields", id: "filter-fields" },
      field("Outcome", this.outcome),
      field("Reason or finding", this.what),
      field("Recorded", this.period),
      this.dates,
      field("Text in the key", this.key),
      field("Uploader", this.uploader),
      this.clear,
    );
    this.element = h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filters",
        submit: (/** @type {Event} */ event) => event.preventDefault(),
      },
      this.toggle,
      this.fields,
    );
  }

  /** @param {Filter} filter */
  show(filter) {
    this.#filter = { ...filter };
    const number = countOf(filter);
    this.outcome.value = filter.outcome;
    this.what.value = filter.reason
      ? `reason:${filter.reason}`
      : filter.finding
        ? `finding:${filter.finding}`
        : "";
    const period = periodOf(filter, Date.now());
    if (period || this.period.value !== "dates") this.period.value = period;
    this.dates.hidden = this.period.value !== "dates";
    this.from.value = filter.from.slice(0, 10);
    this.to.value = filter.to.slice(0, 10);
    for (const name of /** @type {const} */ (["uploader", "key"])) {
      if (document.activeElement !== this[name]) this[name].value = filter[name];
    }
    this.clear.hidden = number === 0;
    this.toggle.textContent = number ? `Filters (${number})` : "Filters";
  }

  /** @param {Partial<Filter>} change @param {boolean} [isTyping] */
  #set(change, isTyping = false) {
    clearTimeout(this.#typing);
    if (!isTyping && document.activeElement === this.clear) this.outcome.focus();
    const filter = { ...this.#filter, ...change };
    // A field that is left tells its text again. Whatever was clicked must not be replaced by then.
    if (String(toAddress(filter)) !== String(toAddress(this.#filter))) this.onFilter(filter, isTyping);
  }

  /**
   * A reason only goes with rejections, and a finding never does.
   * @param {string} outcome
   * @returns {Partial<Filter>}
   */
  #reasonFor(outcome) {
    if (outcome === "REJECTED") return { finding: "" };
    return outcome ? { reason: "" } : {};
  }

  /** @param {string} value */
  #setWhat(value) {
    const [kind, name] = value.split(":");
    const { outcome } = this.#filter;
    this.#set({
      reason: kind === "reason" ? name : "",
      finding: kind === "finding" ? name : "",
      outcome:
        (kind === "reason" && outcome !== "REJECTED") || (kind === "finding" && outcome === "REJECTED")
          ? ""
          : outcome,
    });
  }

  /** @param {string} name */
  #setPeriod(name) {
    const period = periods(Date.now()).find((each) => each.name === name);
    if (period) this.#set({ from: period.from, to: period.to });
    else if (name === "") this.#set({ from: "", to: "" });
    else {
      this.dates.hidden = false;
      this.from.focus();
    }
  }

  #open() {
    const isOpen = this.element.classList.toggle("open");
    this.toggle.setAttribute("aria-expanded", String(isOpen));
  }

  /** @param {"uploader" | "key"} name @param {string} id @param {string} hint */
  #text(name, id, hint) {
    const input = h("input", {
      id,
      type: "search",
      placeholder: hint,
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 1024,
      input: () => {
        clearTimeout(this.#typing);
        this.#typing = window.setTimeout(() => this.#set({ [name]: input.value.trim() }, true), TYPING_MS);
      },
      change: () => this.#set({ [name]: input.value.trim() }, true),
    });
    return input;
  }
}

/** @param {string} label @param {HTMLElement} control */
function field(label, control) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

/** @param {string} label @param {string} kind @param {Record<string, {word: string}>} words */
function group(label, kind, words) {
  const options = Object.entries(words).map(([name, { word }]) =>
    h("option", { value: `${kind}:${name}` }, word),
  );
  return h("optgroup", { label }, options);
}
