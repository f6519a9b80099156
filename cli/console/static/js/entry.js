/** What can be said of an entry, as the API has it. */

import { FINDINGS, REASONS, wordFor } from "./words.js";

/**
 * @typedef {{bucket: string, key: string, version_id: string}} ObjectVersion
 * @typedef {{principal: string | null, issuer: string | null, subject: string | null}} Caller
 * @typedef {ObjectVersion & {
 *   outcome: import("./words.js").Outcome,
 *   reason?: string, detail?: string | null,
 *   fingerprint: string | null, size_bytes: number | null, media_type: string | null,
 *   findings?: string[], uploaded_at: string, recorded_at: string,
 *   uploader: {principal: string | null, source_ip: string | null, via?: string | null, caller?: Caller | null},
 *   resent?: boolean, salt?: string | null,
 *   duplicate_of?: ObjectVersion, restores?: boolean,
 * }} Entry
 */

/** What makes two entries the same one. @param {ObjectVersion} entry */
export function identityOf(entry) {
  return `${entry.bucket}\0${entry.version_id}\0${entry.key}`;
}

/** Entries newest first, each once. @param {Entry[]} entries @returns {Entry[]} */
export function inOrder(entries) {
  const once = new Map(entries.map((entry) => [identityOf(entry), entry]));
  return [...once.values()].sort((a, b) =>
    a.recorded_at < b.recorded_at ? 1 : a.recorded_at > b.recorded_at ? -1 : 0,
  );
}

/** Who uploaded: the caller who asked for the form, or else the principal that S3 names. @param {Entry} entry */
export function uploaderOf(entry) {
  const { caller, principal } = entry.uploader;
  if (!caller) return principal;
  return caller.principal ?? `${caller.subject} of ${caller.issuer}`;
}

/**
 * The part of an uploader's name that a person recognises: of a token, the subject; of a role, its session.
 * @param {Entry} entry
 */
export function shortUploaderOf(entry) {
  const { caller } = entry.uploader;
  if (caller && caller.principal === null) return caller.subject ?? "";
  return shortPrincipal(uploaderOf(entry) ?? "");
}

/** @param {string} name An ARN, or what S3 names. */
function shortPrincipal(name) {
  if (name.startsWith("arn:"))
    return name.split(":").slice(5).join(":").split("/").slice(1).join("/") || name;
  return name.startsWith("AWS:") ? name.slice(name.lastIndexOf(":") + 1) : name;
}

/** The same of a name as `uploaderOf` writes it. @param {string} name */
export function shortName(name) {
  const short = shortPrincipal(name);
  const issuer = short === name ? name.lastIndexOf(" of ") : -1;
  return issuer > 0 ? name.slice(0, issuer) : short;
}

/** The name of the file: the last part of the key. @param {string} key */
export function nameOf(key) {
  return key.slice(key.lastIndexOf("/", key.length - 2) + 1) || key;
}

/**
 * A key is given by whoever uploaded, and a detail may have bytes of the file in it: both have to be shown safely.
 * @typedef {{words: string, key?: string, detail?: string}} Remark
 */

/** What is worth saying about an entry besides its outcome, in a few words. @param {Entry} entry */
export function remarksOf(entry) {
  /** @type {Remark[]} */
  const remarks = [];
  if (entry.reason) {
    const { word: words } = wordFor(REASONS, entry.reason);
    remarks.push(entry.detail ? { words, detail: entry.detail } : { words });
  }
  const first = entry.duplicate_of;
  if (first) {
    const isCopy = entry.uploader.via === "copy";
    if (first.key === entry.key) remarks.push({ words: isCopy ? "Copied onto itself" : "Sent again" });
    else remarks.push({ words: isCopy ? "Copy of" : "Same as", key: first.key });
  }
  if (entry.restores) remarks.push({ words: "Restores a lost receipt" });
  for (const finding of entry.findings ?? []) remarks.push({ words: wordFor(FINDINGS, finding).word });
  return remarks;
}
