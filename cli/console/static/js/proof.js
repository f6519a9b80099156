/**
 * Checks that an entry is sealed in the log, from nothing but the entry, the proof and the key that was pinned.
 * The formats are those of c2sp.org: tlog-proof, tlog-checkpoint and signed-note. What a leaf has, and how the
 * record of an entry is written, `functions/sealing/leaf.py` says.
 */

const HASH_BYTES = 32;
const KEY_ID_BYTES = 4;
const ED25519 = 1;
const FIRST_LINE = "c2sp.org/tlog-proof@v1";
const LEAF_VERSION = 1;
const ENTRY_KIND = "entry";
const IS_HASH = /^[0-9a-f]{64}$/;
const IS_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const IS_NUMBER = /^(?:0|[1-9][0-9]*)$/;

/**
 * @typedef {{name: string, publicKey: Uint8Array, id: string}} VerifierKey
 * @typedef {{text: string, signatures: {name: string, id: string, signature: Uint8Array}[]}} Note
 * @typedef {{origin: string, size: bigint, root: Uint8Array}} Checkpoint
 * @typedef {{leaf: Uint8Array, index: bigint, path: Uint8Array[], checkpoint: string}} Proof
 * @typedef {{kind: string, object_id: string, fingerprint: string | null, recorded_at: string, sealed_at: string,
 *   record_sha256: string}} Leaf
 * @typedef {{bucket: string, key: string, version_id: string}} ObjectVersion
 */

/** What is wrong with something that was to be checked. */
export class ProofError extends Error {}

/** @param {Uint8Array | string} data @returns {Promise<Uint8Array>} */
export async function sha256(data) {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {BufferSource} */ (bytes)));
}

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The SHA-256 of bucket, version id and key, by which the log names an object version.
 * @param {ObjectVersion} version
 */
export async function objectIdOf({ bucket, key, version_id }) {
  return hex(await sha256(`${bucket}\0${version_id}\0${key}`));
}

/**
 * An entry as the bytes whose hash is sealed: canonical JSON (RFC 8785) without what is null, false or empty.
 * @param {object} entry
 */
export function recordOf(entry) {
  return canonical(withoutAbsent(entry));
}

/** What is sealed of an object. @param {object} members @returns {Record<string, unknown>} */
export function withoutAbsent(members) {
  const kept = Object.create(null);
  for (const [name, value] of Object.entries(members)) {
    const present = isObject(value) ? withoutAbsent(value) : value;
    if (present === null || present === undefined || present === false || present === "") continue;
    // A number is never left out: a file of no bytes isn't one of unknown size.
    if (typeof present === "object" && Object.keys(present).length === 0) continue;
    kept[name] = present;
  }
  return kept;
}

/**
 * Canonical JSON. JavaScript's own order of strings, and its way of writing numbers, are those of RFC 8785.
 * @param {unknown} value
 * @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (isObject(value)) {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {string} text @param {string} what */
function base64(text, what) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    throw new ProofError(`${what} isn't base64`);
  }
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** @param {string} name */
function isName(name) {
  return name !== "" && !/[\s+]/.test(name);
}

/**
 * Read a verifier key: name, id and key, with + between them.
 * @param {string} text
 * @returns {Promise<VerifierKey>}
 */
export async function parseVerifierKey(text) {
  const [name, id, ...rest] = text.trim().split("+");
  const data = base64(rest.join("+"), "the verifier key");
  if (!isName(name) || data[0] !== ED25519 || data.length !== 1 + HASH_BYTES) {
    throw new ProofError("this isn't a verifier key for Ed25519");
  }
  const head = new TextEncoder().encode(`${name}\n`);
  const actual = hex(await sha256(joined(head, data))).slice(0, 2 * KEY_ID_BYTES);
  if (actual !== id) throw new ProofError(`the verifier key says that its id is ${id}, but it is ${actual}`);
  return { name, publicKey: data.subarray(1), id };
}

/** @param {string} text @returns {Note} */
export function parseNote(text) {
  const end = text.lastIndexOf("\n\n");
  const lines = text.slice(end + 2);
  if (end < 0 || !lines.endsWith("\n")) throw new ProofError("the checkpoint has no signatures");
  const signatures = lines
    .slice(0, -1)
    .split("\n")
    .map((line) => {
      const match = /^— (\S+) (\S+)$/.exec(line);
      if (!match || !isName(match[1]))
        throw new ProofError("the checkpoint has a line that isn't a signature");
      const data = base64(match[2], "a signature");
      if (data.length <= KEY_ID_BYTES) throw new ProofError("a signature of the checkpoint is too short");
      return {
        name: match[1],
        id: hex(data.subarray(0, KEY_ID_BYTES)),
        signature: data.subarray(KEY_ID_BYTES),
      };
    });
  return { text: text.slice(0, end + 1), signatures };
}

/** @param {string} text The text of a note. @returns {Checkpoint} */
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  const [origin, size, root] = lines;
  if (lines.length < 4 || lines.at(-1) !== "" || !origin || !IS_NUMBER.test(size)) {
    throw new ProofError("the checkpoint has no origin, size and root");
  }
  const bytes = base64(root, "the root of the checkpoint");
  if (bytes.length !== HASH_BYTES) throw new ProofError("the root of the checkpoint isn't 32 bytes long");
  return { origin, size: BigInt(size), root: bytes };
}

/** @param {string} text @returns {Proof} */
export function parseProof(text) {
  const end = text.indexOf("\n\n");
  const [first, extra, index, ...path] = text.slice(0, end < 0 ? 0 : end).split("\n");
  const leaf = /^extra (\S+)$/.exec(extra ?? "");
  const place = /^index (\S+)$/.exec(index ?? "");
  if (first !== FIRST_LINE || !leaf || !place || !IS_NUMBER.test(place[1])) {
    throw new ProofError(`the proof should begin with ${FIRST_LINE}, extra and index`);
  }
  const hashes = path.map((hash) => base64(hash, "a hash of the proof"));
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw new ProofError("a hash of the proof isn't 32 bytes long");
  }
  return {
    leaf: base64(leaf[1], "the leaf"),
    index: BigInt(place[1]),
    path: hashes,
    checkpoint: text.slice(end + 2),
  };
}

/** @param {Uint8Array} data @returns {Leaf} */
export function parseLeaf(data) {
  let leaf;
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    leaf = JSON.parse(text);
  } catch {
    throw new ProofError("the leaf isn't JSON");
  }
  const isLeaf =
    isObject(leaf) &&
    [ENTRY_KIND, "erasure"].includes(/** @type {string} */ (leaf.kind)) &&
    [leaf.object_id, leaf.record_sha256].every((hash) => matches(hash, IS_HASH)) &&
    (leaf.fingerprint === null || matches(leaf.fingerprint, IS_HASH)) &&
    [leaf.recorded_at, leaf.sealed_at].every((time) => matches(time, IS_TIME));
  if (!isLeaf) throw new ProofError("the leaf lacks what a leaf has to have");
  const { kind, object_id, fingerprint, recorded_at, sealed_at, record_sha256 } = leaf;
  const members = /** @type {Leaf} */ ({
    kind,
    object_id,
    fingerprint,
    recorded_at,
    sealed_at,
    record_sha256,
  });
  if (canonical({ ...members, v: LEAF_VERSION }) !== text) {
    throw new ProofError(`the leaf isn't one of version ${LEAF_VERSION} in canonical JSON`);
  }
  return members;
}

/** A regular expression takes anything for a text. @param {unknown} value @param {RegExp} pattern */
function matches(value, pattern) {
  return typeof value === "string" && pattern.test(value);
}

/**
 * Whether the way of the proof leads from the leaf to the root (RFC 9162, section 2.1.3.2).
 * @param {{leaf: Uint8Array, index: bigint, size: bigint, root: Uint8Array, path: Uint8Array[]}} claim
 */
export async function isIncluded({ leaf, index, size, root, path }) {
  if (index >= size) return false;
  let first = index;
  let last = size - 1n;
  let computed = await sha256(joined(Uint8Array.of(0), leaf));
  for (const sibling of path) {
    if (last === 0n) return false;
    if (first & 1n || first === last) {
      computed = await sha256(joined(Uint8Array.of(1), sibling, computed));
      while (!(first & 1n) && first) {
        first >>= 1n;
        last >>= 1n;
      }
    } else {
      computed = await sha256(joined(Uint8Array.of(1), computed, sibling));
    }
    first >>= 1n;
    last >>= 1n;
  }
  return last === 0n && hex(computed) === hex(root);
}

/**
 * Whether a note has a valid signature by this key.
 * @param {Note} note
 * @param {VerifierKey} key
 */
export async function isSigned(note, key) {
  const text = new TextEncoder().encode(note.text);
  const raw = /** @type {BufferSource} */ (key.publicKey);
  const imported = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  for (const each of note.signatures) {
    if (each.name !== key.name || each.id !== key.id) continue;
    const signature = /** @type {BufferSource} */ (each.signature);
    if (await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, text)) return true;
  }
  return false;
}

/** Whether this browser can check signatures. Without WebCrypto's Ed25519, nothing is ever verified. */
export async function canCheckSignatures() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(HASH_BYTES), { name: "Ed25519" }, false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

/**
 * @typedef {{holds: boolean | null, why: string | null}} Step Whether it holds; null if it wasn't checked.
 * @typedef {{
 *   isVerified: boolean,
 *   record: Step, inclusion: Step, signature: Step,
 *   leaf: Leaf | null, index: bigint | null, checkpoint: Checkpoint | null, recordHash: string,
 * }} SealCheck
 */

/**
 * Check that an entry is sealed: the leaf is about this entry, as it is shown; the leaf is in the log; and the
 * log's checkpoint is signed with the key. It is only verified if all three hold.
 * @param {ObjectVersion & Record<string, unknown>} entry
 * @param {string} text The proof.
 * @param {VerifierKey} key
 * @returns {Promise<SealCheck>}
 */
export async function checkSeal(entry, text, key) {
  const recordHash = hex(await sha256(recordOf(entry)));
  /** @type {SealCheck} */
  const check = {
    isVerified: false,
    record: { holds: null, why: null },
    inclusion: { holds: null, why: null },
    signature: { holds: null, why: null },
    leaf: null,
    index: null,
    checkpoint: null,
    recordHash,
  };
  const proof = attempt(check.inclusion, () => parseProof(text));
  if (!proof) return check;
  check.index = proof.index;
  const leaf = attempt(check.record, () => parseLeaf(proof.leaf));
  check.leaf = leaf;
  if (leaf) {
    const difference = await differenceOf(entry, recordHash, leaf);
    check.record = { holds: difference === null, why: difference };
  }
  const note = attempt(check.signature, () => parseNote(proof.checkpoint));
  const checkpoint = note && attempt(check.signature, () => parseCheckpoint(note.text));
  if (!note || !checkpoint) return check;
  check.checkpoint = checkpoint;
  const isIn = await isIncluded({ ...proof, ...checkpoint });
  check.inclusion = { holds: isIn, why: isIn ? null : "the hashes don't lead to the root of the checkpoint" };
  const isByKey = checkpoint.origin === key.name && (await isSigned(note, key));
  check.signature = {
    holds: isByKey,
    why: isByKey ? null : `${key.name}, with this key, didn't sign the checkpoint`,
  };
  check.isVerified = check.record.holds === true && isIn && isByKey;
  return check;
}

/** @param {ObjectVersion & Record<string, unknown>} entry @param {string} recordHash @param {Leaf} leaf */
async function differenceOf(entry, recordHash, leaf) {
  if (leaf.kind !== ENTRY_KIND) return "the leaf says that an entry was erased";
  if (leaf.object_id !== (await objectIdOf(entry))) return "the leaf is about another object version";
  if (leaf.fingerprint !== entry.fingerprint) return "the leaf has another fingerprint";
  if (leaf.recorded_at !== entry.recorded_at) return "the leaf has another time of recording";
  if (leaf.record_sha256 !== recordHash) return "the entry isn't what was sealed";
  return null;
}

/**
 * @template T
 * @param {Step} step Doesn't hold if reading throws.
 * @param {() => T} read
 * @returns {T | null}
 */
function attempt(step, read) {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProofError)) throw error;
    step.holds = false;
    step.why = error.message;
    return null;
  }
}

/** @param {...Uint8Array} parts */
function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
