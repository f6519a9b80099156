/** Charts, drawn as SVG. What they show is in a table below each, which is what screen readers get. */

import { h, svg } from "./dom.js";
import { count } from "./format.js";

const HEIGHT = 200;
const BOTTOM = 24;
const TOP = 16;
const SPACE = HEIGHT - TOP - BOTTOM;
/** Where the first bar begins, and how much of its place a bar takes, in percent. */
const LEFT = 4;
const FILLED = 70;
const LABELS = 6;
const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/**
 * Bars with parts on top of each other, as wide as there is room.
 * @param {{label: string, href: string, parts: {name: string, value: number}[]}[]} bars
 */
export function stackedBars(bars) {
  const top = rounded(
    Math.max(1, ...bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0))),
  );
  const slot = (100 - LEFT) / bars.length;
  const every = Math.ceil(bars.length / LABELS);
  const drawn = bars.map(({ label, href, parts }, at) => {
    const x = LEFT + slot * at;
    let y = TOP + SPACE;
    const pieces = parts
      .filter(({ value }) => value > 0)
      .map(({ name, value }) => {
        const height = Math.max(1.5, (value / top) * SPACE);
        y -= height;
        const width = `${(slot * FILLED) / 100}%`;
        return svg("rect", {
          class: `bar ${name}`,
          x: `${x + (slot * (100 - FILLED)) / 200}%`,
          y,
          width,
          height,
        });
      });
    const text = parts.map(({ name, value }) => `${count(value)} ${name.toLowerCase()}`).join(", ");
    return svg(
      "a",
      { href, tabindex: "-1" },
      svg("title", {}, `${label}: ${text}`),
      svg("rect", { class: "reach", x: `${x}%`, y: TOP, width: `${slot}%`, height: SPACE }),
      pieces,
      (bars.length - 1 - at) % every === 0
        ? svg("text", { x: `${x + slot}%`, y: HEIGHT - 6, "text-anchor": "end" }, label)
        : null,
    );
  });
  return svg(
    "svg",
    { class: "chart", height: HEIGHT, width: "100%", "aria-hidden": "true" },
    grid(top),
    drawn,
  );
}

/** @param {number} top */
function grid(top) {
  return [0, top / 2, top].filter(Number.isInteger).map((value) => {
    const y = TOP + SPACE - (value / top) * SPACE;
    return svg(
      "g",
      {},
      svg("line", { class: "grid", x1: "0", x2: "100%", y1: y, y2: y }),
      value ? svg("text", { x: "0", y: y - 4 }, count(value)) : null,
    );
  });
}

/** The next round number. @param {number} value */
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return (STEPS.find((step) => step * power >= value) ?? 10) * power;
}

/**
 * A list of names with bars, which is a table at the same time.
 * @param {string[]} columns The names of both columns.
 * @param {{name: import("./dom.js").Child, value: number, className?: string}[]} lines
 */
export function barTable(columns, lines) {
  const most = Math.max(1, ...lines.map(({ value }) => value));
  return h(
    "table",
    { class: "bars" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((name, at) => h("th", { scope: "col", class: at ? "number" : null }, name)),
      ),
    ),
    h(
      "tbody",
      {},
      lines.map(({ name, value, className = "" }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, name),
          h(
            "td",
            { class: "number" },
            svg(
              "svg",
              { class: "measure", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
              svg("rect", {
                class: `bar ${className}`,
                x: 0,
                y: 0,
                width: Math.max(0.5, (value / most) * 100),
                height: 8,
              }),
            ),
            h("span", {}, count(value)),
          ),
        ),
      ),
    ),
  );
}
