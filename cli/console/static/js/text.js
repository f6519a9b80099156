/**
 * Shows text that somebody else has chosen, such as a key. Whatever nobody sees, or changes how other characters
 * look, is shown by its number; a letter that looks like one of another script is marked.
 */

import { h } from "./dom.js";

/**
 * @typedef {{kind: "plain", text: string}
 *   | {kind: "unseen", text: string, label: string, title: string}
 *   | {kind: "lookalike", text: string, title: string}} Part
 */

const NAMES = new Map([
  [0x0000, "NUL"],
  [0x0009, "tab"],
  [0x000a, "line feed"],
  [0x000d, "carriage return"],
  [0x001b, "escape"],
  [0x0020, "space at the end"],
  [0x00a0, "no-break space"],
  [0x00ad, "soft hyphen"],
  [0x061c, "Arabic letter mark"],
  [0x200b, "zero width space"],
  [0x200c, "zero width non-joiner"],
  [0x200d, "zero width joiner"],
  [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"],
  [0x2028, "line separator"],
  [0x2029, "paragraph separator"],
  [0x202a, "left-to-right embedding"],
  [0x202b, "right-to-left embedding"],
  [0x202c, "end of a change of direction"],
  [0x202d, "left-to-right override"],
  [0x202e, "right-to-left override"],
  [0x2060, "word joiner"],
  [0x2066, "left-to-right isolate"],
  [0x2067, "right-to-left isolate"],
  [0x2068, "isolate of either direction"],
  [0x2069, "end of an isolate"],
  [0xfeff, "byte order mark"],
]);

/** What nobody sees: categories C, Zl and Zp, spaces but U+0020, and letters and marks without ink. */
const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u{A0}\u{1680}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}\u{34F}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{2800}\u{3164}\u{FFA0}\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}]/u;
/** Most names have nothing else, and needn't be taken apart: ASCII, and Latin letters with marks. */
const ORDINARY = /^(?! )[ -~\u{C0}-\u{24F}]+(?<! )$/u;
const SPACE_AT_AN_END = /^ | $/u;

const LETTERS = /[\p{L}\p{M}]+/gu;
const LATIN = /\p{Script=Latin}/u;

/** More marks than this on one letter hide what is around it. */
const MOST_MARKS = 2;
const MARK = /\p{M}/u;

/** Letters of other scripts that look like Latin ones (from Unicode's confusables), by what they look like. */
const LOOKALIKES = new Map(
  Object.entries({
    A: "АΑ",
    B: "ВΒ",
    C: "СϹ",
    E: "ЕΕ",
    H: "НΗ",
    I: "ІΙ",
    J: "ЈͿ",
    K: "КΚ",
    M: "МΜ",
    N: "Ν",
    O: "ОΟՕ",
    P: "РΡ",
    S: "ЅՏ",
    T: "ТΤ",
    X: "ХΧ",
    Y: "ҮΥ",
    Z: "Ζ",
    a: "аα",
    c: "сϲ",
    d: "ԁ",
    e: "е",
    g: "ց",
    h: "һհ",
    i: "іι",
    j: "јϳ",
    l: "ӏ",
    n: "ո",
    o: "оοօ",
    p: "рρ",
    q: "ԛգ",
    s: "ѕ",
    u: "սυ",
    v: "ν",
    w: "ԝ",
    x: "х",
    y: "уγ",
  }).flatMap(([latin, others]) => [...others].map((other) => [other, latin])),
);

/** Signs that look like those with a meaning in keys, whatever is around them. */
const SIGNS = new Map(
  Object.entries({ "/": "⁄∕⧸", ".": "․", "\\": "⧵∖" }).flatMap(([sign, others]) =>
    [...others].map((other) => [other, sign]),
  ),
);

/**
 * Take a text apart.
 * @param {string} text
 * @returns {Part[]}
 */
export function partsOf(text) {
  if (ORDINARY.test(text)) return [{ kind: "plain", text }];
  const lookalikes = lookalikesIn(text);
  /** @type {Part[]} */
  const parts = [];
  let at = 0;
  let marks = 0;
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0;
    const isAtEnd = (at === 0 || at === text.length - 1) && SPACE_AT_AN_END.test(character);
    const like = lookalikes.get(at) ?? SIGNS.get(character) ?? compatible(character);
    if (UNSEEN.test(character) || isAtEnd || marks > MOST_MARKS) {
      parts.push(unseen(character));
    } else if (like) {
      parts.push({
        kind: "lookalike",
        text: character,
        title: `${number(character)}, which looks like ${like} but isn't`,
      });
    } else if (parts.at(-1)?.kind === "plain") {
      /** @type {Part} */ (parts.at(-1)).text += character;
    } else {
      parts.push({ kind: "plain", text: character });
    }
    at += character.length;
  }
  return parts;
}

/** Whether a text has anything that has to be marked. @param {string} text */
export function isSuspicious(text) {
  return partsOf(text).some((part) => part.kind !== "plain");
}

/**
 * Make an element that shows a text, and stays what it is whatever the text has.
 * @param {string} text
 * @param {string} [className]
 */
export function safely(text, className = "") {
  return h("bdi", { class: `given ${className}`.trim(), dir: "ltr" }, partsOf(text).map(shown));
}

/** Remarks about an entry, one after another. @param {import("./entry.js").Remark[]} remarks */
export function inARow(remarks) {
  return remarks.flatMap(({ words, key, detail }, at) => [
    at ? "; " : null,
    words,
    ...(key === undefined ? [] : [" ", safely(key)]),
    ...(detail === undefined ? [] : [": ", safely(detail)]),
  ]);
}

/** A message, in which what is to be typed stands between backticks. @param {string} text */
export function withCode(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? h("code", {}, part) : part));
}

/** The last folder of a key isn't what one looks for: it is shown less than the name. @param {string} key */
export function safeKey(key) {
  const end = key.lastIndexOf("/", key.length - 2) + 1;
  return h(
    "bdi",
    { class: "given key", dir: "ltr" },
    end ? h("span", { class: "folders" }, partsOf(key.slice(0, end)).map(shown)) : null,
    h("span", { class: "name" }, partsOf(key.slice(end)).map(shown)),
  );
}

/** @param {Part} part */
function shown(part) {
  if (part.kind === "plain") return part.text;
  if (part.kind === "unseen") return h("span", { class: "unseen", title: part.title }, part.label);
  return h(
    "span",
    { class: "lookalike", title: part.title },
    part.text,
    h("span", { class: "unheard" }, ` (${part.title}) `),
  );
}

/** @param {string} character @returns {Part} */
function unseen(character) {
  const name = NAMES.get(/** @type {number} */ (character.codePointAt(0)));
  const label = number(character);
  return {
    kind: "unseen",
    text: character,
    label,
    title: name ? `${label}, ${name}` : `${label}, not a visible character`,
  };
}

/** @param {string} character */
function number(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Where letters look like Latin ones: in a word that has Latin letters too, or that has nothing but such letters.
 * @param {string} text
 * @returns {Map<number, string>}
 */
function lookalikesIn(text) {
  const found = new Map();
  for (const { 0: word, index } of text.matchAll(LETTERS)) {
    const letters = [...word];
    if (!letters.some((letter) => LOOKALIKES.has(letter))) continue;
    const isMixed = letters.some((letter) => LATIN.test(letter));
    if (!isMixed && !letters.every((letter) => LOOKALIKES.has(letter))) continue;
    let at = index;
    for (const letter of letters) {
      if (LOOKALIKES.has(letter)) found.set(at, LOOKALIKES.get(letter));
      at += letter.length;
    }
  }
  return found;
}

/** What ASCII character a full-width or mathematical one stands for. @param {string} character */
function compatible(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  if (!((code >= 0xff01 && code <= 0xff5e) || (code >= 0x1d400 && code <= 0x1d7ff))) return undefined;
  const normal = character.normalize("NFKC");
  return /^[!-~]$/.test(normal) ? normal : undefined;
}
