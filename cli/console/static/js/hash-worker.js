/** Hashes files one after the other, away from the page. Each message is a file and an id. */

import { Sha256 } from "./sha256.js";

const REPORT_EVERY = 8 * 1024 * 1024;

addEventListener(
  "message",
  async (/** @type {MessageEvent<{id: number, file: File}>} */ { data: { id, file } }) => {
    try {
      const hash = new Sha256();
      let done = 0;
      let reported = 0;
      const reader = file.stream().getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        hash.add(next.value);
        done += next.value.length;
        if (done - reported >= REPORT_EVERY) postMessage({ id, done: (reported = done) });
      }
      postMessage({ id, fingerprint: hash.hex() });
    } catch (error) {
      postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  },
);
