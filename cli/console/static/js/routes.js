/** Addresses within the page: after the #, a path and parameters. */

/** @param {string[]} path @param {URLSearchParams} [parameters] */
export function addressOf(path, parameters) {
  const query = parameters ? String(parameters) : "";
  return `#/${path.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** @param {string} hash @returns {{path: string[], parameters: URLSearchParams}} */
export function routeOf(hash) {
  const text = hash.replace(/^#\/?/, "");
  const end = text.indexOf("?");
  const path = (end < 0 ? text : text.slice(0, end)).split("/").filter(Boolean).map(decoded);
  return { path, parameters: new URLSearchParams(end < 0 ? "" : text.slice(end + 1)) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * Where an entry is shown. One that wasn't read has no fingerprint, and is found by its key and its time.
 * @param {import("./entry.js").Entry} entry
 */
export function entryAddress(entry) {
  const which = new URLSearchParams({ version: entry.version_id, key: entry.key });
  if (entry.fingerprint !== null) return addressOf(["receipt", entry.fingerprint], which);
  which.set("recorded", entry.recorded_at);
  return addressOf(["receipt", "unread"], which);
}
