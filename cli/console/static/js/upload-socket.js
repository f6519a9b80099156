/**
 * A web socket through which files are sent, one after the other. Browsers open more of these to a server than
 * the six connections for requests.
 */

/** Both as in cli/console/uploads.py, which ends a socket that sends more. */
const PIECE_BYTES = 256 * 1024;
const PIECES_AHEAD = 4;

/** The socket has ended. */
export class Broken extends Error {
  /** @param {CloseEvent} event */
  constructor({ code, reason }) {
    super(reason);
    this.code = code;
  }
}

/** The file isn't there any more, or isn't as it was when it was chosen. */
export class Unreadable extends Error {}

/** @typedef {{key: string, size_bytes: number, fingerprint: string, again: boolean}} Announcement */

export class UploadSocket {
  #socket;
  #opened;
  /** @type {(said: Record<string, any>) => void} */
  #onSaid = () => {};
  /** @type {(error: Error) => void} */
  #onEnd = () => {};

  constructor() {
    this.#socket = new WebSocket(Object.assign(new URL("/api/uploads", location.href), { protocol: "ws:" }));
    this.#socket.addEventListener("message", ({ data }) => this.#onSaid(JSON.parse(data)));
    this.#socket.addEventListener("close", (event) => this.#onEnd(new Broken(event)));
    this.#opened = new Promise((resolve) => this.#socket.addEventListener("open", resolve));
  }

  get isOpen() {
    return this.#socket.readyState <= WebSocket.OPEN;
  }

  /** Cancels what is sent. */
  close() {
    this.#socket.close();
  }

  /**
   * Send a file. Only a few pieces of it are in memory, and on their way.
   * @param {File} file
   * @param {Announcement} announcement
   * @param {(bytes: number) => void} onTaken Hears how many bytes S3 has been given.
   * @returns {Promise<Record<string, any>>} What became of it, or a problem.
   */
  async send(file, announcement, onTaken) {
    let ahead = 0;
    let isOver = false;
    let goOn = () => {};
    /** @type {Promise<Record<string, any>>} */
    const answer = new Promise((resolve, reject) => {
      this.#onEnd = reject;
      this.#onSaid = (said) => {
        if (!("taken" in said)) return resolve(said);
        ahead--;
        onTaken(said.taken);
        goOn();
      };
    });
    const sendPieces = async () => {
      await this.#opened;
      this.#socket.send(JSON.stringify(announcement));
      for (let start = 0; start < file.size && !isOver; start += PIECE_BYTES) {
        const piece = await read(file.slice(start, start + PIECE_BYTES));
        while (ahead >= PIECES_AHEAD && !isOver) await new Promise((resolve) => (goOn = () => resolve(null)));
        if (isOver) return;
        this.#socket.send(piece);
        ahead++;
      }
    };
    try {
      // The answer may come before all of it has been sent, and never comes before none of it has.
      await Promise.race([answer, sendPieces()]);
      return await answer;
    } catch (error) {
      this.close();
      throw error;
    } finally {
      isOver = true;
      goOn();
    }
  }
}

/** @param {Blob} piece */
async function read(piece) {
  try {
    return await piece.arrayBuffer();
  } catch (error) {
    throw new Unreadable(error instanceof Error ? error.message : String(error));
  }
}
