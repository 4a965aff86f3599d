// One trial: its curve, configuration, story and log.
import { ask } from "./api.js";
import { badge, el, fill, moment, num, span, table, text } from "./dom.js";
import { draw, layoutFor } from "./plots.js";
import { stopButton } from "./stop.js";
import { theme } from "./colours.js";

const MOST_LOG = 400_000; // characters that are kept on the page

export function trialView(main, where) {
  const id = where.parts[1], number = Number(where.parts[3]);
  const head = el("div.head.top-line"), trouble = el("div"), space = el("div.plot", { role: "img", "aria-label": "Learning curve" });
  const curveNote = el("p.sub"), config = el("div"), story = el("div");
  const log = el("pre.log", { tabindex: "0", role: "region", "aria-label": "Log" });
  const follow = el("input", { type: "checkbox", id: "follow" });
  const logNote = el("p.sub");
  follow.checked = true;
  main.append(head, trouble,
    el("div.grid.two", {}, el("figure.card", {}, el("figcaption", {}, el("h2", {}, "Curve"), curveNote), space), el("section.card", {}, el("h2", {}, "Configuration"), config)),
    story,
    el("section.card", {}, el("div.head", {}, el("h2", {}, "Log"), el("label.row", { for: "follow" }, follow, "Follow")), logNote, log));
  let experiment = null, known = null, drawn = null, end = null;

  function drawAll() {
    const t = known, metric = experiment.objectives?.[0]?.key ?? "metric";
    const last = experiment.ended + experiment.running;
    fill(head,
      el("div", {}, el("h1", {}, `Trial ${number} `, badge(t.state), t.best && el("span.badge.bestest", {}, "best so far")),
        el("p.sub", {}, `${metric} `, el("strong", {}, num(t.metric)), t.best_metric !== null && t.best_metric !== t.metric ? ` (at its best ${num(t.best_metric)})` : "",
          ` · ${span(t.duration)} · `, t.workers.length ? `worker ${t.workers.join(", ")} · ` : "", t.budget !== null ? `budget ${num(t.budget)} · ` : "",
          t.rung !== null ? `rung ${t.rung} · ` : "", "started ", moment(t.start)),
        el("p.row", {}, number > 0 && el("a", { href: `#/e/${id}/trial/${number - 1}`, "data-key": "previous" }, "← Previous"), number + 1 < last && el("a", { href: `#/e/${id}/trial/${number + 1}`, "data-key": "next" }, "Next →"))),
      stopButton(id, number, t.may_stop));
    const facts = { ...t.params };
    fill(config, el("dl.pairs", {}, Object.entries(facts).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, typeof value === "number" ? num(value, 6) : text(value))))),
      t.outputs && Object.keys(t.outputs).length > 1 && [el("h3", {}, "Returned"), el("dl.pairs", {}, Object.entries(t.outputs).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, num(value)))))],
      el("dl.pairs.minor", {}, [["origin", t.origin], ["parent", t.parent], ["checkpoint", t.checkpoint]].filter(([, value]) => value !== null).map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, name === "parent" ? el("a", { href: `#/e/${id}/trial/${value}` }, `trial ${value}`) : text(value))))));
    const lines = [...t.notes.map((note) => [null, note]), ...t.decisions.filter((each) => !t.notes.some((note) => each.text.endsWith(note))).map((each) => [each.t, each.text.replace(new RegExp(`^trial ${number}:? `), "")]), ...(t.reason && !t.decisions.some((each) => each.text.endsWith(t.reason)) ? [[t.end, `stopped: ${t.reason}`]] : [])];
    fill(story,
      (t.error || t.traceback) && el("section.card", {}, el("h2", {}, "Error"), el("p.bad", {}, t.error), t.traceback && el("pre", { tabindex: "0", role: "region", "aria-label": "Traceback" }, t.traceback)),
      lines.length > 0 && el("section.card", {}, el("h2", {}, "Reasons and notes"), el("ul.notes", {}, lines.map(([at, line]) => el("li", {}, at && [moment(at), " "], line)))),
      (t.attempts.length > 1 || t.rungs.length > 0) && el("section.card", {}, el("h2", {}, "Attempts"),
        table("Attempts", [el("th.n", { scope: "col" }, "Attempt"), el("th.n", { scope: "col" }, "Worker"), "Began", "Took", "Ended as"],
          t.attempts.map((each) => [el("th.n", { scope: "row" }, String(each.attempt)), el("td.n", {}, String(each.worker)), moment(each.start), each.end ? span(each.end - each.start) : "–", each.state ? badge(each.state) : each.end ? "set back" : "runs"])),
        t.rungs.length > 0 && table("Rungs", [el("th.n", { scope: "col" }, "Budget"), el("th.n", { scope: "col" }, metric)], t.rungs.map(([budget, value]) => [el("td.n", {}, num(budget)), el("td.n", {}, num(value))]))));
    curve(metric);
  }

  async function curve(metric) {
    const { steps, values, of } = known.curve;
    const key = `${steps.length}/${of}/${theme()}`;
    if (drawn === key) return;
    drawn = key;
    curveNote.textContent = of ? `${num(of)} points${of > steps.length ? `, ${num(steps.length)} shown` : ""}; ${num(values[0])} at first, ${num(values.at(-1))} at last` : "";
    if (!of) {
      space.replaceChildren(el("p.empty", {}, "It has reported nothing yet."));
      return;
    }
    space.setAttribute("aria-label", `Learning curve of trial ${number}: ${curveNote.textContent}`);
    const color = theme() === "dark" ? "#58a6ff" : "#0b5cad";
    await draw(space, [{ x: steps, y: values, mode: steps.length < 40 ? "lines+markers" : "lines", line: { color, width: 2 }, marker: { size: 5 }, hovertemplate: "step %{x}: %{y}<extra></extra>" }],
      { ...layoutFor("step", metric), showlegend: false });
  }

  async function readLog(signal) {
    const { value } = await ask(`experiments/${id}/trials/${number}/log${end === null ? "" : `?start=${end}`}`, signal);
    if (value.size < (end ?? 0)) {
      end = null; // it was begun anew
      log.textContent = "";
      return;
    }
    if (end === null) logNote.textContent = value.size === 0 ? "It has printed nothing." : value.start > 0 ? `The last part of ${num(value.size)} bytes.` : "";
    if (value.text && value.start >= (end ?? 0)) {
      log.append(value.text);
      if (log.textContent.length > MOST_LOG) log.textContent = log.textContent.slice(-MOST_LOG / 2);
      if (follow.checked) log.scrollTop = log.scrollHeight;
      if (value.size > 0 && value.start === 0) logNote.textContent = "";
    }
    log.hidden = !log.textContent;
    end = value.end;
  }

  return {
    go() {},
    crumbs: () => [{ text: "Experiments", href: "#/" }, { text: experiment?.path ?? "…", href: `#/e/${id}` }, { text: "Trials", href: `#/e/${id}/trials` }, { text: `Trial ${number}`, href: "" }],
    recolour: () => known && drawAll(),
    close: () => window.Plotly?.purge(space),
    async refresh(signal) {
      experiment = (await ask(`experiments/${id}`, signal)).value;
      if (experiment.error) fill(trouble, el("p.note.bad", { role: "alert" }, experiment.error));
      if (!experiment.num_trials) return 500;
      const { value, changed } = await ask(`experiments/${id}/trials/${number}`, signal);
      if (changed || !known) {
        known = value;
        drawAll();
      }
      await readLog(signal);
      const live = experiment.state === "running" && !["finished", "stopped", "failed", "lost"].includes(known.state);
      return experiment.state === "reading" ? 500 : live ? 1000 : experiment.state === "running" ? 3000 : 10000;
    },
  };
}
