// All experiments.
import { ask } from "./api.js";
import { badge, el, fill, moment, num, table } from "./dom.js";

export function listView(main) {
  const picked = new Set();
  const head = el("div"), body = el("div"), filter = el("input", { id: "find", type: "search", placeholder: "name or state", autocomplete: "off" });
  const compare = el("a.button", { href: "#/compare", id: "compare" }, "Compare");
  let known = null;

  filter.addEventListener("input", draw);
  main.append(
    el("div.head", {}, head, el("div.row", {}, el("label", { for: "find" }, "Filter "), filter, compare)),
    body,
  );

  function pick(id, on) {
    if (on) picked.add(id);
    else picked.delete(id);
    showCompare();
  }

  function showCompare() {
    const enough = picked.size > 1;
    compare.textContent = enough ? `Compare ${picked.size}` : "Compare";
    compare.href = enough ? `#/compare?ids=${[...picked].join(",")}` : "#/";
    compare.setAttribute("aria-disabled", String(!enough));
    compare.title = enough ? "" : "Pick two experiments or more";
  }

  function draw() {
    if (!known) return;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = known.experiments.filter((each) => words.every((word) => `${each.name} ${each.path} ${each.state}`.toLowerCase().includes(word)));
    const running = known.experiments.filter((each) => each.state === "running").length;
    const count = known.experiments.length;
    fill(head, el("h1", {}, "Experiments"),
      el("p.sub", {}, `${count === 1 ? "1 experiment" : `${num(count)} experiments`} in `, el("code", {}, known.root), running ? ` · ${running} running` : ""),
      known.error && el("p.note.bad", { role: "alert" }, known.error));
    if (!count) {
      fill(body, el("div.empty", {}, el("h2", {}, "No experiment yet"), el("p", {}, "Whatever lagom runs in this folder appears here by itself.")));
      return;
    }
    if (!shown.length) {
      fill(body, el("p.empty", {}, "No experiment fits this filter."));
      return;
    }
    const rows = shown.map((each) => el("tr", { "data-id": each.id },
      el("td.pick", {}, el("input", { type: "checkbox", "data-key": `pick-${each.id}`, "aria-label": `Compare ${each.path}`, ...(picked.has(each.id) ? { checked: "" } : {}) })),
      el("th", { scope: "row" }, el("a.strong", { href: `#/e/${each.id}`, "data-key": `open-${each.id}` }, each.name), el("span.path", {}, each.path)),
      el("td", {}, badge(each.state)),
      el("td", {}, each.error ? el("span.bad", {}, each.error) : progress(each)),
      el("td.n", {}, num(each.best), each.metric && each.best !== null && el("span.unit", {}, each.metric)),
      el("td", {}, each.engine ?? "–"),
      el("td", {}, moment(each.started)),
    ));
    fill(body, table("Experiments", [el("th.pick", { scope: "col" }, el("span.unseen", {}, "Compare")), "Experiment", "State", "Trials", el("th.n", { scope: "col" }, "Best"), "Engine", "Started"], rows));
    for (const box of body.querySelectorAll("input[type=checkbox]")) {
      const id = box.closest("tr").dataset.id;
      box.checked = picked.has(id);
      box.onchange = () => pick(id, box.checked);
    }
  }

  return {
    go() { showCompare(); },
    crumbs: () => [{ text: "Experiments", href: "#/" }],
    async refresh(signal) {
      const { value, changed } = await ask("experiments", signal);
      if (changed || !known) {
        known = value;
        draw();
      }
      return value.experiments.some((each) => each.state === "reading") ? 700 : value.experiments.some((each) => each.state === "running") ? 2000 : 5000;
    },
  };
}

/** How far an experiment is, as a bar of what became of its trials. */
export function progress(numbers) {
  if (numbers.num_trials === undefined) return "–";
  const all = Math.max(numbers.num_trials, numbers.ended + numbers.running, 1);
  const parts = [["finished", numbers.finished], ["stopped", numbers.stopped], ["failed", (numbers.failed ?? 0) + (numbers.lost ?? 0)], ["running", numbers.running]];
  return el("div.progress", {},
    el("div.bar", { "aria-hidden": "true" }, parts.filter(([, n]) => n).map(([name, n]) => el(`span.${name}`, { style: { width: `${(100 * n) / all}%` } }))),
    el("span.count", {}, `${num(numbers.ended)} of ${num(numbers.num_trials)}`));
}
