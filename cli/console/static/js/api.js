/** What the page asks its server for. Errors are problems (RFC 9457). */

/** @typedef {import("./entry.js").Entry} Entry */

/**
 * @typedef {{
 *   stack: string, region: string, api_auth: string, bucket: string, upload_prefix: string,
 *   log_origin: string | null, log_public_key: string | null, pinned_by: "option" | "stack" | null,
 *   can: {upload: boolean, operate: boolean}, version: string, max_receipt_bytes: number | null,
 *   max_upload_bytes: number, user: string | null,
 *   names_are_keys: boolean, accepted_types: string[] | null,
 * }} Session
 * @typedef {{entries: Entry[], next_cursor: string | null}} Page
 * @typedef {{receipt: Entry | null, duplicates: Entry[], rejections: Entry[], truncated: boolean}} History
 */

/** An answer that isn't what was asked for. `status` is 0 if the server didn't answer. */
export class Problem extends Error {
  /** @param {number} status @param {Record<string, unknown>} members */
  constructor(status, members) {
    super(textOf(members) ?? `The server answered ${status}.`);
    this.status = status;
    this.title = String(members.title ?? "That didn't work");
    this.type = String(members.type ?? "").replace("/problems/", "");
    this.members = members;
  }

  /** Whether nothing works any more until the person does something. */
  get endsSession() {
    return this.status === 401;
  }
}

/** What a problem says, and for each value that was refused what is allowed. @param {Record<string, unknown>} members */
function textOf({ detail, title, message, errors }) {
  const said = detail ?? title ?? message;
  if (!Array.isArray(errors)) return said === undefined ? null : String(said);
  return [said, ...errors.map(({ field, allowed }) => `${field}: ${allowed}.`)].join(" ");
}

/** @type {Set<(problem: Problem | null) => void>} */
const watchers = new Set();
let hasEnded = false;

/**
 * Have every problem that ends the session reported, wherever it came up, and null when something works again.
 * @param {(problem: Problem | null) => void} watcher
 */
export function onSessionEnd(watcher) {
  watchers.add(watcher);
}

/**
 * Ask, and return the answer if it is a good one.
 * @param {string} path Below /api.
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`/api${path}`, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, {
      title: "The console doesn't answer",
      detail: "Is `bill-e console` still running?",
    });
  }
  if (answer.ok) {
    if (hasEnded) for (const watcher of watchers) watcher(null);
    hasEnded = false;
    return answer;
  }
  throw reported(new Problem(answer.status, await membersOf(answer)));
}

/** @param {Problem} problem */
export function reported(problem) {
  if (problem.endsSession) {
    hasEnded = true;
    for (const watcher of watchers) watcher(problem);
  }
  return problem;
}

/** @param {Response} answer @returns {Promise<Record<string, unknown>>} */
async function membersOf(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

/** @param {string} path @param {RequestInit} [options] */
async function json(path, options) {
  return (await ask(path, options)).json();
}

/** @returns {Promise<Session>} */
export function session() {
  return json("/session");
}

/** @param {URLSearchParams} query @param {AbortSignal} [signal] @returns {Promise<Page>} */
export function listing(query, signal) {
  return json(`/receipts?${query}`, { signal });
}

/** @param {string} fingerprint @param {AbortSignal} [signal] @returns {Promise<History>} */
export function history(fingerprint, signal) {
  return json(`/receipts/${fingerprint}`, { signal });
}

/**
 * The proof of an entry; null if it isn't sealed yet.
 * @param {string} fingerprint
 * @param {string} objectId
 * @param {AbortSignal} [signal]
 */
export async function proof(fingerprint, objectId, signal) {
  const answer = await ask(`/receipts/${fingerprint}/proof?object_id=${objectId}`, { signal });
  return answer.status === 202 ? null : answer.text();
}

/** Which of these fingerprints have been accepted. @param {string[]} fingerprints @returns {Promise<Entry[]>} */
export async function lookUp(fingerprints) {
  const body = JSON.stringify({ fingerprints });
  const answer = await json("/lookup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  return answer.receipts;
}

/** The log's newest checkpoint, a signed note. */
export async function checkpoint() {
  return (await ask("/log/checkpoint")).text();
}

/** @param {number} days */
export function summary(days) {
  return json(`/summary?days=${days}`);
}

export function operations() {
  return json("/operations");
}

/** @param {string[]} ids */
export function redrive(ids) {
  const body = JSON.stringify({ ids });
  return json("/operations/redrive", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
}

/**
 * The bytes of an object version, or of any that has this fingerprint.
 * @param {string} fingerprint
 * @param {string | null} version
 * @param {(done: number, total: number | null) => void} onBytes
 * @param {AbortSignal} [signal]
 */
export async function file(fingerprint, version, onBytes, signal) {
  const query = version === null ? "" : `?version=${encodeURIComponent(version)}`;
  const answer = await ask(`/files/${fingerprint}${query}`, { signal });
  const length = Number(answer.headers.get("Content-Length")) || null;
  const parts = [];
  let done = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    onBytes((done += next.value.length), length);
  }
  const whole = new Uint8Array(done);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
