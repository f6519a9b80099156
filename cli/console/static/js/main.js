/** Puts the page together: the frame around the views, and which of them is shown. */

import { onSessionEnd, Problem, session as askSession } from "./api.js";
import { fill, h } from "./dom.js";
import { Ledger } from "./ledger.js";
import { Overview } from "./overview.js";
import { Receipt } from "./receipt.js";
import { addressOf, routeOf } from "./routes.js";
import { safely, withCode } from "./text.js";
import { Upload } from "./upload.js";

/**
 * @typedef {{
 *   title: string,
 *   element: HTMLElement,
 *   show: (path: string[], parameters: URLSearchParams) => void,
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

async function begin() {
  // The address after the # says which view is shown, so it can't lead to a place in it.
  element("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  onSessionEnd(showEnd);
  let session;
  try {
    session = await askSession();
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(0, { detail: String(error) });
    fill(
      main,
      h(
        "section",
        { class: "view" },
        h("h1", {}, problem.title),
        h("p", { role: "alert" }, withCode(problem.message)),
      ),
    );
    return;
  }
  fill(element("stack"), session.stack);
  element("stack").title = session.region;
  fill(element("user"), session.user && safely(session.user));
  document.documentElement.classList.add("ready");
  /** @type {Record<string, View>} */
  const views = {
    ledger: new Ledger(frame),
    receipt: new Receipt(session, frame),
    upload: new Upload(session, frame),
    overview: new Overview(session),
  };
  follow(views);
}

/** @param {Record<string, View>} views */
function follow(views) {
  /** @type {View | null} */
  let current = null;
  let name = "";
  const route = () => {
    const { path, parameters } = routeOf(location.hash);
    const next = Object.hasOwn(views, path[0] ?? "") ? path[0] : "ledger";
    const isOther = next !== name;
    // A receipt that was opened from the ledger goes back to where the ledger was.
    if (isOther && next === "receipt" && name === "ledger") history.replaceState({ from: "ledger" }, "");
    const isFirst = name === "";
    current?.hide();
    current = views[next];
    name = next;
    if (isOther) {
      fill(main, current.element);
      markCurrent(next);
      document.title = `${current.title} - Bill-E`;
    }
    // The ledger knows where it was, and stays there while its filters change.
    if (next !== "ledger") scrollTo({ top: 0 });
    else frame.ledgerAddress = addressOf(["ledger"], parameters);
    current.show(path.slice(1), parameters);
    if (!isFirst && (isOther || next !== "ledger")) current.focus();
  };
  addEventListener("hashchange", route);
  addEventListener("routed", route);
  history.scrollRestoration = "manual";
  route();
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
