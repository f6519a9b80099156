/** One receipt: the document, what its entry says, and what this page can prove of it. */

import { history as historyOf, listing, Problem } from "./api.js";
import { DocumentView } from "./document.js";
import { fill, h } from "./dom.js";
import { identityOf, nameOf, shortUploaderOf, uploaderOf } from "./entry.js";
import { count, counted, duration, moment, size } from "./format.js";
import { entryAddress } from "./routes.js";
import { objectIdOf, withoutAbsent } from "./proof.js";
import { ProofView } from "./proof-view.js";
import { SealWatch } from "./seal.js";
import { outcomeMark } from "./shapes.js";
import { safeKey, safely, withCode } from "./text.js";
import { FINDINGS, OUTCOMES, REASONS, typeWord, VIA, wordFor } from "./words.js";

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {import("./api.js").History} History */

const IS_FINGERPRINT = /^[0-9a-f]{64}$/;
const NO_OTHER =
  "The ledger has no other entry of these bytes. The proof doesn't cover that: it is of this one entry.";
/** What an entry says of a file that wasn't read. */
const NOTHING_KNOWN = { fingerprint: null, size_bytes: null, media_type: null };

export class Receipt {
  title = "Receipt";
  /** @type {{end: () => void}[]} */
  #running = [];
  #stop = new AbortController();

  /** @param {import("./api.js").Session} session @param {{ledgerAddress: string}} frame */
  constructor(session, frame) {
    this.session = session;
    this.frame = frame;
    this.heading = h("h1", { tabindex: "-1" }, "Receipt");
    this.element = h("section", { class: "view receipt" });
  }

  /** @param {string[]} path @param {URLSearchParams} address */
  async show([fingerprint], address) {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    fill(this.heading, "Receipt");
    this.#fill(() => [this.heading, h("p", { class: "hint", role: "status" }, "Loading…")]);
    try {
      const history = await (fingerprint === "unread" ? unread(address, signal) : known(fingerprint, signal));
      const entry = await chosen(history, address);
      if (signal.aborted) return;
      if (entry) this.#show(covered(entry), history);
      else this.#say("There is no such entry", "The ledger has this fingerprint, but no such upload of it.");
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Problem ? error : new Problem(0, { detail: String(error) });
      if (problem.status === 404)
        this.#say("There is no such receipt", "The ledger has no entry with this fingerprint.");
      else this.#say(problem.title, problem.message);
    }
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }

  hide() {
    this.#stop.abort();
    for (const each of this.#running) each.end();
    this.#running = [];
    fill(this.element);
  }

  /** The heading keeps the focus, though it is moved. @param {() => Node[]} make */
  #fill(make) {
    const hasFocus = document.activeElement === this.heading;
    fill(this.element, make());
    if (hasFocus) this.focus();
  }

  /** @param {string} title @param {string} text */
  #say(title, text) {
    fill(this.heading, title);
    this.#fill(() => [
      this.heading,
      h("p", { role: "alert" }, withCode(text)),
      h("p", {}, h("a", { href: this.frame.ledgerAddress }, "Back to the ledger")),
    ]);
  }

  /** @param {Entry} entry @param {History} history */
  #show(entry, history) {
    fill(this.heading, safely(nameOf(entry.key)));
    const proof = new ProofView(entry, this.session);
    const timeline = h("ol", { class: "timeline" });
    fillTimeline(timeline, entry, null);
    const seal = new SealWatch(entry, this.session.log_public_key, (state) => {
      proof.showSeal(state);
      fillTimeline(timeline, entry, state);
    });
    const shown = new DocumentView(entry, (check) => proof.showFile(check));
    this.#running.push(seal, shown);
    this.#fill(() => [
      h(
        "nav",
        { class: "back", "aria-label": "Back" },
        h("a", { href: this.frame.ledgerAddress, click: back }, "← Ledger"),
      ),
      h(
        "header",
        { class: "receipt-head" },
        outcomeMark(entry.outcome),
        this.heading,
        h("p", { class: "where" }, safely(`${entry.bucket}/${entry.key}`)),
      ),
      h(
        "div",
        { class: "receipt-body" },
        h("div", { class: "answers-place" }, answers(entry, history, proof.verdict)),
        h("div", { class: "document-place" }, shown.element),
        h(
          "div",
          { class: "facts" },
          section("proof", "Proof", proof.element),
          section("timeline", "Time line", timeline),
          section("uploads", "Uploads of these bytes", uploads(entry, history)),
          section("entry", "Entry", fields(entry)),
        ),
      ),
    ]);
  }
}

/** Go back if that is where one came from, so that the ledger stays where it was. @param {Event} event */
function back(event) {
  if (window.history.state?.from !== "ledger") return;
  event.preventDefault();
  window.history.back();
}

/** Find the entries of a fingerprint. @param {string} fingerprint @param {AbortSignal} signal */
async function known(fingerprint, signal) {
  if (!IS_FINGERPRINT.test(fingerprint)) throw new Problem(404, {});
  const history = await historyOf(fingerprint, signal);
  if (all(history).some((entry) => entry.fingerprint !== fingerprint)) {
    throw new Problem(0, {
      title: "This isn't what was asked for",
      detail: "The stack's API has answered with entries of another fingerprint.",
    });
  }
  return history;
}

/**
 * Find an entry that has no fingerprint.
 * @param {URLSearchParams} address
 * @param {AbortSignal} signal
 * @returns {Promise<History>}
 */
async function unread(address, signal) {
  const recorded = address.get("recorded") ?? "";
  if (Number.isNaN(Date.parse(recorded))) throw new Problem(404, {});
  const from = new Date(recorded).toISOString();
  const to = new Date(Date.parse(recorded) + 1).toISOString();
  const query = new URLSearchParams({ key: address.get("key") ?? "", from, to, limit: "50" });
  const page = await listing(query, signal);
  return { receipt: null, duplicates: [], rejections: page.entries, truncated: false };
}

/** @param {History} history */
function all({ receipt, duplicates, rejections }) {
  const entries = [...(receipt ? [receipt] : []), ...duplicates, ...rejections];
  return entries.sort((a, b) => (a.recorded_at < b.recorded_at ? -1 : 1));
}

/**
 * Which entry the address is about: of a fingerprint alone, the receipt's own.
 * @param {History} history
 * @param {URLSearchParams} address
 */
async function chosen(history, address) {
  const entries = all(history);
  const version = address.get("version");
  const objectId = address.get("object_id");
  if (objectId) {
    for (const entry of entries) if ((await objectIdOf(entry)) === objectId) return entry;
    return undefined;
  }
  if (!version) return history.receipt ?? entries.at(-1);
  const key = address.get("key");
  return entries.find((entry) => entry.version_id === version && (key === null || entry.key === key));
}

/**
 * An entry as its seal covers it. A caller without a name doesn't count there, so it must not be shown either.
 * @param {Entry} entry
 * @returns {Entry}
 */
function covered(entry) {
  const members = /** @type {Entry} */ (/** @type {unknown} */ (withoutAbsent(entry)));
  const uploader = { principal: null, source_ip: null, ...members.uploader };
  return { ...NOTHING_KNOWN, ...members, uploader };
}

/** @param {string} id @param {string} title @param {...Node} children */
function section(id, title, ...children) {
  return h("section", { "aria-labelledby": `h-${id}` }, h("h2", { id: `h-${id}` }, title), children);
}

/** What an auditor asks first. @param {Entry} entry @param {History} history @param {HTMLElement} verdict */
function answers(entry, history, verdict) {
  const pairs = [
    ["Who sent it?", whoSent(entry)],
    ["Is it whole?", isWhole(entry)],
    ["Was it sent twice?", wasSentTwice(entry, history)],
    ["Has anything been changed?", [verdict]],
  ];
  return h(
    "dl",
    { class: "answers" },
    pairs.map(([question, answer]) =>
      h(
        "div",
        {},
        h("dt", {}, String(question)),
        h("dd", {}, /** @type {import("./dom.js").Child[]} */ (answer)),
      ),
    ),
  );
}

/** @param {Entry} entry @returns {import("./dom.js").Child[]} */
function whoSent(entry) {
  const who = uploaderOf(entry);
  if (who === null)
    return [entry.resent ? "Unknown: an operator's command had this upload recorded." : "S3 doesn't say."];
  const { caller, source_ip: address } = entry.uploader;
  return [
    ...named(entry),
    caller ? ", who asked for the upload form" : null,
    address ? [" from ", safely(address)] : null,
  ].flat();
}

/** The whole name of an uploader, in which the part that a person knows stands out. @param {Entry} entry */
function named(entry) {
  const { caller } = entry.uploader;
  if (caller && !caller.principal)
    return [h("strong", {}, safely(caller.subject ?? "")), " of ", safely(caller.issuer ?? "")];
  const known = shortUploaderOf(entry);
  const who = uploaderOf(entry) ?? "";
  const start = who.endsWith(known) ? who.slice(0, who.length - known.length) : who;
  if (!start || start === who) return [h("strong", {}, safely(who))];
  return [safely(start), h("wbr"), h("strong", {}, safely(known))];
}

/** @param {Entry} entry @returns {import("./dom.js").Child[]} */
function isWhole(entry) {
  if (entry.outcome !== "REJECTED") {
    const findings = (entry.findings ?? []).map((name) => {
      const { word, meaning } = wordFor(FINDINGS, name);
      return h("span", { class: "finding" }, h("strong", {}, word), ` ${meaning}`);
    });
    return [
      h("strong", {}, "Yes."),
      ` ${typeWord(entry.media_type)}, whole from its first byte to its end.`,
      ...findings,
    ];
  }
  const { word, meaning } = wordFor(REASONS, entry.reason ?? "");
  if (entry.reason === "damaged") {
    return [
      h("strong", {}, "No."),
      entry.detail ? [" The file ", safely(entry.detail), "."] : ` ${meaning}`,
    ].flat();
  }
  return [h("strong", {}, "Not known."), ` ${word}. ${meaning}`];
}

/** @param {Entry} entry @param {History} history @returns {import("./dom.js").Child[]} */
function wasSentTwice(entry, history) {
  if (entry.fingerprint === null) return ["Not known: the file wasn't read."];
  const times = all(history).filter((each) => each.outcome !== "REJECTED").length;
  const others = history.truncated ? "at least " : "";
  if (entry.outcome === "REJECTED" && times === 0) {
    return all(history).length > 1
      ? [`These bytes were rejected ${count(all(history).length)} times.`]
      : [`No. ${NO_OTHER}`];
  }
  if (times <= 1 && entry.outcome !== "DUPLICATE") {
    return [h("strong", {}, "No."), ` ${NO_OTHER}`];
  }
  const first = entry.duplicate_of;
  return [
    h("strong", {}, "Yes."),
    ` These bytes were sent ${others}${times === 2 ? "twice" : `${count(times)} times`}. `,
    first ? h("a", { href: `#/receipt/${entry.fingerprint}` }, "See the receipt") : "This was the first.",
    entry.restores ? " This upload brought back a receipt that had no object left." : null,
  ];
}

/** @param {Element} element @param {Entry} entry @param {import("./seal.js").Seal | null} seal */
function fillTimeline(element, entry, seal) {
  const sealedAt = seal?.check?.leaf?.sealed_at ?? null;
  const steps = [
    { time: entry.uploaded_at, what: entry.resent ? "In S3, by its time of modification" : "Uploaded to S3" },
    { time: entry.recorded_at, what: `Recorded as ${OUTCOMES[entry.outcome].word.toLowerCase()}` },
    {
      time: sealedAt,
      what: sealedAt
        ? seal?.state === "verified"
          ? "Sealed in the log"
          : "Sealed, says the proof; it isn't verified"
        : seal?.state === "unsealed"
          ? "Not sealed yet"
          : "Sealing not known",
    },
  ];
  let before = 0;
  fill(
    element,
    steps.map(({ time, what }) => {
      const at = time === null ? 0 : Date.parse(time);
      const passed = before && at ? at - before : null;
      before = at || before;
      return h(
        "li",
        { class: time === null ? "pending" : "" },
        h("span", { class: "what" }, what),
        time === null ? null : h("time", { datetime: time }, moment(time)),
        passed === null
          ? null
          : h(
              "span",
              { class: "passed" },
              passed < 0 ? `${duration(passed)} earlier` : `${duration(passed)} later`,
            ),
      );
    }),
  );
}

/** @param {Entry} entry @param {History} history */
function uploads(entry, history) {
  const rows = all(history).map((each) => {
    const isThis = identityOf(each) === identityOf(entry);
    const who = uploaderOf(each);
    return h(
      "tr",
      { "aria-current": isThis ? "true" : null },
      h("td", {}, h("time", { datetime: each.recorded_at }, moment(each.recorded_at))),
      h("td", {}, outcomeMark(each.outcome)),
      h(
        "td",
        {},
        isThis ? [safeKey(each.key), " (this one)"] : h("a", { href: entryAddress(each) }, safeKey(each.key)),
      ),
      h("td", {}, who === null ? "unknown" : named(each)),
    );
  });
  return h(
    "div",
    { class: "scrolls", tabindex: "0", role: "group", "aria-label": "Table of uploads" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Recorded", "Outcome", "Key", "Uploader"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, rows),
    ),
    history.truncated
      ? h("p", { class: "hint" }, withCode("There may be more: `bill-e receipts` lists them all."))
      : null,
  );
}

/** Everything that the entry says. @param {Entry} entry */
function fields(entry) {
  const { uploader, duplicate_of: first } = entry;
  const { caller } = uploader;
  /** @type {[string, import("./dom.js").Child | import("./dom.js").Child[]][]} */
  const pairs = [
    ["Outcome", [OUTCOMES[entry.outcome].word, h("small", {}, OUTCOMES[entry.outcome].meaning)]],
    ...pair(entry.reason, "Reason", (name) => [
      wordFor(REASONS, name).word,
      h("small", {}, wordFor(REASONS, name).meaning),
    ]),
    ...pair(entry.detail, "Detail", (text) => ["The file ", safely(text)]),
    [
      "Fingerprint (SHA-256)",
      entry.fingerprint === null ? "none: the file wasn't read" : h("code", {}, entry.fingerprint),
    ],
    [
      "Size",
      entry.size_bytes === null
        ? "unknown"
        : entry.size_bytes < 1000
          ? counted(entry.size_bytes, "byte")
          : `${count(entry.size_bytes)} bytes (${size(entry.size_bytes)})`,
    ],
    ["Type", typeWord(entry.media_type)],
    [
      "Findings",
      entry.findings?.length
        ? entry.findings.map((name) =>
            h("div", {}, wordFor(FINDINGS, name).word, h("small", {}, wordFor(FINDINGS, name).meaning)),
          )
        : "none",
    ],
    ["Bucket", safely(entry.bucket)],
    ["Key", safely(entry.key)],
    ["Version id", h("code", {}, safely(entry.version_id))],
    ["Uploaded", moment(entry.uploaded_at)],
    ["Recorded", moment(entry.recorded_at)],
    ["How", uploader.via ? (Object.hasOwn(VIA, uploader.via) ? VIA[uploader.via] : uploader.via) : "S3's event doesn't say"],
    ["Principal in S3's event", uploader.principal === null ? "none" : safely(uploader.principal)],
    ["Address of the sender", uploader.source_ip === null ? "none" : safely(uploader.source_ip)],
    ...pair(caller?.principal, "Asked for the form", (text) => safely(text)),
    ...pair(caller?.subject, "Asked for the form", (text) => [
      safely(text),
      h("small", {}, "signed in at ", safely(caller?.issuer ?? "")),
    ]),
    ...pair(first, "Duplicate of", (version) => [
      safely(version.key),
      h("small", {}, "version ", safely(version.version_id)),
    ]),
    ...pair(entry.restores || null, "Restores", () => "a receipt of which no object version was left"),
    ["Resent", entry.resent ? "yes: an operator's command had it recorded" : "no"],
    ...pair(entry.salt, "Salt", (text) => h("code", {}, text)),
  ];
  return h(
    "dl",
    { class: "fields-of-entry" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/**
 * @template T
 * @param {T | null | undefined} value
 * @param {string} name
 * @param {(value: T) => import("./dom.js").Child | import("./dom.js").Child[]} shown
 * @returns {[string, import("./dom.js").Child | import("./dom.js").Child[]][]}
 */
function pair(value, name, shown) {
  return value === null || value === undefined ? [] : [[name, shown(value)]];
}
