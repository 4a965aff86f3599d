// Several experiments side by side.
import { ask } from "./api.js";
import { badge, el, fill, num, span, table, text } from "./dom.js";
import { draw, layoutFor } from "./plots.js";
import { theme } from "./colours.js";

export function compareView(main) {
  const space = el("div.plot.tall", { role: "img", "aria-label": "Best so far of each experiment" });
  const results = el("div"), differences = el("div");
  const by = el("select", { id: "by" }, el("option", { value: "trials" }, "trials"), el("option", { value: "seconds" }, "time"));
  by.addEventListener("change", () => visit("by", by.value === "trials" ? null : by.value));
  main.append(el("div.head", {}, el("h1", {}, "Compare"), el("div.row", {}, el("label", { for: "by" }, "Best so far over"), by)),
    el("figure.card", {}, el("figcaption.unseen", {}, "Best so far of each experiment; the table below has the results"), space), results, differences);
  let query = new URLSearchParams(), known = null, drawn = null;

  function visit(name, value) {
    const next = new URLSearchParams(query);
    if (value === null) next.delete(name);
    else next.set(name, value);
    location.hash = `#/compare?${next}`;
  }

  function drawAll() {
    const found = known.experiments.filter((each) => each.course);
    const axis = query.get("by") === "seconds" ? "seconds" : "trials";
    by.value = axis;
    const metrics = [...new Set(found.map((each) => each.metric ?? ""))];
    const key = `${axis}/${theme()}/${found.map((each) => each.version)}`;
    if (drawn !== key) {
      drawn = key;
      const dashes = ["solid", "dash", "dot", "dashdot"];
      draw(space, found.map((each, i) => ({ x: each.course[axis], y: each.course.best, name: each.path, mode: "lines+markers", marker: { size: 5, symbol: i }, line: { shape: "hv", width: 2, dash: dashes[i % 4] } })),
        { ...layoutFor(axis === "trials" ? "trials that have ended" : "seconds since the start", metrics.length === 1 ? metrics[0] : "best"), showlegend: true });
      space.setAttribute("aria-label", `Best so far: ${found.map((each) => `${each.path} ${num(each.best)}`).join(", ")}`);
    }
    fill(results, el("h2", {}, "Results"), table("Results", ["Experiment", "State", "Metric", el("th.n", { scope: "col" }, "Best"), el("th.n", { scope: "col" }, "Trials"), el("th.n", { scope: "col" }, "Stopped early"), el("th.n", { scope: "col" }, "Failed"), el("th.n", { scope: "col" }, "Time"), "Best configuration"],
      known.experiments.map((each) => [
        el("th", { scope: "row" }, el("a", { href: `#/e/${each.id}`, "data-key": each.id }, each.name), el("span.path", {}, each.path)), badge(each.state), each.metric ? `${each.metric} (${each.direction})` : "–",
        el("td.n", {}, num(each.best)), el("td.n", {}, `${num(each.ended)}`), el("td.n", {}, num(each.stopped)), el("td.n", {}, each.failed === undefined ? "–" : num(each.failed + each.lost)), el("td.n", {}, span(each.seconds)),
        el("td", {}, el("code", {}, each.best_config ? Object.entries(each.best_config).map(([name, value]) => `${name}=${typeof value === "number" ? num(value, 4) : text(value)}`).join(" ") : "–")),
      ])));
    fill(differences, el("h2", {}, "What differs in their configurations"), !known.differences.length ? el("p.sub", {}, "Nothing.") :
      table("Differences", ["Setting", ...known.experiments.map((each) => each.path)], known.differences.map((each) => [
        el("th", { scope: "row" }, el("code", {}, each.name)), ...each.values.map((value) => el("td", {}, short(value)))])));
  }

  return {
    go(where) {
      query = where.query;
      if (known) drawAll();
    },
    crumbs: () => [{ text: "Experiments", href: "#/" }, { text: "Compare", href: "" }],
    recolour: () => known && drawAll(),
    close: () => window.Plotly?.purge(space),
    async refresh(signal) {
      const { value, changed } = await ask(`compare?ids=${query.get("ids") ?? ""}`, signal);
      if (changed || !known) {
        known = value;
        drawAll();
      }
      const states = value.experiments.map((each) => each.state);
      return states.includes("reading") ? 700 : states.includes("running") ? 2000 : 10000;
    },
  };
}

function short(value) {
  const shown = text(value);
  return shown.length > 120 ? el("span", { title: shown }, `${shown.slice(0, 117)}…`) : shown;
}
