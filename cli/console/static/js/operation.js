/** What an operator sees: queues, dead letters, what isn't recorded, backed or sealed, and alarms. */

import { Problem, redrive } from "./api.js";
import { fill, h } from "./dom.js";
import { clock, count, counted, duration, moment } from "./format.js";
import { shape } from "./shapes.js";
import { safeKey, safely, withCode } from "./text.js";

/**
 * @typedef {{value: any} | {unavailable: string}} Item
 * @typedef {{name: string, state: string, since: string | null, reason: string | null,
 *   description: string | null}} Alarm
 * @typedef {{id: string, first_sent_at: string, state: string, reason: string | null, more_uploads: number,
 *   uploads: {bucket: string, key: string, version_id: string}[]}} Letter
 */

/**
 * @param {Record<string, Item>} answer
 * @param {HTMLElement} said Says what became of a redrive. It stays when the rest is shown anew.
 * @param {() => void} refresh
 */
export function operated(answer, said, refresh) {
  return [
    h(
      "dl",
      { class: "totals" },
      figure("Waiting to be processed", answer.backlog, ({ uploads, resends }) => {
        const resent = resends.waiting + resends.in_work;
        const all = uploads.waiting + uploads.in_work + resent;
        const part = resent < all ? ` ${count(resent)} of them resent` : " resent";
        return [count(all), resent ? h("small", {}, part) : null];
      }),
      figure("Uploads without an entry", answer.missing, alarming),
      figure("Receipts without an object", answer.unbacked, alarming),
      figure("Oldest unsealed entry", answer.unsealed, (age) => [age ? duration(age * 1000) : "none"]),
    ),
    alarms(answer.alarms),
    h("h3", {}, "Dead letters"),
    letters(answer.dead_letters, said, refresh),
    said,
  ];
}

/**
 * @param {string} name
 * @param {Item | undefined} item
 * @param {(value: any) => import("./dom.js").Child[]} shown
 */
function figure(name, item, shown) {
  const isKnown = item !== undefined && "value" in item;
  const why = item && "unavailable" in item ? item.unavailable : "no answer";
  return h(
    "div",
    {},
    h("dt", {}, name),
    h("dd", {}, isKnown ? shown(item.value) : h("small", {}, withCode(`Not known: ${why}`))),
  );
}

/** Anything but zero is wrong. @param {number} value */
function alarming(value) {
  return [value > 0 ? h("span", { class: "alarming" }, shape("fails"), count(value)) : count(value)];
}

/** @param {Item | undefined} item */
function alarms(item) {
  if (!item || "unavailable" in item)
    return h("p", {}, withCode(`Alarms: not known: ${item?.unavailable ?? "no answer"}`));
  /** @type {Alarm[]} */
  const all = item.value;
  const active = all.filter(({ state }) => state === "ALARM");
  if (!active.length)
    return h(
      "p",
      { class: "check holds" },
      shape("holds"),
      ` ${all.length ? `None of the ${count(all.length)} alarms is on` : "The stack has no alarms"}`,
    );
  return h(
    "ul",
    { class: "alarms" },
    active.map(({ name, since, description }) =>
      h(
        "li",
        { class: "check fails" },
        shape("fails"),
        " ",
        h("strong", {}, safely(name)),
        since ? ` since ${moment(since)}. ` : ". ",
        description ? safely(description) : null,
      ),
    ),
  );
}

/** @param {Item | undefined} item @param {HTMLElement} said @param {() => void} refresh */
function letters(item, said, refresh) {
  if (!item || "unavailable" in item)
    return h("p", {}, withCode(`Not known: ${item?.unavailable ?? "no answer"}`));
  /** @type {Letter[]} */
  const all = item.value;
  if (!all.length) return h("p", {}, "There are none.");
  const button = h("button", { type: "submit" }, "Redrive the chosen ones");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const ids = [...form.querySelectorAll("input:checked")].map(
      (box) => /** @type {HTMLInputElement} */ (box).value,
    );
    if (!ids.length) {
      fill(said, "Choose at least one.");
      return;
    }
    button.disabled = true;
    try {
      const { redriven } = await redrive(ids);
      fill(
        said,
        `${counted(redriven.length, "message")} sent back to be processed, ${clock(new Date().toISOString())} UTC. `,
        "What fails again comes back here after five deliveries.",
      );
      button.blur();
      refresh();
    } catch (error) {
      fill(said, withCode(error instanceof Problem ? `${error.title}. ${error.message}` : String(error)));
    } finally {
      button.disabled = false;
    }
  };
  const form = h(
    "form",
    { submit },
    h("ul", { class: "letters" }, all.map(letterLine)),
    h("p", {}, button),
  );
  return form;
}

/** @param {Letter} letter */
function letterLine({ id, uploads: [first], more_uploads: more, reason, state, first_sent_at: sent }) {
  const box = h("input", { type: "checkbox", value: id, id: `letter-${id}` });
  const name = first ? safeKey(first.key) : h("code", {}, safely(id));
  return h(
    "li",
    {},
    box,
    h(
      "div",
      {},
      h("label", { for: box.id }, name),
      more ? ` and ${counted(more, "more upload")}` : null,
      h("div", {}, reason === null ? "Why it failed isn't known" : safely(reason)),
      h("small", {}, `${state}, first sent on ${moment(sent)}`),
      state === "unreadable"
        ? h(
            "small",
            {},
            withCode(". If it was sent by mistake, a redrive can't help: `bill-e dead-letters delete` removes it."),
          )
        : null,
    ),
  );
}
