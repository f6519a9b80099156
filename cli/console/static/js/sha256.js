/**
 * SHA-256 of data that comes in pieces (FIPS 180-4). Browsers only hash what is in memory as a whole, and a file
 * to upload may be larger than that.
 */

const BLOCK = 64;
const ROUNDS = constants();
const START = Uint32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);

/** The hash of what has been added so far. */
export class Sha256 {
  #state = START.slice();
  #schedule = new Int32Array(BLOCK);
  #rest = new Uint8Array(BLOCK);
  #bytes = 0;

  /** @param {Uint8Array} data @returns {this} */
  add(data) {
    let at = 0;
    const held = this.#bytes % BLOCK;
    this.#bytes += data.length;
    if (held) {
      at = Math.min(BLOCK - held, data.length);
      this.#rest.set(data.subarray(0, at), held);
      if (held + at < BLOCK) return this;
      this.#compress(this.#rest, 0);
    }
    for (; at + BLOCK <= data.length; at += BLOCK) this.#compress(data, at);
    this.#rest.set(data.subarray(at));
    return this;
  }

  /** End the data, and return its hash in hex. Nothing can be added after that. */
  hex() {
    const bits = this.#bytes * 8;
    const held = this.#bytes % BLOCK;
    const end = new Uint8Array(held < 56 ? BLOCK - held : 2 * BLOCK - held);
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(end.length - 4, bits >>> 0);
    this.add(end);
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  /** @param {Uint8Array} data @param {number} at */
  #compress(data, at) {
    const w = this.#schedule;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    const state = this.#state;
    // Not destructured, which takes longer than the rounds.
    let a = state[0] | 0;
    let b = state[1] | 0;
    let c = state[2] | 0;
    let d = state[3] | 0;
    let e = state[4] | 0;
    let f = state[5] | 0;
    let g = state[6] | 0;
    let h = state[7] | 0;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
function constants() {
  const found = [];
  for (let candidate = 2n; found.length < 64; candidate++) {
    let isPrime = true;
    for (let divisor = 2n; divisor * divisor <= candidate; divisor++) isPrime &&= candidate % divisor !== 0n;
    if (isPrime) found.push(Number(BigInt.asUintN(32, cubeRoot(candidate << 96n))) | 0);
  }
  return Int32Array.from(found);
}

/** @param {bigint} value */
function cubeRoot(value) {
  let low = 0n;
  let high = 1n << 36n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** 3n <= value) low = middle;
    else high = middle - 1n;
  }
  return low;
}
