// Which view is shown, and when it asks for news.
import { Refused } from "./api.js";
import { el, fill, say } from "./dom.js";
import { listView } from "./list.js";
import { experimentView } from "./experiment.js";
import { trialView } from "./trial.js";
import { compareView } from "./compare.js";
import { setUpTheme } from "./colours.js";

const main = document.getElementById("main");
let view = null, timer = 0, asking = null, lost = false;

/** "#/e/ID/trials?sort=metric" as { parts: ["e", ID, "trials"], query: URLSearchParams }. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean), query: new URLSearchParams(query) };
}

function choose(parts) {
  if (parts[0] === "compare") return compareView;
  if (parts[0] === "e" && parts[2] === "trial") return trialView;
  if (parts[0] === "e") return experimentView;
  return listView;
}

function route() {
  if (location.hash === "#main") return;
  const where = place();
  const kind = choose(where.parts);
  const key = kind === listView ? "list" : kind === compareView ? "compare" : where.parts.slice(0, kind === trialView ? 4 : 2).join("/");
  const fresh = !view || view.key !== key;
  if (fresh) {
    view?.close?.();
    main.replaceChildren();
    view = kind(main, where);
    view.key = key;
    scrollTo(0, 0);
  }
  view.go(where);
  if (fresh && routed) main.focus({ preventScroll: true });
  routed = true;
  crumbs(view.crumbs());
  refresh();
}
let routed = false;

function crumbs(steps) {
  document.title = ["Maggy", ...steps.map((step) => step.text)].reverse().join(" · ");
  fill(document.getElementById("crumbs"), steps.map((step, i) =>
    el("li", {}, i === steps.length - 1 ? el("span", { "aria-current": "page" }, step.text) : el("a", { href: step.href }, step.text))));
}

/** Ask now, and again when the view wants it. Nobody asks while the page is hidden. */
async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  if (document.hidden) return;
  const mine = (asking = new AbortController()), current = view;
  let again = 5000;
  try {
    again = await current.refresh(mine.signal);
    if (mine.signal.aborted || current !== view) return;
    if (lost) say("The server answers again.");
    lost = false;
    document.getElementById("trouble")?.remove();
    crumbs(current.crumbs());
  } catch (error) {
    if (error.name === "AbortError" || current !== view) return;
    if (!(error instanceof Refused) && !(error instanceof TypeError)) console.error(error);
    trouble(error instanceof Refused ? error.message : "The server does not answer. `maggy ui` may have ended; this page keeps trying.");
  }
  timer = setTimeout(refresh, again);
}

function trouble(message) {
  if (!lost) say(message);
  lost = true;
  const note = document.getElementById("trouble") ?? el("p.note.bad", { id: "trouble", role: "alert" });
  if (note.textContent !== message) note.textContent = message;
  if (!note.isConnected) main.prepend(note);
}

setUpTheme(() => { view?.recolour?.(); refresh(); });
addEventListener("hashchange", route);
addEventListener("maggy-refresh", () => refresh());
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
route();
