"use strict";
// The tables and charts of the page; the data is in #data, plotly.js, compressed, in #library.
const data = JSON.parse(document.getElementById("data").textContent);
const COLOURS = {
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B87A00", "#3D8FBF", "#000000"],
  dark: ["#56B4E9", "#F08A45", "#2CC79B", "#E29AC4", "#E69F00", "#9CC9E8", "#F0F0F0"],
};  // Okabe and Ito (2008), with more contrast to the paper
const MARKERS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "star", "hexagon", "hexagram",
  "triangle-left", "triangle-right", "diamond-wide"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (place) => { const list = COLOURS[dark.matches ? "dark" : "light"]; return list[place % list.length]; };
const marker = (place) => MARKERS[place % MARKERS.length];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isNarrow = (chart) => chart.clientWidth < 560;
const percent = (share) => share == null ? "-" : `${+(100 * share).toFixed(1)} %`;
const short = (value) => value == null ? "-" : `${+value.toPrecision(4)}`;
const text = (value) => String(value).replace(/[&<>]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
const faded = (hex, alpha) => hex + Math.round(255 * alpha).toString(16).padStart(2, "0");

function isWide(values) {
  const known = values.filter((value) => value != null);
  const low = Math.min(...known), high = Math.max(...known);
  return known.length > 0 && low > 0 && high > 10 * low;
}

// The scale of an axis: logarithmic for more than a decade, with the labels 1, 2, 5 unless it spans many.
function scale(values) {
  if (!isWide(values)) return {type: "linear"};
  const known = values.filter((value) => value != null);
  return {type: "log", dtick: Math.max(...known) > 100 * Math.min(...known) ? 1 : "D2"};
}

// Tables: a click on a heading sorts by it, a second one the other way round; empty cells stay at the end.
function sortable(table) {
  table.querySelectorAll("th").forEach((head, column) => {
    if (table.tBodies[0].querySelector(`td.number:nth-child(${column + 1})`)) head.classList.add("number");
    head.querySelector("button").addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way);
      const key = (row) => {
        const cell = row.cells[column];
        return "number" in cell.dataset ? +cell.dataset.number : cell.textContent === "-" ? null : cell.textContent;
      };
      const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
        : String(a).localeCompare(String(b), undefined, {numeric: true});
      const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null)
        : way === "ascending" ? order(a, b) : order(b, a));
      rows.forEach(([, row]) => { row.classList.remove("first"); table.tBodies[0].append(row); });
    });
  });
}

// Charts --------------------------------------------------------------------------------------------------
function layout(title, further) {
  const axis = () => ({gridcolor: style("--line"), linecolor: style("--line"), zerolinecolor: style("--line"), automargin: true});
  const base = {
    title: {text: text(title), font: {size: 14}, x: 0, xanchor: "left", xref: "paper"},
    paper_bgcolor: style("--paper"), plot_bgcolor: style("--paper"), font: {color: style("--ink"), size: 12},
    margin: {l: 56, r: 16, t: 40, b: 44}, hovermode: "closest",
    hoverlabel: {bgcolor: style("--band"), bordercolor: style("--soft"), font: {color: style("--ink"), size: 12}, namelength: -1},
    legend: {orientation: "h", y: -0.2, yanchor: "top", x: 0, font: {size: 11}},
    xaxis: axis(), yaxis: axis(),
  };
  for (const [name, value] of Object.entries(further)) base[name] = name.endsWith("axis") ? {...axis(), ...value} : value;
  return base;
}

const plot = (chart, traces, further, title) => Plotly.react(chart, traces, layout(title, further),
  {displaylogo: false, responsive: true, displayModeBar: false});

const designedLines = (costs, isVertical) => costs.map((cost) => ({
  type: "line", line: {color: style("--designed"), dash: "dash", width: 1.5}, layer: "below",
  ...(isVertical ? {x0: cost, x1: cost, yref: "paper", y0: 0, y1: 1} : {y0: cost, y1: cost, xref: "paper", x0: 0, x1: 1}),
}));
const costsOf = (env) => env.designed.map((each) => each.cost), trainingCostsOf = (env) => env.designed.map((each) => each.training_cost);

// A short line gives the name and the cost of a designed controller under the pointer.
const designedMark = (name, x, y, cost, symbol) => ({x: [x], y: [y], mode: "markers", name: `${text(name)}, designed`,
  marker: {symbol, size: 12, color: style("--designed"), line: {width: 2}},
  hovertemplate: `${text(name)}, designed: ${short(cost)}<extra></extra>`});

function finals(chart, env) {
  const rows = env.methods.map((method) => text(method.label)), traces = [], failed = [];
  env.methods.forEach((method, row) => {
    const tint = colour(method.place), [value, low, high] = method.cost, costs = method.runs.map((run) => run.cost);
    traces.push({x: [Math.min(...costs), Math.max(...costs)], y: [row, row], mode: "lines", line: {color: tint, width: 1},
      hoverinfo: "skip"});
    if (low != null) traces.push({x: [low, high], y: [row, row], mode: "lines", line: {color: faded(tint, .4), width: 9},
      hoverinfo: "skip"});
    method.runs.forEach((run, i) => { if (run.terminated > 0) failed.push({...run, row, i}); });
    const spread = (i) => row + (method.runs.length > 1 ? .16 * (i % 3 - 1) : 0);
    traces.push({x: costs, y: costs.map((_, i) => spread(i)), mode: "markers", marker: {
      color: method.runs.map((run) => run.terminated > 0 ? style("--ink") : tint),
      symbol: method.runs.map((run) => run.terminated > 0 ? "x-thin-open" : "circle"),
      size: method.runs.map((run) => run.terminated > 0 ? 8 : 6),
      line: {width: 1.6, color: method.runs.map((run) => run.terminated > 0 ? style("--ink") : tint)},
    }, text: method.runs.map((run) => `${text(run.name)}<br>seed ${text(run.seed)}: cost ${short(run.cost)}<br>` +
      `early terminations ${percent(run.terminated)}<br>settled ${percent(run.settled)}`), hovertemplate: "%{text}<extra></extra>"});
    traces.push({x: [value], y: [row], mode: "markers", marker: {symbol: marker(method.place), size: 12, color: tint,
      line: {color: style("--paper"), width: 1.5}}, hovertemplate: `${text(method.label)}<br>IQM ${short(value)}` +
      (low == null ? "" : `<br>95 % CI ${short(low)} to ${short(high)}`) + `<br>min to max ${short(Math.min(...costs))} to ` +
      `${short(Math.max(...costs))}<br>early terminations ${method.cells[1]}<br>settled ${method.cells[2]}<extra></extra>`});
  });
  env.designed.forEach(({name, cost}) => traces.push(designedMark(name, cost, -.62, cost, "line-ns-open")));
  traces.forEach((trace) => { trace.showlegend = false; });
  const values = [...env.methods.flatMap((method) => method.runs.map((run) => run.cost)), ...env.designed.map((d) => d.cost)];
  const notes = env.methods.map((method, row) => ({xref: "paper", x: 1, xanchor: "left", y: row, showarrow: false, align: "left",
    xshift: 6, font: {size: 10.5, color: style("--soft")},
    text: `term. ${method.cells[1]}` + (method.cells[2] === "-" ? "" : `<br>settled ${method.cells[2]}`)}));
  env.designed.forEach(({name, cost}) => notes.push({x: isWide(values) ? Math.log10(cost) : cost, y: -.62, text: text(name),
    showarrow: false, xanchor: "left", xshift: 6, font: {size: 10.5, color: style("--designed")}}));
  plot(chart, traces, {
    shapes: designedLines(costsOf(env), true), annotations: notes, height: 46 * rows.length + 130, margin: {l: 40, r: 88, t: 40, b: 44},
    xaxis: {...scale(values), title: {text: "cost of the final policy", font: {size: 12}}},
    yaxis: {tickvals: rows.map((_, i) => i), ticktext: rows, range: [rows.length - .4, -.9], showgrid: false, zeroline: false},
  }, "Final policies");
}

function curves(chart, env) {
  const traces = [], shown = [];
  env.methods.forEach((method) => {
    const tint = colour(method.place), [value, low, high] = method.curve, name = text(method.label), group = `${method.place}`;
    const common = {x: method.steps, legendgroup: group, mode: "lines", line: {width: 0}, hoverinfo: "skip", showlegend: false};
    if (low.some((each) => each != null)) traces.push({...common, y: low}, {...common, y: high, fill: "tonexty", fillcolor: faded(tint, .2)});
    shown.push(...value);
    const notes = method.steps.map((step, t) => `<b>${name}</b> at ${step} steps<br>IQM ${short(value[t])}` +
      (low[t] == null ? "" : ` (95 % CI ${short(low[t])} to ${short(high[t])})`) +
      `<br>min to max ${short(method.range[0][t])} to ${short(method.range[1][t])}` +
      `<br>early terminations ${percent(method.terminated[t])}`);
    const every = Math.max(1, Math.floor(value.length / 12));
    traces.push({x: method.steps, y: value, name, legendgroup: group, mode: "lines+markers", line: {color: tint, width: 2},
      marker: {symbol: marker(method.place), size: value.map((_, t) => t % every ? 0.1 : 7), color: tint, line: {width: 0}}, text: notes,
      hovertemplate: "%{text}<extra></extra>"});
    const failed = method.steps.map((_, t) => t).filter((t) => method.terminated[t] > 0);
    traces.push({x: failed.map((t) => method.steps[t]), y: failed.map((t) => value[t]), legendgroup: group, showlegend: false,
      mode: "markers", marker: {symbol: "x-thin-open", size: 8, color: tint, line: {width: 2}},
      text: failed.map((t) => notes[t]), hovertemplate: "%{text}<extra></extra>"});
  });
  traces.push({x: [null], y: [null], mode: "markers", name: "early terminations", marker: {symbol: "x-thin-open", size: 8,
    color: style("--ink"), line: {width: 2}}});
  const start = Math.min(...env.methods.map((method) => method.steps[0]));
  env.designed.forEach(({name, training_cost: cost}) => traces.push(designedMark(name, start, cost, cost, "line-ew-open")));
  shown.push(...trainingCostsOf(env));
  const rows = Math.ceil(env.methods.length / (isNarrow(chart) ? 1.5 : 3)) + 1;
  plot(chart, traces, {
    shapes: designedLines(trainingCostsOf(env), false), height: 330 + 22 * rows, margin: {l: 56, r: 16, t: 40, b: 50 + 22 * rows},
    xaxis: {title: {text: "environment steps", font: {size: 12}, standoff: 6}, zeroline: false},
    yaxis: {...scale(shown), title: {text: "test cost in training", font: {size: 12}}, zeroline: false, exponentformat: "power"},
    legend: {orientation: "h", y: -50 / 240, yanchor: "top", x: 0, font: {size: 11}},
  }, "Learning curves: tests in training");
}

// A sweep: a slice for each varied number, and parallel coordinates where there are several.
function sweep(chart, env) {
  if (env.keys.length === 0) { chart.remove(); return; }
  if (!chart.firstChild) {
    chart.className = "chart sweep";
    for (let i = 0; i < env.keys.length + (env.keys.length > 1); i++) chart.append(document.createElement("div"));
  }
  const runs = env.methods.flatMap((method) => method.runs.map((run) => ({...run, method})));
  env.keys.forEach((key, i) => slice(chart.children[i], env, key, runs.filter((run) => key in run.method.settings)));
  if (env.keys.length > 1) parallel(chart.children[env.keys.length], env, runs);
}

const algorithm = (method) => method.label.split(" ")[0];
const tintOf = (env, name) => { const known = [...new Set(env.methods.map(algorithm))]; return known.indexOf(name); };
const settingsText = (method) => Object.entries(method.settings).map(([key, value]) => `${text(key)}=${value}`).join("<br>");

function slice(chart, env, key, runs) {
  const traces = [...new Set(runs.map((run) => algorithm(run.method)))].map((name) => {
    const mine = runs.filter((run) => algorithm(run.method) === name), place = tintOf(env, name);
    return {x: mine.map((run) => run.method.settings[key]), y: mine.map((run) => run.cost), mode: "markers", name: text(name),
      marker: {color: mine.map((run) => run.terminated > 0 ? style("--ink") : colour(place)), size: 8, opacity: .8, line: {width: 1.6, color:
        mine.map((run) => run.terminated > 0 ? style("--ink") : colour(place))},
        symbol: mine.map((run) => run.terminated > 0 ? "x-thin-open" : marker(place))},
      text: mine.map((run) => `${text(run.name)}, seed ${text(run.seed)}<br>${settingsText(run.method)}<br>cost ${short(run.cost)}<br>` +
        `early terminations ${percent(run.terminated)}`), hovertemplate: "%{text}<extra></extra>"};
  });
  plot(chart, traces, {height: 320, shapes: designedLines(costsOf(env), false), xaxis: {
    ...scale(runs.map((run) => run.method.settings[key])), title: {text: text(key), font: {size: 12}}},
  yaxis: {...scale(runs.map((run) => run.cost)), title: {text: "cost", font: {size: 12}}}},
  `Sweep: cost over ${key} (x: early terminations)`);
}

function parallel(chart, env, runs) {
  const axes = [...env.keys.map((key) => [key, (run) => run.method.settings[key]]), ["cost", (run) => run.cost],
    ["early terminations", (run) => run.terminated], ["settled", (run) => run.settled]];
  const scales = axes.map(([, of]) => {
    const values = runs.map(of).filter((value) => value != null), log = isWide(values), turn = (v) => log ? Math.log10(v) : v;
    const low = Math.min(...values), high = Math.max(...values), range = turn(high) - turn(low);
    return {low, high, place: (value) => value == null ? null : range > 0 ? (turn(value) - turn(low)) / range : .5};
  });
  const traces = runs.map((run) => ({x: axes.map((_, i) => i), y: axes.map(([, of], i) => scales[i].place(of(run))),
    mode: "lines+markers", line: {color: faded(colour(tintOf(env, algorithm(run.method))), .6), width: 1.5}, marker: {size: 5},
    showlegend: false, hovertemplate: `${text(run.name)}<br>` + axes.map(([name, of]) => `${text(name)}: ${short(of(run))}`).join("<br>") +
      "<extra></extra>"}));
  const ends = axes.flatMap((_, i) => [[1.07, scales[i].high], [-.07, scales[i].low]].map(([y, value]) => ({x: i, y, text: short(value),
    showarrow: false, font: {size: 10.5, color: style("--soft")}})));
  plot(chart, traces, {height: 320, annotations: ends, margin: {l: 24, r: 24, t: 40, b: 60}, xaxis: {tickvals: axes.map((_, i) => i),
    ticktext: axes.map(([name]) => text(name.split(".").at(-1)))}, yaxis: {visible: false, range: [-.15, 1.15]}}, "Sweep: all runs");
}

function study(chart, {name, rows}) {
  const methods = [...new Set(rows.map((row) => row[1]))], variants = [...new Set(rows.map((row) => row[0]))];
  const traces = methods.map((method, place) => {
    const mine = rows.filter((row) => row[1] === method);
    return {x: mine.map((row) => variants.indexOf(row[0]) + .1 * (place - (methods.length - 1) / 2)), y: mine.map((row) => row[3]), name: text(method),
      mode: "markers", marker: {color: colour(place), symbol: marker(place), size: 9},
      error_y: {type: "data", symmetric: false, array: mine.map((row) => row[5] == null ? 0 : row[5] - row[3]),
        arrayminus: mine.map((row) => row[4] == null ? 0 : row[3] - row[4]), thickness: 1.5, width: 3},
      text: mine.map((row) => `${text(row[0])}<br><b>${text(method)}</b>, ${row[2]} runs<br>cost IQM ${short(row[3])}<br>` +
        `early terminations ${percent(row[6])}<br>settled ${percent(row[7])}`), hovertemplate: "%{text}<extra></extra>"};
  });
  plot(chart, traces, {height: 400, margin: {l: 56, r: 16, t: 40, b: 110}, xaxis: {tickvals: variants.map((_, i) => i), ticktext: variants.map((each) =>
    text(each.length > 28 ? `${each.slice(0, 27)}…` : each)), tickangle: variants.length > 4 || isNarrow(chart) ? -35 : 0},
  yaxis: {...scale(rows.map((row) => row[3])), title: {text: "cost, IQM over runs", font: {size: 12}}},
  legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: {size: 11}}}, "");
}

const DRAW = {final: (chart, i) => finals(chart, data.environments[i]), curves: (chart, i) => curves(chart, data.environments[i]),
  sweep: (chart, i) => sweep(chart, data.environments[i]), study: (chart, i) => study(chart, data.studies[i])};
const draw = () => document.querySelectorAll("[data-kind]").forEach((chart) => DRAW[chart.dataset.kind](chart, +chart.dataset.env));

async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("library").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

document.querySelectorAll("table").forEach(sortable);
unpack().then(() => { draw(); dark.addEventListener("change", draw); document.body.dataset.drawn = "yes"; });
