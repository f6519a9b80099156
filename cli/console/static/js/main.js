/**
 * Puts the page together: the frame around the views, and which of them is shown.
 *
 * The ledger needs nothing but its entries, so it asks for them at once. The other views wait for the session, and
 * their modules are loaded after the ledger's first entries.
 */

import { onSessionEnd, Problem, session as askSession } from "./api.js";
import { fill, h } from "./dom.js";
import { Ledger } from "./ledger.js";
import { addressOf, routeOf } from "./routes.js";
import { safely, withCode } from "./text.js";

/**
 * @typedef {{
 *   title: string,
 *   element: HTMLElement,
 *   show: (path: string[], parameters: URLSearchParams) => unknown,
 *   focus: () => void,
 *   hide: () => void,
 * }} View
 */

const main = element("main");
const live = element("live");
const ended = element("ended");

const frame = {
  /** Where the ledger was shown last, with its filters. */
  ledgerAddress: "#/ledger",
  /** @param {import("./live.js").State | "off"} state @param {string} [detail] */
  showLive(state, detail = "") {
    const words = { live: "Live", slow: "Live", failed: "Trying again…", ended: "Ended", off: "" }[state];
    live.className = `live ${state}`;
    live.title = detail.replaceAll("`", "");
    if (live.textContent !== words) fill(live, words);
  },
  /** @param {number} unfinished */
  showUploads(unfinished) {
    const badge = element("unfinished");
    badge.hidden = unfinished === 0;
    fill(badge, String(unfinished), h("span", { class: "unheard" }, " on the way"));
  },
};

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

function begin() {
  // The address after the # says which view is shown, so it can't lead to a place in it.
  element("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  // A file that is dropped where no view takes it would be opened by the browser, in place of the console.
  for (const type of ["dragover", "drop"]) {
    addEventListener(type, (event) => {
      if (/** @type {DragEvent} */ (event).dataTransfer?.types.includes("Files")) event.preventDefault();
    });
  }
  onSessionEnd(showEnd);
  const session = askSession();
  const failed = follow({
    ledger: async () => new Ledger(frame),
    receipt: async () => new (await import("./receipt.js")).Receipt(await session, frame),
    upload: async () => new (await import("./upload.js")).Upload(await session, frame),
    overview: async () => new (await import("./overview.js")).Overview(await session),
  });
  session.then(showSession, failed);
}

/** @param {import("./api.js").Session} session */
function showSession(session) {
  fill(element("stack"), session.stack);
  element("stack").title = session.region;
  fill(element("user"), session.user && safely(session.user));
}

/**
 * Show the view that the address names, now and whenever it changes.
 * @param {Record<string, () => Promise<View>>} makers
 * @returns {(error: unknown) => void} Shows why there is no view.
 */
function follow(makers) {
  /** @type {Record<string, View>} */
  const views = {};
  /** @type {View | null} */
  let current = null;
  let name = "";
  let turn = 0;
  /** @param {string} which */
  const viewOf = async (which) => {
    const made = await makers[which]();
    return (views[which] ??= made);
  };
  const route = async () => {
    const mine = ++turn;
    const { path, parameters } = routeOf(location.hash);
    const next = Object.hasOwn(makers, path[0] ?? "") ? path[0] : "ledger";
    // A receipt that was opened from the ledger goes back to where the ledger was.
    if (next === "receipt" && name === "ledger") history.replaceState({ from: "ledger" }, "");
    current?.hide();
    current = null;
    const view = views[next] ?? (await viewOf(next));
    if (mine !== turn) return;
    const isFirst = name === "";
    const isOther = next !== name;
    current = view;
    name = next;
    if (isOther) {
      fill(main, view.element);
      markCurrent(next);
      document.title = `${view.title} - Bill-E`;
    }
    // The ledger knows where it was, and stays there while its filters change.
    if (next !== "ledger") scrollTo({ top: 0 });
    else frame.ledgerAddress = addressOf(["ledger"], parameters);
    const shown = view.show(path.slice(1), parameters);
    if (!isFirst && (isOther || next !== "ledger")) view.focus();
    if (isFirst) loadOthers(shown);
  };
  /** @param {unknown} shown Settles when the first view has what it needs. */
  const loadOthers = async (shown) => {
    await shown;
    // Whichever can't be made is tried again when somebody goes there, and then the error is shown.
    for (const which of Object.keys(makers)) if (!(which in views)) await viewOf(which).catch(() => {});
  };
  /** @param {unknown} error */
  const fail = (error) => {
    turn++;
    current?.hide();
    current = null;
    name = "failed";
    showFailure(error);
  };
  const routed = () => route().catch(fail);
  addEventListener("hashchange", routed);
  addEventListener("routed", routed);
  history.scrollRestoration = "manual";
  routed();
  return fail;
}

/** Say why there is no page. @param {unknown} error */
function showFailure(error) {
  const problem = error instanceof Problem ? error : new Problem(0, { detail: String(error) });
  fill(
    main,
    h("section", { class: "view" }, h("h1", {}, problem.title), h("p", { role: "alert" }, withCode(problem.message))),
  );
}

/** @param {string} name */
function markCurrent(name) {
  for (const link of document.querySelectorAll("nav.views a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** @param {Problem | null} problem Null if it is over. */
function showEnd(problem) {
  if (ended.hidden === (problem === null)) return;
  ended.hidden = problem === null;
  if (problem === null) return;
  const advice =
    problem.type === "login-ended"
      ? "Sign in again. If this doesn't go away, run `bill-e console` once more."
      : problem.message;
  fill(ended, h("strong", {}, problem.title), " ", withCode(advice));
}

begin();
