// One experiment: its head, and a part of it below.
import { ask } from "./api.js";
import { badge, el, fill, moment, num, percent, span, table, text } from "./dom.js";
import { plotFrame } from "./plots.js";
import { progress } from "./list.js";
import { stopButton } from "./stop.js";
import { trialTable } from "./trials.js";

export function experimentView(main, where) {
  const id = where.parts[1];
  const head = el("div.head.top-line"), tiles = el("div"), reason = el("div"), nav = el("nav", { "aria-label": "Parts of the experiment" }), body = el("div.part");
  main.append(head, tiles, reason, nav, body);
  let known = null, part = null, partKey = null;

  const parts = () => [
    ["overview", "Overview"], ["trials", "Trials"], ...(known?.plots.length ? [["plots", "Plots"]] : []),
    ["workers", "Workers"], ["decisions", "Decisions"], ["config", "Configuration"],
  ];

  function showPart(place) {
    const name = place.parts[2] ?? "overview";
    const key = name === "plots" ? `plots/${place.parts[3] ?? ""}` : name;
    if (key !== partKey) {
      part?.close?.();
      body.replaceChildren();
      part = { overview, trials: trialTable, plots, workers, decisions, config }[name]?.(body, id, place) ?? overview(body, id, place);
      partKey = key;
    }
    part.go?.(place);
    drawNav(name);
  }

  function drawNav(current) {
    fill(nav, el("ul.tabs", {}, parts().map(([name, label]) =>
      el("li", {}, el("a", { href: `#/e/${id}${name === "overview" ? "" : `/${name}`}`, "data-key": `tab-${name}`, "aria-current": name === current ? "page" : null }, label)))));
  }

  function draw() {
    const e = known;
    const metric = e.objectives?.[0]?.key ?? "metric";
    fill(head,
      el("div", {}, el("h1", {}, e.name, " ", badge(e.state)),
        el("p.sub", {}, e.description ? `${e.description} · ` : "", el("code", {}, e.path), e.engine ? ` · engine ${e.engine} · seed ${e.seed} · started ` : "", e.engine && moment(e.started),
          e.drivers > 1 ? ` · ${e.drivers} drivers so far` : "")),
      e.may_stop && stopButton(id, null, e.may_stop));
    if (e.error || !e.num_trials) {
      fill(tiles, e.error ? el("p.note.bad", { role: "alert" }, e.error) : el("p.note", {}, `The journal is being read: ${num(e.records)} records so far.`));
      if (!e.num_trials) return;
    } else {
      fill(tiles, !e.whole && el("p.note", {}, `The journal is being read: ${num(e.records)} records, ${num(e.ended)} trials so far.`),
        el("dl.tiles", {},
        tile(`Best ${metric}`, num(e.best), e.best_trial === null ? "no result yet" : el("a", { href: `#/e/${id}/trial/${e.best_trial}`, "data-key": "best" }, `trial ${e.best_trial}`)),
        tile("Trials", progress(e), [`${num(e.finished)} finished`, `${num(e.stopped)} stopped`, ...(e.failed + e.lost ? [`${num(e.failed + e.lost)} failed`] : []), ...(e.running ? [`${num(e.running)} running`] : [])].join(" · ")),
        e.time_left_s
          ? tile("Time left", `≈ ${span(e.time_left_s[0])}`, `${span(e.time_left_s[1])} to ${span(e.time_left_s[2])} · ${span(e.seconds)} so far`)
          : tile("Time", span(e.seconds), e.state === "running" ? "time left: not known yet" : e.state === "crashed" ? "until its last record" : "altogether"),
        tile("Workers", num(e.state === "running" ? e.workers : e.workers_ever), e.utilisation === null ? "" : `${percent(e.utilisation)} of their time on trials`)));
    }
    fill(reason, e.last_reason && el("p.reason", {}, el("span.label", {}, "Last decision"), " ", e.last_reason));
  }

  return {
    go: showPart,
    crumbs: () => [{ text: "Experiments", href: "#/" }, { text: known ? known.path : "…", href: `#/e/${id}` }],
    close: () => part?.close?.(),
    async refresh(signal) {
      const { value, changed } = await ask(`experiments/${id}`, signal);
      const first = !known;
      known = value;
      if (changed || first) {
        draw();
        drawNav(location.hash.split("/")[3]?.split("?")[0] ?? "overview");
      }
      if (value.num_trials) await part.refresh?.(signal, known);
      return value.state === "reading" ? 500 : value.state === "running" ? 1000 : value.state === "unfinished" ? 5000 : 10000;
    },
  };
}

function tile(label, value, below) {
  return el("div.tile", {}, el("dt", {}, label), el("dd.value", {}, value), el("dd.below", {}, below));
}

function overview(body, id) {
  const grid = el("div.grid"), effects = el("div");
  body.append(grid, effects);
  let frames = null;
  return {
    async refresh(signal, known) {
      if (!known || known.state === "reading") return;
      const names = known.plots.map((plot) => plot.name);
      const wanted = [...["effects", "pareto", "history", "rungs", "curves", "parallel"].filter((name) => names.includes(name)).slice(0, 3), "timeline"];
      if (!frames || frames.map((each) => each.name).join() !== wanted.join()) {
        frames?.forEach((each) => each.close());
        frames = wanted.map((name) => ({ name, ...plotFrame(id, name, known.plots.find((plot) => plot.name === name).label) }));
        grid.replaceChildren(...frames.map((each) => each.frame));
      }
      for (const each of frames) await each.refresh(signal);
    },
    close: () => frames?.forEach((each) => each.close()),
  };
}

function plots(body, id, place) {
  const nav = el("nav", { "aria-label": "Plots" }), space = el("div");
  body.append(nav, space);
  let shown = null;
  return {
    async refresh(signal, known) {
      if (!known || known.state === "reading") return;
      const name = place.parts[3] ?? known.plots[0].name;
      fill(nav, el("ul.chips", {}, known.plots.map((plot) => el("li", {}, el("a", { href: `#/e/${id}/plots/${plot.name}`, "data-key": `plot-${plot.name}`, "aria-current": plot.name === name ? "true" : null }, plot.label)))));
      if (!shown) {
        shown = plotFrame(id, name, known.plots.find((plot) => plot.name === name)?.label ?? name, true);
        space.replaceChildren(shown.frame);
      }
      await shown.refresh(signal);
    },
    close: () => shown?.close(),
  };
}

function workers(body, id) {
  return {
    async refresh(signal) {
      const { value } = await ask(`experiments/${id}/workers`, signal);
      fill(body, !value.rows.length ? el("p.empty", {}, "No worker was ready yet.") : [
        table("Workers", [el("th.n", { scope: "col" }, "Worker"), "Host", el("th.n", { scope: "col" }, "Process"), "Now", el("th.n", { scope: "col" }, "Trials run"), "Joined", "Left"],
          value.rows.map((each) => [
            el("th.n", { scope: "row" }, String(each.worker)), each.host, el("td.n", {}, String(each.pid)),
            each.lost ? el("span.muted", {}, "gone") : each.trial === null ? "waiting" : el("a", { href: `#/e/${id}/trial/${each.trial}`, "data-key": `w${each.worker}` }, `trial ${each.trial}`),
            el("td.n", {}, num(each.done)), moment(each.joined), each.lost ? [moment(each.lost), el("span.path", {}, each.reason)] : "–",
          ])),
        value.rows.length < value.all && el("p.sub", {}, `The first ${num(value.rows.length)} of ${num(value.all)}.`)]);
    },
  };
}

function decisions(body, id) {
  return {
    async refresh(signal) {
      const { value } = await ask(`experiments/${id}/decisions`, signal);
      fill(body, !value.rows.length ? el("p.empty", {}, "No reason was given yet.") : [
        el("p.sub", {}, "Why trials were begun, promoted and stopped; the newest first."),
        el("ol.feed", { "aria-label": "Decisions" }, value.rows.map((each) => el("li", {}, moment(each.t),
          each.trial === null ? el("span") : el("a", { href: `#/e/${id}/trial/${each.trial}` }, `trial ${each.trial}`),
          el("span", {}, each.text.replace(new RegExp(`^trial ${each.trial}:? `), ""))))),
        value.rows.length < value.all && el("p.sub", {}, `The last ${num(value.rows.length)} of ${num(value.all)}.`)]);
    },
  };
}

function shown(value) {
  if (typeof value !== "object") return text(value);
  const entries = Object.entries(value);
  if (entries.length <= 8) return el("code", {}, JSON.stringify(value));
  return el("details", {}, el("summary", {}, `${num(entries.length)} entries`), el("ul.notes", {}, entries.map(([name, each]) => el("li", {}, el("code", {}, `${name}: ${text(each)}`)))));
}

function config(body, id) {
  return {
    async refresh(signal) {
      const { value, changed } = await ask(`experiments/${id}/config`, signal);
      if (!changed && body.hasChildNodes()) return; // what is unfolded stays so
      const { config: settings = {}, sources = {}, ...rest } = value;
      const { searchspace, ...others } = settings;
      const pairs = (object) => el("dl.pairs", {}, Object.entries(object).filter(([, each]) => each !== null && each !== "").map(([name, each]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, name === "started" ? moment(each) : shown(each)))));
      fill(body,
        searchspace && el("section.card", {}, el("h2", {}, "Search space"), pairs(searchspace)),
        el("section.card", {}, el("h2", {}, "Settings"), pairs(others)),
        el("section.card", {}, el("h2", {}, "How it was run"), pairs(rest)),
        Object.entries(sources).map(([name, source]) => el("section.card", {}, el("h2", {}, el("code", {}, name)), el("pre", { tabindex: "0", role: "region", "aria-label": `Source of ${name}` }, text(source)))));
    },
  };
}
