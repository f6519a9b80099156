/** The files that somebody chose or dropped, with their paths within the folder that was given. */

/** @typedef {{file: File, path: string}} Chosen */

/**
 * Files that tools and systems leave in folders begin with a dot. `bill-e upload` leaves them out, too.
 * @param {string} path
 */
export function isHidden(path) {
  return path.split("/").some((part) => part.startsWith("."));
}

/** @param {FileList} files @returns {Chosen[]} */
export function chosenIn(files) {
  return Array.from(files, (file) => ({ file, path: withoutTop(file.webkitRelativePath) || file.name }));
}

/** The name of the folder itself isn't part of a key. @param {string} path */
function withoutTop(path) {
  return path.slice(path.indexOf("/") + 1);
}

/**
 * What was dropped, with everything in its folders.
 * @param {DataTransfer} transfer Can only be read until the event has ended, so the entries are taken at once.
 * @returns {Promise<Chosen[]>}
 */
export async function droppedIn(transfer) {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.() ?? null);
  const files = Array.from(transfer.files);
  /** @type {Chosen[]} */
  const found = [];
  if (entries.every((entry) => entry === null)) return files.map((file) => ({ file, path: file.name }));
  for (const entry of entries) {
    if (entry?.isFile)
      found.push({ file: await fileOf(/** @type {FileSystemFileEntry} */ (entry)), path: entry.name });
    else if (entry) await walk(/** @type {FileSystemDirectoryEntry} */ (entry), "", found);
  }
  return found;
}

/** @param {FileSystemDirectoryEntry} folder @param {string} above @param {Chosen[]} found */
async function walk(folder, above, found) {
  const reader = folder.createReader();
  for (let batch = await read(reader); batch.length; batch = await read(reader)) {
    for (const entry of batch) {
      const path = `${above}${entry.name}`;
      if (entry.isFile) found.push({ file: await fileOf(/** @type {FileSystemFileEntry} */ (entry)), path });
      else await walk(/** @type {FileSystemDirectoryEntry} */ (entry), `${path}/`, found);
    }
  }
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** @param {FileSystemDirectoryReader} reader @returns {Promise<FileSystemEntry[]>} */
function read(reader) {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}
