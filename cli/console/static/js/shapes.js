/** Small drawings: an outcome and a state have a shape as well as a colour and a word. */

import { h, svg } from "./dom.js";
import { OUTCOMES } from "./words.js";

const PATHS = {
  ACCEPTED: [svgCircle(), ["path", { d: "M5 8.3l2.1 2.1L11.2 6", class: "stroke inner" }]],
  DUPLICATE: [
    ["rect", { x: 5.2, y: 5.2, width: 9, height: 9, rx: 1.6, class: "fill" }],
    ["path", { d: "M3 10.2V3.6A.8.8 0 0 1 3.8 2.8h6.4", class: "stroke" }],
  ],
  REJECTED: [
    ["path", { d: "M8 1.2l6.8 6.8L8 14.8 1.2 8z", class: "fill" }],
    ["path", { d: "M5.9 5.9l4.2 4.2M10.1 5.9L5.9 10.1", class: "stroke inner" }],
  ],
  holds: [svgCircle(), ["path", { d: "M5 8.3l2.1 2.1L11.2 6", class: "stroke inner" }]],
  fails: [
    ["path", { d: "M8 1.2l6.8 6.8L8 14.8 1.2 8z", class: "fill" }],
    ["path", { d: "M5.9 5.9l4.2 4.2M10.1 5.9L5.9 10.1", class: "stroke inner" }],
  ],
  open: [["circle", { cx: 8, cy: 8, r: 5.8, class: "stroke dashed" }]],
  working: [["circle", { cx: 8, cy: 8, r: 5.8, class: "stroke dashed turning" }]],
};

function svgCircle() {
  return ["circle", { cx: 8, cy: 8, r: 6.6, class: "fill" }];
}

/** @param {keyof typeof PATHS} name */
export function shape(name) {
  const parts = PATHS[name].map(([tag, attributes]) =>
    svg(String(tag), /** @type {Record<string, unknown>} */ (attributes)),
  );
  return svg("svg", { class: `shape ${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, parts);
}

/** @param {import("./words.js").Outcome} outcome */
export function outcomeMark(outcome) {
  return h("span", { class: `outcome ${outcome}` }, shape(outcome), OUTCOMES[outcome].word);
}
