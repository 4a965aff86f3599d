// A plot in its frame: what it shows in words, the drawing, and its numbers as a table.
import { ask } from "./api.js";
import { el, fill, num, table, text } from "./dom.js";
import { theme } from "./colours.js";

const MOST_ROWS = 200;

/** The frame of a plot of an experiment. `refresh` draws it again where there is something new. */
export function plotFrame(id, name, label, tall = false) {
  const title = el("h2", {}, label), note = el("p.sub"), space = el("div.plot", { role: "img", "aria-label": label });
  const numbers = el("div"), details = el("details", {}, el("summary", {}, "Numbers"), numbers);
  const frame = el("figure.card", { "data-plot": name }, el("figcaption", {}, title, note), space, details);
  if (tall) space.classList.add("tall");
  let shown = null, drawnAs = null;

  details.addEventListener("toggle", () => details.open && shown?.figure && showNumbers());

  function showNumbers() {
    const rows = rowsOf(shown.figure.data);
    fill(numbers, table(`Numbers of ${label}`, ["Series", "x", "y"], rows.slice(0, MOST_ROWS).map((row) => row.map((cell) => num(cell)))),
      rows.length > MOST_ROWS && el("p.sub", {}, `The first ${MOST_ROWS} of ${num(rows.length)}; the table of trials has all.`));
  }

  async function refresh(signal) {
    const { value } = await ask(`experiments/${id}/plots/${name}?theme=${theme()}`, signal);
    if (value === shown && drawnAs === theme()) return;
    shown = value;
    drawnAs = theme();
    if (value.error) {
      space.replaceChildren(el("p.empty", {}, value.error));
      space.removeAttribute("role");
      details.hidden = true;
      return;
    }
    title.textContent = value.said.title || label;
    note.textContent = value.said.note;
    space.setAttribute("aria-label", `${label}. ${value.said.note} ${value.said.summary}`);
    details.hidden = rowsOf(value.figure.data).length === 0;
    await draw(space, value.figure.data, value.figure.layout);
    if (details.open) showNumbers();
  }

  return { frame, refresh, close: () => window.Plotly?.purge(space) };
}

/** Draw traces, or change what is drawn. */
export async function draw(space, data, layout) {
  space.querySelector(":scope > .empty")?.remove();
  space.setAttribute("role", "img");
  const height = layout.height && layout.height > 480 ? layout.height : space.classList.contains("tall") ? 520 : 340;
  space.style.height = `${height}px`;
  await window.Plotly.react(space, data, { ...layout, height, width: undefined, autosize: true },
    { responsive: true, displaylogo: false, displayModeBar: false });
}

/** What traces show, as [series, x, y]. */
function rowsOf(traces) {
  const rows = [];
  for (const trace of traces) {
    const { x, y, name } = trace;
    if (!Array.isArray(y) && !Array.isArray(x)) continue;
    const count = Math.max(x?.length ?? 0, y?.length ?? 0);
    for (let i = 0; i < count && rows.length <= 5000; i++) {
      if (y?.[i] !== null) rows.push([name ?? "", x?.[i] ?? i, y?.[i] ?? ""].map((cell) => (typeof cell === "number" ? cell : text(cell))));
    }
  }
  return rows;
}

/** A layout for plots that are made here, in the present colours. */
export function layoutFor(xTitle, yTitle) {
  const dark = theme() === "dark";
  const ink = dark ? "#e6edf3" : "#1f2328", grid = dark ? "#2b323b" : "#e4e7eb";
  const axis = { gridcolor: grid, linecolor: grid, zeroline: false, automargin: true };
  return {
    font: { family: "system-ui, sans-serif", size: 13, color: ink }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 60, r: 16, t: 16, b: 48 }, xaxis: { ...axis, title: { text: xTitle } }, yaxis: { ...axis, title: { text: yTitle } },
    colorway: ["#0072b2", "#d55e00", "#009e73", "#b0599a", "#a6761d", "#7f7f7f"], hovermode: "closest",
    legend: { orientation: "h", y: -0.25 },
  };
}
