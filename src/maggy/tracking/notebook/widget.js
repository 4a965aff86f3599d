// The page's part of the widget. It draws `state` and `logs`, which the kernel sends, and sends nothing back: while a
// cell waits for its experiment the kernel reads no messages, so what the reader chooses is kept here.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 400, HEIGHT = 190, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 34;
const FAR = 4; // times as far as nine tenths of the values: what is beyond leaves the chart
const NEWEST = "the newest trial";

function html(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = `maggy-${name}`;
  if (text !== undefined) node.textContent = text;
  return node;
}

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const short = (value) => String(Number(value.toPrecision(4)));

/** Where an axis of about `count` ticks has them. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/** The limits of an axis; a few values that are far off do not press the others together. */
function limits(values) {
  const sorted = [...values].sort((a, b) => a - b);
  let low = sorted[0], high = sorted[sorted.length - 1];
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const span = at(0.95) - at(0.05);
  if (span > 0 && high - at(0.95) > FAR * span) high = at(0.95) + span / 2;
  if (span > 0 && at(0.05) - low > FAR * span) low = at(0.05) - span / 2;
  const margin = 0.04 * (high - low) || 0.1 * (Math.abs(low) || 1);
  return [low - margin, high + margin];
}

/**
 * A chart of lines, which have a class and a name that the mouse shows, and of dots that belong to none.
 * `marked` lines have a dot at each point; `at` are the places where the axis has a tick, as powers, if it is given.
 */
function chart({ title, across, lines, dots = [], legend = [], caption, marked = false, at }) {
  const figure = html("figure", "chart");
  const points = [...lines.flatMap((line) => line.points), ...dots];
  const scale = at && at[0] > 0 ? Math.log : Number;
  const [left, right] = limitsAcross(points.map((point) => scale(point[0])));
  const [low, high] = limits(points.map((point) => point[1]));
  const x = (value) => LEFT + ((scale(value) - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const inside = ([, value]) => value >= low && value <= high;
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${caption}` });
  for (const tick of ticks(low, high, 4)) {
    root.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }));
    root.append(svg("text", { x: LEFT - 5, y: y(tick) + 3, "text-anchor": "end" }, short(tick)));
  }
  for (const tick of at || ticks(left, right, 5)) {
    root.append(svg("text", { x: x(tick), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, short(tick)));
  }
  root.append(svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, across));
  for (const point of dots.filter(inside)) root.append(svg("circle", { cx: x(point[0]), cy: y(point[1]), r: 1.8 }));
  for (const line of lines) {
    const shown = line.points.filter(inside);
    const path = shown.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" ");
    const drawn = svg("polyline", { class: line.kind, points: path });
    if (line.name) drawn.append(svg("title", {}, line.name));
    root.append(drawn);
    for (const point of marked || shown.length === 1 ? shown : []) {
      root.append(svg("circle", { class: line.kind, cx: x(point[0]), cy: y(point[1]), r: 2.5 }));
    }
  }
  const heading = html("figcaption", "", title);
  for (const [kind, text] of legend) heading.append(" ", html("span", `key-${kind}`, text));
  figure.append(heading, root);
  return figure;
}

function limitsAcross(values) {
  const left = Math.min(...values), right = Math.max(...values);
  return left === right ? [left - 1, right + 1] : [left, right];
}

/** The best so far as steps: it holds until there is a better one. */
function steps(course, ended) {
  const points = [];
  for (const [count, metric] of course) {
    if (points.length) points.push([count, points[points.length - 1][1]]);
    points.push([count, metric]);
  }
  points.push([Math.max(ended, course[course.length - 1][0]), course[course.length - 1][1]]);
  return points;
}

function charts(state, followed) {
  const drawn = [];
  if (state.search && state.course.length) {
    const best = { kind: "best", name: `best ${state.best}`, points: steps(state.course, state.ended) };
    const caption = `The best is ${state.best} after ${state.ended} trials.`;
    drawn.push(chart({ title: `Best ${state.metric} so far`, across: "trials that have ended", lines: [best], dots: state.dots, legend: [["best", "best so far"], ["other", "each trial"]], caption }));
  }
  const kinds = [["curves", state.search ? "Learning curves" : `Reported ${state.metric}`, "step", false], ["rungs", "Rungs", "budget", true]];
  for (const [part, title, across, marked] of kinds) {
    if (!state[part].length) continue;
    const rank = (line) => (line.trial === state.best_trial && state.search ? 2 : line.state === "running" ? 1 : 0);
    const lines = [...state[part]].sort((a, b) => rank(a) - rank(b)).map((line) => ({
      kind: [line.state, rank(line) === 2 || !state.search ? "best" : "", `trial ${line.trial}` === followed ? "followed" : ""].join(" "),
      name: `trial ${line.trial}, ${line.state}: ${short(line.points[line.points.length - 1][1])}`,
      points: line.points,
    }));
    const rungs = marked && { dots: state.reached, at: [...new Set(state.reached.map((point) => point[0]))].sort((a, b) => a - b) };
    const caption = `${lines.length} ${lines.length === 1 ? "trial" : "trials"}: the best is green, those that run are blue.`;
    const legend = state.search ? [["best", "best"], ["running", "running"], ["other", "ended"]] : [];
    drawn.push(chart({ title, across, lines, legend, caption, marked, ...rungs }));
  }
  return drawn;
}

function head(state) {
  const node = html("div", "head");
  const badge = html("span", "state", state.state);
  badge.dataset.state = state.state;
  node.append(html("span", "name", state.name), badge, html("span", "", state.counts), html("span", "time", state.time));
  return node;
}

function bar(state) {
  const node = html("div", "bar");
  node.setAttribute("role", "progressbar");
  node.setAttribute("aria-label", "trials that have ended");
  node.setAttribute("aria-valuemin", 0);
  node.setAttribute("aria-valuemax", state.total);
  node.setAttribute("aria-valuenow", Math.min(state.total, state.ended));
  node.setAttribute("aria-valuetext", state.counts);
  for (const [name, count] of Object.entries(state.parts)) {
    const part = html("i", name);
    part.style.width = `${(100 * count) / Math.max(1, state.total)}%`;
    node.append(part);
  }
  return node;
}

function rows(state) {
  const list = html("dl", "rows");
  const row = (label, ...parts) => {
    const text = html("dd");
    text.append(...parts);
    list.append(html("dt", "", label), text);
  };
  if (state.best) row("best", html("b", "", state.best), `  ${state.config}`);
  if (state.why) row("why", state.why);
  if (state.failure) row("failed", state.failure);
  if (state.crew) row("workers", state.crew);
  row("folder", state.folder);
  return list;
}

/** A pane that shows the log of whoever the reader follows. */
function logs(onFollow) {
  const pane = html("details", "logs"), select = html("select"), stick = html("input"), text = html("pre", "log");
  const follow = html("label", "", "Follow "), scroll = html("label");
  stick.type = "checkbox";
  stick.checked = true;
  text.tabIndex = 0;
  text.setAttribute("role", "log");
  text.setAttribute("aria-live", "off");
  text.setAttribute("aria-label", "log");
  follow.append(select);
  scroll.append(stick, " keep at the end");
  pane.append(html("summary", "", "Logs"), follow, scroll, text);
  let known = {}, last = ["", []]; // what is followed stays, also when the kernel sends it no more
  const draw = () => {
    const newest = Object.keys(known).find((name) => name.startsWith("trial"));
    const whose = select.value === NEWEST ? newest : select.value;
    if (known[whose]) last = [whose, known[whose]];
    const said = whose && last[0] === whose && last[1].length ? last[1].join("\n") : "Nothing has been printed.";
    if (text.textContent !== said) text.textContent = said;
    text.setAttribute("aria-label", whose ? `log of ${whose}` : "log");
    if (stick.checked) text.scrollTop = text.scrollHeight;
    onFollow(select.value === NEWEST ? "" : select.value);
  };
  const update = (next) => {
    known = next;
    const chosen = select.value || NEWEST, names = [NEWEST, ...Object.keys(known)];
    if (!names.includes(chosen)) names.push(chosen); // a choice stands until the reader makes another
    if (names.join() !== [...select.options].map((option) => option.value).join()) {
      select.replaceChildren(...names.map((name) => new Option(name, name)));
      select.value = chosen;
    }
    draw();
  };
  select.addEventListener("change", draw);
  pane.addEventListener("toggle", draw);
  stick.addEventListener("change", draw);
  return { pane, update };
}

function render({ model, el }) {
  const root = html("div", ""), above = html("pre", "above"), top = html("div"), plots = html("div", "charts");
  const news = html("div", "hidden");
  root.className = "maggy";
  root.setAttribute("role", "group");
  news.setAttribute("aria-live", "polite"); // a new best, and the end; the counts would never be silent
  let followed = "";
  const draw = () => {
    const state = model.get("state");
    root.setAttribute("aria-label", `Maggy: ${state.name}`);
    above.textContent = state.above;
    above.hidden = !state.above;
    top.replaceChildren(head(state), ...(state.search ? [bar(state)] : []), rows(state));
    plots.replaceChildren(...charts(state, followed));
    const said = `${state.name} ${state.state}${state.best ? `, best ${state.best}` : ""}`;
    if (news.textContent !== said) news.textContent = said;
  };
  const { pane, update } = logs((whose) => {
    if (whose === followed) return;
    followed = whose;
    draw();
  });
  const drawLogs = () => update(model.get("logs"));
  root.append(above, top, plots, pane, news);
  el.append(root);
  draw();
  drawLogs();
  model.on("change:state", draw);
  model.on("change:logs", drawLogs);
  return () => {
    model.off("change:state", draw);
    model.off("change:logs", drawLogs);
  };
}

export default { render };
