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
 * @returns {Promise<{found: Chosen[], unreadable: number}>} How many files and folders couldn't be read.
 */
export async function droppedIn(transfer) {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.() ?? null);
  const files = Array.from(transfer.files);
  if (entries.every((entry) => entry === null)) {
    return { found: files.map((file) => ({ file, path: file.name })), unreadable: 0 };
  }
  const dropped = { found: /** @type {Chosen[]} */ ([]), unreadable: 0 };
  for (const entry of entries) {
    if (entry) await take(entry, entry.isFile ? entry.name : "", dropped);
  }
  return dropped;
}

/**
 * @param {FileSystemEntry} entry
 * @param {string} path
 * @param {{found: Chosen[], unreadable: number}} dropped
 */
async function take(entry, path, dropped) {
  try {
    if (entry.isFile) {
      dropped.found.push({ file: await fileOf(/** @type {FileSystemFileEntry} */ (entry)), path });
      return;
    }
    const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
    for (let batch = await read(reader); batch.length; batch = await read(reader)) {
      for (const each of batch) await take(each, path ? `${path}/${each.name}` : each.name, dropped);
    }
  } catch {
    // It was deleted meanwhile, or its owner doesn't let anybody read it. The others are taken all the same.
    dropped.unreadable += 1;
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
