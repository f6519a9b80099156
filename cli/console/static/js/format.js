/** Times, sizes and numbers, as the command line writes them too: in UTC, and in units of 1,000 bytes. */

const NUMBER = new Intl.NumberFormat("en");
const PRECISE = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const UNITS = ["kB", "MB", "GB", "TB"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {number | bigint} value */
export function count(value) {
  return NUMBER.format(value);
}

/** @param {number | bigint} value @param {string} one @param {string} [many] */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${Number(value) === 1 ? one : many}`;
}

/** A size in powers of 1,000. @param {number | null} bytes */
export function size(bytes) {
  if (bytes === null) return "unknown";
  if (bytes < 1000) return `${bytes} B`;
  let unit = 0;
  let value = bytes / 1000;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** The day of a time. @param {string} time RFC 3339 in UTC. */
export function day(time) {
  return time.slice(0, 10);
}

/** The time of day, to the second. @param {string} time RFC 3339 in UTC. */
export function clock(time) {
  return time.slice(11, 19);
}

/** A time, in words. @param {string} time RFC 3339 in UTC. */
export function moment(time) {
  return `${dayInWords(day(time))}, ${clock(time)} UTC`;
}

/** @param {string} text Such as 2026-11-27. */
export function dayInWords(text) {
  const [year, month, date] = text.split("-");
  return `${Number(date)} ${MONTHS[Number(month) - 1]} ${year}`;
}

/** How long something took. @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 10) return `${PRECISE.format(seconds)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return counted(Math.round(seconds / 60), "minute");
  if (seconds < 36 * 3600) return counted(Math.round(seconds / 3600), "hour");
  return counted(Math.round(seconds / 86400), "day");
}

/** How long ago a time was. @param {string} time @param {number} now In milliseconds. */
export function ago(time, now) {
  const passed = now - Date.parse(time);
  return passed < 5000 ? "just now" : `${duration(passed)} ago`;
}
