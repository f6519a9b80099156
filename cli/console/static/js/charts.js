/** Charts, drawn as SVG. What they show is in a table below each, which is what screen readers get. */

import { h, svg } from "./dom.js";
import { count } from "./format.js";

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;

/**
 * Bars with parts on top of each other.
 * @param {{label: string, href: string, parts: {name: string, value: number}[]}[]} bars
 */
export function stackedBars(bars) {
  const most = Math.max(1, ...bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0)));
  const top = nice(most);
  const space = HEIGHT - TOP - BOTTOM;
  const slot = (WIDTH - LEFT) / bars.length;
  const width = Math.max(2, Math.min(34, slot * 0.7));
  const every = Math.ceil(bars.length / 8);
  const drawn = bars.map(({ label, href, parts }, at) => {
    const x = LEFT + slot * at + (slot - width) / 2;
    let y = TOP + space;
    const pieces = parts
      .filter(({ value }) => value > 0)
      .map(({ name, value }) => {
        const height = Math.max(1.5, (value / top) * space);
        y -= height;
        return svg("rect", { class: `bar ${name}`, x, y, width, height });
      });
    const text = parts.map(({ name, value }) => `${count(value)} ${name.toLowerCase()}`).join(", ");
    return svg(
      "a",
      { href, tabindex: "-1" },
      svg("title", {}, `${label}: ${text}`),
      svg("rect", { class: "reach", x: LEFT + slot * at, y: TOP, width: slot, height: space }),
      pieces,
      at % every === 0
        ? svg("text", { x: x + width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, label)
        : null,
    );
  });
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, grid(top, space), drawn);
}

/** @param {number} top @param {number} space */
function grid(top, space) {
  return [0, top / 2, top].filter(Number.isInteger).map((value) => {
    const y = TOP + space - (value / top) * space;
    return svg(
      "g",
      {},
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
      svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, count(value)),
    );
  });
}

/** A round number that isn't less. @param {number} value */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
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
    h("thead", {}, h("tr", {}, columns.map((name, at) => h("th", { scope: "col", class: at ? "number" : null }, name)))),
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
              svg("rect", { class: `bar ${className}`, x: 0, y: 0, width: Math.max(0.5, (value / most) * 100), height: 8 }),
            ),
            h("span", {}, count(value)),
          ),
        ),
      ),
    ),
  );
}
