/** What an entry means, in words: docs/what-an-entry-means.md in short. */

/** @typedef {"ACCEPTED" | "DUPLICATE" | "REJECTED"} Outcome */

/** @type {Record<Outcome, {word: string, meaning: string}>} */
export const OUTCOMES = {
  ACCEPTED: {
    word: "Accepted",
    meaning: "This was the first upload of these bytes, and the file is whole.",
  },
  DUPLICATE: {
    word: "Duplicate",
    meaning: "The same bytes had been accepted before.",
  },
  REJECTED: {
    word: "Rejected",
    meaning: "This upload isn't a receipt.",
  },
};

/** @type {Record<string, {word: string, meaning: string}>} */
export const REASONS = {
  empty: { word: "Empty", meaning: "The object has no bytes." },
  folder_marker: { word: "Folder", meaning: "The object has no bytes and only stands for a folder." },
  too_large: {
    word: "Too large",
    meaning: "The object was larger than the limit at that time, and wasn't read.",
  },
  unsupported_type: {
    word: "Unsupported type",
    meaning: "The file isn't of a type that was accepted at that time.",
  },
  damaged: { word: "Damaged", meaning: "The file is cut off, or its parts don't add up." },
  object_missing: { word: "Missing object", meaning: "The object version was gone before it could be read." },
  unversioned: {
    word: "Unversioned",
    meaning: "The bucket's versioning was off, so the object could have been overwritten. It wasn't read.",
  },
  unreadable: {
    word: "Unreadable",
    meaning: "S3 wouldn't return the object: it is in an archive, or under another key.",
  },
};

/** @type {Record<string, {word: string, meaning: string}>} */
export const FINDINGS = {
  active_content: {
    word: "Active content",
    meaning: "The PDF has a script, an action that starts programs, or an embedded program.",
  },
  encrypted: {
    word: "Encrypted",
    meaning: "The PDF is encrypted. It may need a password, or only restrict what readers should allow.",
  },
  multiple_images: {
    word: "Multiple images",
    meaning: "The file has more than one image: pages, frames of an animation, or photos.",
  },
  trailing_data: {
    word: "Trailing data",
    meaning: "Bytes follow the end of the file. Another program may take it for a file of another type.",
  },
};

/** @type {Record<string, string>} */
export const VIA = {
  form: "with an upload form",
  post: "with a POST that somebody else signed",
  put: "with a PUT",
  multipart: "in parts (multipart upload)",
  copy: "by copying an object in S3",
};

/** @type {Record<string, string>} */
const TYPES = {
  "application/pdf": "PDF",
  "image/png": "PNG",
  "image/jpeg": "JPEG",
  "image/webp": "WebP",
  "image/gif": "GIF",
  "image/tiff": "TIFF",
  "image/heic": "HEIC",
  "image/heif": "HEIF",
  "image/avif": "AVIF",
};

/** @param {string | null} mediaType */
export function typeWord(mediaType) {
  if (mediaType === null) return "unknown";
  return Object.hasOwn(TYPES, mediaType) ? TYPES[mediaType] : mediaType;
}

/** @param {Record<string, {word: string, meaning: string}>} words @param {string} name */
export function wordFor(words, name) {
  return Object.hasOwn(words, name) ? words[name] : { word: name, meaning: "" };
}
