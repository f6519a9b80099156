/** Entries as CSV, with the same columns and cells as `bill-e receipts --csv`. */

/** @typedef {import("./entry.js").Entry} Entry */

export const COLUMNS = [
  ...["recorded_at", "outcome", "reason", "detail", "fingerprint", "size_bytes", "media_type", "findings"],
  ...["bucket", "key", "version_id", "uploaded_at", "resent"],
  ...["uploader.principal", "uploader.source_ip", "uploader.via"],
  ...["uploader.caller.principal", "uploader.caller.issuer", "uploader.caller.subject"],
  ...["duplicate_of.bucket", "duplicate_of.key", "duplicate_of.version_id", "restores", "salt"],
];

export const HEAD = line(COLUMNS);

/** A cell that begins with one of these could be taken for a formula, or for one that was made safe. */
const FORMULA_STARTS = /^[=+\-@\t\r\n']/;

/** @param {Entry} entry */
export function csvLine(entry) {
  return line(COLUMNS.map((column) => cell(member(entry, column.split(".")))));
}

/** @param {unknown} value @param {string[]} path */
function member(value, path) {
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
    value = /** @type {Record<string, unknown>} */ (value)[name];
  }
  return value;
}

/** @param {unknown} value */
function cell(value) {
  if (value === null) return "";
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.join(" ");
  const text = String(value);
  return FORMULA_STARTS.test(text) ? `'${text}` : text;
}

/** @param {string[]} cells */
function line(cells) {
  return `${cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")}\r\n`;
}
