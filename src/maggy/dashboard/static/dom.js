// Elements, numbers and times.

/** An element. `props` are attributes; those that begin with "on" are listeners, and what is null or false is left out. */
export function el(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(made.style, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Put other children into an element, unless they look the same; what has the focus keeps it. */
export function fill(place, ...children) {
  const fresh = el("div", {}, ...children);
  if (place.innerHTML === fresh.innerHTML && !fresh.querySelector("[data-live]")) return;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const key = focused && (focused.id || focused.dataset.key);
  place.replaceChildren(...fresh.childNodes);
  if (key) place.querySelector(`[id="${CSS.escape(key)}"], [data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** A number in a few characters. */
export function num(value, digits = 5) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return text(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(3).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

export function text(value) {
  return value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Seconds for people: "3.2 s", "12 min", "5 h 20 min". */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A moment, short, with the whole of it as a tooltip. */
export function moment(t) {
  if (!t) return "–";
  const at = new Date(t * 1000);
  const today = at.toDateString() === new Date().toDateString();
  const shown = today
    ? at.toLocaleTimeString("en-GB")
    : at.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  return el("time", { datetime: at.toISOString(), title: at.toString() }, shown);
}

const STATES = {
  running: "running", stopping: "stopping", pending: "waiting", complete: "complete", finished: "finished",
  stopped: "stopped early", failed: "failed", lost: "lost", interrupted: "stopped by hand", crashed: "crashed",
  unfinished: "not seen from here", damaged: "cannot be read", reading: "being read",
};

export const badge = (state) => el(`span.badge.${state}`, {}, STATES[state] ?? state);

/** Tell a screen reader. */
export function say(message) {
  document.getElementById("said").textContent = message;
}

export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`);

/** A table that scrolls by itself. `head` are cells, `rows` lists of cells. */
export function table(label, head, rows, props = {}) {
  return el("div.scroll", { tabindex: "0", role: "region", "aria-label": label },
    el("table", props, el("caption.unseen", {}, label),
      el("thead", {}, el("tr", {}, head.map((cell) => (cell instanceof Node ? cell : el("th", { scope: "col" }, cell))))),
      el("tbody", {}, rows.map((cells) => (cells instanceof Node ? cells : el("tr", {}, cells.map((cell) =>
        cell instanceof HTMLTableCellElement ? cell : el("td", {}, cell))))))));
}
