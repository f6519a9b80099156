/** Shows what has been checked. "Verified" is only said of what this page has computed itself. */

import { fill, h } from "./dom.js";
import { fileName } from "./document.js";
import { count } from "./format.js";
import { hex } from "./proof.js";
import { shape } from "./shapes.js";
import { withCode } from "./text.js";

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {import("./seal.js").Seal} Seal */
/** @typedef {import("./document.js").FileCheck} FileCheck */

export class ProofView {
  /** @type {FileCheck | null} */
  #file = null;
  /** @type {Seal | null} */
  #seal = null;
  #proofUrl = "";

  /** @param {Entry} entry @param {import("./api.js").Session} session */
  constructor(entry, session) {
    this.entry = entry;
    this.session = session;
    this.verdict = h("div", { class: "verdict", role: "status" });
    this.element = h("div", { class: "proof" });
    this.#draw();
  }

  /** @param {FileCheck} check */
  showFile(check) {
    this.#file = check;
    this.#draw();
  }

  /** @param {Seal} seal */
  showSeal(seal) {
    this.#seal = seal;
    this.#draw();
  }

  #draw() {
    const { state, text } = this.#judged();
    const marks = {
      verified: "holds",
      failed: "fails",
      working: "working",
      unchecked: "open",
      unsealed: "open",
    };
    const words = {
      verified: "Verified",
      failed: "Not verified",
      working: "Checking…",
      unchecked: "Not checked",
      unsealed: "Not sealed yet",
    };
    this.verdict.className = `verdict ${state}`;
    fill(
      this.verdict,
      h("strong", {}, shape(/** @type {"holds"} */ (marks[state])), words[state]),
      " ",
      withCode(text),
    );
    fill(this.element, h("ol", { class: "steps" }, this.#steps()), this.#key(), this.#download());
  }

  /** @returns {{state: Seal["state"], text: string}} */
  #judged() {
    const file = this.#file;
    const seal = this.#seal;
    if (file?.holds === false) return { state: "failed", text: "The file isn't the one that was recorded." };
    if (seal?.state === "failed") return { state: "failed", text: `The entry isn't proved: ${seal.why}.` };
    if (!seal || seal.state === "working" || !file || (file.holds === null && file.why === null)) {
      return { state: "working", text: "" };
    }
    if (seal.state !== "verified") {
      const text = file.holds ? "The file has its fingerprint. " : "";
      return { state: seal.state, text: `${text}${seal.why}` };
    }
    if (file.holds)
      return { state: "verified", text: "The file and the entry are as they were recorded and sealed." };
    return { state: "unchecked", text: `The entry is as it was sealed, but ${file.why}.` };
  }

  #steps() {
    const file = this.#file;
    const seal = this.#seal;
    const check = seal?.check ?? null;
    const isWorking = !seal || seal.state === "working";
    const place = check && check.index !== null && check.checkpoint;
    return [
      step(
        "The bytes shown have the fingerprint of the entry",
        file ?? { holds: null, why: null },
        !file || (file.holds === null && file.why === null),
        [
          ["SHA-256 of the bytes", file?.computed ?? null],
          ["Fingerprint of the entry", this.entry.fingerprint],
        ],
      ),
      step(
        "The log has a leaf for this entry, as it is shown here",
        check?.record ?? { holds: null, why: null },
        isWorking,
        [
          ["SHA-256 of the entry's record", check?.recordHash ?? null],
          ["Hash in the leaf", check?.leaf?.record_sha256 ?? null],
          ["Object id in the leaf", check?.leaf?.object_id ?? null],
        ],
      ),
      step(
        place
          ? `The leaf is number ${count(place && /** @type {bigint} */ (check.index) + 1n)} of ${count(place.size)} in the log`
          : "The leaf is in the log",
        check?.inclusion ?? { holds: null, why: null },
        isWorking,
        [["Root of the checkpoint", place ? hex(place.root) : null]],
      ),
      step(
        "The log's key has signed that state of the log",
        check?.signature ?? { holds: null, why: null },
        isWorking,
        [
          ["Log", check?.checkpoint?.origin ?? null],
          ["Key", seal?.key ? `${seal.key.name}+${seal.key.id}` : null],
        ],
      ),
    ];
  }

  #key() {
    const { pinned_by: by } = this.session;
    if (by === null) return null;
    const text =
      by === "option"
        ? "Checked with the key that you gave with --key."
        : "Checked with the key in the stack's outputs. If you keep the key yourself, start the console with --key: " +
          "then nobody who changes the stack can change it.";
    return h("p", { class: "hint" }, text);
  }

  #download() {
    const text = this.#seal?.proof;
    if (!text) return null;
    URL.revokeObjectURL(this.#proofUrl);
    this.#proofUrl = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
    const name = `${fileName(this.entry.key)}.tlog-proof`;
    return h(
      "p",
      {},
      h("a", { class: "button quiet", href: this.#proofUrl, download: name }, "Save the proof"),
    );
  }
}

/**
 * @param {string} claim
 * @param {{holds: boolean | null, why: string | null}} result
 * @param {boolean} isWorking
 * @param {[string, string | null][]} values
 */
function step(claim, { holds, why }, isWorking, values) {
  const mark = holds === null ? (isWorking ? "working" : "open") : holds ? "holds" : "fails";
  const word = { holds: "Holds", fails: "Doesn't hold", open: "Not checked", working: "Checking…" }[mark];
  const known = values.filter(([, value]) => value !== null);
  return h(
    "li",
    { class: mark },
    shape(/** @type {"holds"} */ (mark)),
    h(
      "div",
      {},
      h("span", { class: "claim" }, claim),
      h("span", { class: "result" }, holds === false && why ? `${word}: ${why}` : word),
      known.length
        ? h(
            "details",
            {},
            h("summary", {}, "Hashes"),
            h(
              "dl",
              {},
              known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))]),
            ),
          )
        : null,
    ),
  );
}
