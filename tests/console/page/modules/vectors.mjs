import { readFileSync } from "node:fs";

/** What Python makes of the same entries (`tests/console/page/vectors.py`). */
export const vectors = JSON.parse(readFileSync(process.env.BILL_E_VECTORS, "utf8"));
