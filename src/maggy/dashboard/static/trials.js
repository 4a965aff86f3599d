// The table of trials: sorted, filtered and cut into pages by the server. Its state is in the address.
import { ask } from "./api.js";
import { badge, el, fill, num, say, span, table, text } from "./dom.js";

const SIZE = 50;

export function trialTable(body, id, place) {
  let query = place.query, known = null;
  const find = el("input", { id: "find", type: "search", autocomplete: "off", "aria-describedby": "find-help", spellcheck: "false" });
  const rows = el("div"), count = el("p.sub", { "aria-live": "polite" });
  const help = el("span.sub", { id: "find-help" });
  let typing = 0;
  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => visit({ q: find.value, page: null }, true), 250);
  });
  body.append(
    el("div.row.tools", {}, el("label", { for: "find" }, "Filter"), find,
      help),
    count, rows);

  function link(changes) {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") next.delete(name);
      else next.set(name, value);
    }
    const tail = next.toString();
    return `#/e/${id}/trials${tail ? `?${tail}` : ""}`;
  }

  function visit(changes, replace = false) {
    if (replace) {
      history.replaceState(null, "", link(changes));
      dispatchEvent(new HashChangeEvent("hashchange"));
    } else location.hash = link(changes);
  }

  function heading(name, label, n) {
    const sort = query.get("sort") ?? "trial", down = query.get("order") === "desc", on = sort === name;
    return el(n ? "th.n" : "th", { scope: "col", "aria-sort": on ? (down ? "descending" : "ascending") : null },
      el("button.sort", { type: "button", "data-key": `sort-${name}`, onclick: () => visit({ sort: name, order: on && !down ? "desc" : null, page: null }) },
        label, el("span.arrow", { "aria-hidden": "true" }, on ? (down ? "▼" : "▲") : "")));
  }

  function draw(value) {
    const numeric = known.params.find((name) => typeof value.rows[0]?.params[name] === "number");
    help.textContent = `Words, or comparisons such as metric>0.9${numeric ? `, ${numeric}<0.1` : ""}, state:failed`;
    const params = known.params, metric = known.objectives[0].key;
    const extra = known.has_rungs ? [["budget", "Budget"], ["rung", "Rung"]] : [];
    count.textContent = value.found === value.all ? `${num(value.all)} trials` : `${num(value.found)} of ${num(value.all)} trials`;
    const pages = Math.max(1, Math.ceil(value.found / value.size));
    if (!value.found) {
      fill(rows, el("p.empty", {}, value.all ? "No trial fits this filter." : "No trial has begun yet."));
      return;
    }
    fill(rows,
      table("Trials", [
        heading("trial", "Trial", true), heading("state", "State"), heading("metric", metric, true), ...extra.map(([name, label]) => heading(name, label, true)),
        ...params.map((name) => heading(name, name, typeof value.rows[0].params[name] === "number")),
        heading("points", "Points", true), heading("duration", "Time", true), heading("worker", "Worker", true), heading("reason", "Reason"),
      ], value.rows.map((row) => el("tr", { class: row.trial === value.best ? "best" : null },
        el("th.n", { scope: "row" }, el("a", { href: `#/e/${id}/trial/${row.trial}`, "data-key": `t${row.trial}` }, String(row.trial))),
        el("td", {}, badge(row.state)),
        el("td.n", {}, num(row.metric), row.trial === value.best && el("span.unit", {}, "best")),
        extra.map(([name]) => el("td.n", {}, num(row[name]))),
        params.map((name) => el(typeof row.params[name] === "number" ? "td.n" : "td", {}, typeof row.params[name] === "number" ? num(row.params[name], 4) : text(row.params[name]))),
        el("td.n", {}, num(row.points)), el("td.n", {}, span(row.duration)), el("td.n", {}, row.worker === null ? "–" : String(row.worker)),
        el("td.long", { title: row.reason ?? "" }, row.reason ?? ""),
      )), { class: "trials" }),
      pages > 1 && el("nav.pager", { "aria-label": "Pages of the table" },
        turn("First", 1, value.page > 1), turn("Previous", value.page - 1, value.page > 1),
        el("span", {}, `Page ${num(value.page)} of ${num(pages)}`),
        turn("Next", value.page + 1, value.page < pages), turn("Last", pages, value.page < pages)));
  }

  function turn(label, page, possible) {
    return el("button", { type: "button", "data-key": label, disabled: !possible, onclick: () => { visit({ page: page > 1 ? page : null }); say(`Page ${page}`); } }, label);
  }

  return {
    go(now) {
      query = now.query;
      if (document.activeElement !== find) find.value = query.get("q") ?? "";
    },
    async refresh(signal, experiment) {
      if (!experiment) return;
      known = experiment;
      const wanted = new URLSearchParams({ size: SIZE, sort: query.get("sort") ?? "trial", order: query.get("order") ?? "", page: query.get("page") ?? 1, q: query.get("q") ?? "" });
      const { value } = await ask(`experiments/${id}/trials?${wanted}`, signal);
      draw(value);
    },
  };
}
