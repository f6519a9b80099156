import assert from "node:assert/strict";
import { test } from "node:test";

import { isSuspicious, partsOf } from "../../../../cli/console/static/js/text.js";

test("ordinary names of any language are shown as they are", () => {
  for (const name of [
    "2026/11/taxi.png",
    "Bäckerei Süß – Quittung.webp",
    "taxi 領収書.heic",
    "чек такси.pdf",
    "Απόδειξη.pdf",
    "קבלה.png",
    "إيصال.pdf",
    "रसीद.pdf",
    "e\u0301clair.png",
    "🧾.png",
    "a  b.png",
    "Ελλάδα 2026.pdf",
  ]) {
    assert.deepEqual(partsOf(name), [{ kind: "plain", text: name }]);
  }
});

test("what nobody sees is shown by its number", () => {
  for (const [text, label, title] of [
    ["invoice\u202Egpj.exe", "U+202E", /right-to-left override/],
    ["a\u0000b", "U+0000", /NUL/],
    ["a\nb", "U+000A", /line feed/],
    ["a\u001b[31mb", "U+001B", /escape/],
    ["a\u200bb", "U+200B", /zero width space/],
    ["a\u2066b", "U+2066", /isolate/],
    ["a\u00a0b", "U+00A0", /no-break space/],
    ["a\u3164b", "U+3164", /not a visible/],
    ["a\ue000b", "U+E000", /not a visible/],
    ["a\u{e0041}b", "U+E0041", /not a visible/],
    ["a\ud800b", "U+D800", /not a visible/],
    ["a.png ", "U+0020", /space at the end/],
    [" a.png", "U+0020", /space at the end/],
  ]) {
    const part = partsOf(text).find(({ kind }) => kind === "unseen");
    assert.equal(part?.label, label, JSON.stringify(text));
    assert.match(part.title, title);
  }
});

test("letters that look like Latin ones are marked", () => {
  for (const [text, letters] of [
    ["pаypal.pdf", "а"],
    ["раурal.pdf", "рауp".replace("p", "р")],
    ["Αpple.pdf", "Α"],
    ["сор.pdf", "сор"],
    ["ｐdf", "ｐ"],
    ["𝐀bc", "𝐀"],
    ["2026∕11∕a.png", "∕∕"],
    ["a․png", "․"],
  ]) {
    const marked = partsOf(text).filter(({ kind }) => kind === "lookalike");
    assert.equal(marked.map((part) => part.text).join(""), letters, text);
    assert.match(marked[0].title, /^U\+[0-9A-F]+, which looks like . but isn't$/);
  }
});

test("a pile of marks doesn't hide what is around it", () => {
  const text = `a${"\u0301".repeat(20)}b`;
  const parts = partsOf(text);
  assert.equal(parts[0].text, "a\u0301\u0301");
  assert.equal(parts.filter(({ kind }) => kind === "unseen").length, 18);
});

test("nothing is lost", () => {
  const text = " \u202E<script>pаy\u0000\ud800\u{1f600}\u0301\u0301\u0301\u0301 ";
  assert.equal(
    partsOf(text)
      .map((part) => part.text)
      .join(""),
    text,
  );
  assert.equal(isSuspicious(text), true);
  assert.equal(isSuspicious("taxi.png"), false);
});
