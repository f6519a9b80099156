/** Gets the proof of an entry and has it checked here, until there is an answer. */

import { Problem, proof } from "./api.js";
import { canCheckSignatures, checkSeal, objectIdOf, parseVerifierKey, ProofError } from "./proof.js";

/** @typedef {import("./entry.js").Entry} Entry */

/**
 * @typedef {{
 *   state: "working" | "verified" | "failed" | "unsealed" | "unchecked",
 *   why: string | null,
 *   check: import("./proof.js").SealCheck | null,
 *   proof: string | null,
 *   key: import("./proof.js").VerifierKey | null,
 * }} Seal Only "verified" if the page itself has computed everything.
 */

const AGAIN_MS = 5_000;

export class SealWatch {
  #stop = new AbortController();
  #timer = 0;

  /** @param {Entry} entry @param {string | null} verifierKey @param {(seal: Seal) => void} onSeal */
  constructor(entry, verifierKey, onSeal) {
    this.entry = entry;
    this.verifierKey = verifierKey;
    this.onSeal = onSeal;
    this.#tell("working", null);
    this.#look();
  }

  end() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #look() {
    try {
      await this.#check();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const why = error instanceof Problem || error instanceof ProofError ? error.message : String(error);
      this.#tell("unchecked", why);
    }
  }

  async #check() {
    const { entry, verifierKey } = this;
    if (entry.fingerprint === null) {
      this.#tell(
        "unchecked",
        "The API finds a proof by the fingerprint, and this file wasn't read. `bill-e export` has its proof.",
      );
      return;
    }
    if (verifierKey === null) {
      this.#tell(
        "unchecked",
        "The console has no key of the log. Start it with --key, or deploy the current program.",
      );
      return;
    }
    if (!(await canCheckSignatures())) {
      this.#tell(
        "unchecked",
        "This browser can't check Ed25519 signatures. A current one can, and so can `bill-e proof`.",
      );
      return;
    }
    const key = await parseVerifierKey(verifierKey);
    const text = await proof(entry.fingerprint, await objectIdOf(entry), this.#stop.signal);
    if (text === null) {
      this.#tell("unsealed", "The entry isn't in the log yet. Entries are sealed within minutes.");
      this.#timer = window.setTimeout(() => this.#look(), AGAIN_MS);
      return;
    }
    const check = await checkSeal(entry, text, key);
    if (this.#stop.signal.aborted) return;
    const why =
      [check.record, check.inclusion, check.signature].find((step) => step.holds === false)?.why ?? null;
    this.onSeal({ state: check.isVerified ? "verified" : "failed", why, check, proof: text, key });
  }

  /** @param {"working" | "unsealed" | "unchecked"} state @param {string | null} why */
  #tell(state, why) {
    if (!this.#stop.signal.aborted) this.onSeal({ state, why, check: null, proof: null, key: null });
  }
}
