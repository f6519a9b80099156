/**
 * The document itself: fetched, hashed here, and shown only as an image or a PDF. The page runs nothing in it. The
 * browser's viewer for PDFs runs scripts, apart from the page, so those that may have one aren't shown unasked.
 */

import { file, Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { nameOf } from "./entry.js";
import { count, size } from "./format.js";
import { hex, sha256 } from "./proof.js";
import { withCode } from "./text.js";
import { FINDINGS, typeWord } from "./words.js";

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {{holds: boolean | null, why: string | null, computed: string | null}} FileCheck */

/** A larger file is only fetched if somebody asks for it. */
const MOST_BYTES = 50_000_000;
const IMAGES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
const PDF = "application/pdf";
const GONE = 410;
/** How the viewer begins, where it understands this. */
const PDF_VIEW = "#toolbar=0&navpanes=0&view=FitH";
const UNSAFE_IN_NAMES = /[\p{C}\p{Zl}\p{Zp}<>:"/\\|?*]/gu;

export class DocumentView {
  #stop = new AbortController();
  /** @type {string[]} */
  #urls = [];

  /** @param {Entry} entry @param {(check: FileCheck) => void} onCheck */
  constructor(entry, onCheck) {
    this.entry = entry;
    this.onCheck = onCheck;
    this.stage = h("div", { class: "stage" });
    this.caption = h("figcaption", {});
    this.element = h("figure", { class: "document", "aria-label": "Document" }, this.stage, this.caption);
    this.#begin();
  }

  end() {
    this.#stop.abort();
    for (const url of this.#urls) URL.revokeObjectURL(url);
  }

  #begin() {
    const { fingerprint, size_bytes: bytes } = this.entry;
    if (fingerprint === null) {
      this.#leave("The file wasn't read when it arrived, so there is no fingerprint to check it against.");
    } else if (bytes === 0) {
      this.#leave("The file has no bytes.", {
        holds: null,
        why: "there are no bytes to show",
        computed: null,
      });
    } else if (bytes !== null && bytes > MOST_BYTES) {
      const load = h(
        "button",
        { type: "button", click: () => this.#load(fingerprint) },
        `Load and check ${size(bytes)}`,
      );
      this.#leave(
        "This is a large file. ",
        { holds: null, why: "the file hasn't been loaded", computed: null },
        load,
      );
    } else {
      this.#load(fingerprint);
    }
  }

  /** @param {string} fingerprint @param {string | null} [version] Null for any with these bytes. */
  async #load(fingerprint, version = this.entry.version_id) {
    const progress = h("progress", { "aria-label": "Loading the document" });
    fill(this.stage, h("div", { class: "empty" }, progress));
    this.onCheck({ holds: null, why: null, computed: null });
    try {
      const bytes = await file(
        fingerprint,
        version,
        (done, total) => {
          if (total) {
            progress.max = total;
            progress.value = done;
          }
        },
        this.#stop.signal,
      );
      const computed = hex(await sha256(bytes));
      if (this.#stop.signal.aborted) return;
      this.#arrived(bytes, computed, computed === fingerprint);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const why = error instanceof Problem ? error.message : String(error);
      const isGone = error instanceof Problem && error.status === GONE && version !== null;
      this.#leave(
        `The file can't be shown. ${why}`,
        { holds: null, why: "the file couldn't be loaded", computed: null },
        isGone && this.entry.outcome !== "REJECTED"
          ? h(
              "button",
              { type: "button", click: () => this.#load(fingerprint, null) },
              "Look for the same bytes elsewhere",
            )
          : null,
      );
    }
  }

  /** @param {Uint8Array} bytes @param {string} computed @param {boolean} holds */
  #arrived(bytes, computed, holds) {
    this.onCheck({ holds, why: holds ? null : "these bytes have another SHA-256", computed });
    if (holds) {
      this.#show(bytes);
      return;
    }
    fill(
      this.stage,
      h(
        "div",
        { class: "empty alarm", role: "alert" },
        h("strong", {}, "This file isn't what the entry says."),
        h(
          "p",
          {},
          `${count(bytes.length)} bytes arrived, and their SHA-256 is another one. The file is not shown.`,
        ),
        this.#download(bytes, "Download it anyway"),
      ),
    );
    fill(this.caption);
  }

  /** @param {Uint8Array} bytes @param {boolean} [isAsked] Whether the person wants it all the same. */
  #show(bytes, isAsked = false) {
    const type = this.entry.media_type;
    const doubt = type === PDF && !isAsked ? scriptsIn(this.entry) : null;
    if (type && IMAGES.has(type)) fill(this.stage, this.#image(bytes, type));
    else if (doubt !== null) {
      const show = h("button", { type: "button", click: () => this.#show(bytes, true) }, "Show it anyway");
      fill(this.stage, h("div", { class: "empty" }, h("p", {}, `${doubt} The browser's viewer runs scripts.`), show));
    } else if (type === PDF) fill(this.stage, this.#pdf(bytes));
    else {
      fill(
        this.stage,
        h(
          "div",
          { class: "empty" },
          h(
            "p",
            {},
            type === null
              ? "The type of this file is unknown."
              : `The console doesn't show ${typeWord(type)}.`,
          ),
          this.#download(bytes, "Download"),
        ),
      );
      fill(this.caption);
      return;
    }
    fill(this.caption, `${typeWord(type)}, ${count(bytes.length)} bytes`, this.#download(bytes, "Download"));
  }

  /** @param {Uint8Array} bytes @param {string} type */
  #image(bytes, type) {
    const image = h("img", { alt: "The receipt, as it was uploaded", src: this.#url(bytes, type) });
    image.addEventListener("error", () => {
      fill(
        this.stage,
        h(
          "div",
          { class: "empty" },
          h("p", {}, `This browser can't display the ${typeWord(type)}.`),
          this.#download(bytes, "Download"),
        ),
      );
      fill(this.caption);
    });
    return image;
  }

  /** The browser's own viewer. It has no access to the page, whatever the PDF has. @param {Uint8Array} bytes */
  #pdf(bytes) {
    return h("iframe", {
      title: "The receipt, as it was uploaded",
      src: `${this.#url(bytes, PDF)}${PDF_VIEW}`,
    });
  }

  /** @param {Uint8Array} bytes @param {string} words */
  #download(bytes, words) {
    const url = this.#url(bytes, "application/octet-stream");
    return h("a", { class: "button quiet", href: url, download: fileName(this.entry.key) }, words);
  }

  /** @param {Uint8Array} bytes @param {string} type */
  #url(bytes, type) {
    const url = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (bytes)], { type }));
    this.#urls.push(url);
    return url;
  }

  /** @param {string} text @param {FileCheck} [check] @param {...import("./dom.js").Child} more */
  #leave(text, check = { holds: null, why: "the file wasn't read", computed: null }, ...more) {
    fill(this.stage, h("div", { class: "empty" }, h("p", {}, withCode(text)), more));
    fill(this.caption);
    this.onCheck(check);
  }
}

/** Why a PDF may have a script, if anything says so. @param {Entry} entry */
function scriptsIn({ outcome, findings = [] }) {
  if (findings.includes("active_content")) return FINDINGS.active_content.meaning;
  if (findings.includes("encrypted")) return "The PDF is encrypted, and may have a script.";
  return outcome === "REJECTED" ? "The PDF was rejected, and may have a script." : null;
}

/** @param {string} key */
export function fileName(key) {
  const name = nameOf(key)
    .replaceAll(UNSAFE_IN_NAMES, "_")
    .replace(/^[.\s]+|[.\s]+$/g, "");
  return name || "receipt";
}
