// Fills the page of a job: what is known of it once, then its events as they come.
"use strict";

const id = document.body.dataset.job;
const element = (name) => document.getElementById(name);
const url = (path) => `/jobs/${encodeURIComponent(id)}/${path}`;

const stateName = (state) => state.replace("JOB_STATE_", "").toLowerCase();
const figure = (value) => Number(value).toPrecision(4);

function textOf(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Number(bytes);
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; ++unit) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

// A new element; text is set as text, never as markup.
function make(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function rowOf(cells) {
  const row = make("tr");
  for (const [content, number] of cells) {
    const cell = make("td", "", number ? { class: "number" } : {});
    cell.append(content);
    row.append(cell);
  }
  return row;
}

function setProblem(sentence) {
  element("problem").textContent = sentence;
  element("problem").hidden = sentence === "";
}

// ---- what the job is

function showState(state, reason) {
  element("state").textContent = state;
  element("state").className = state;
  element("reason").textContent = reason;
}

function showStep(step, total) {
  if (total === 0) return;
  element("progress").max = total;
  element("progress").value = step;
  element("step").textContent = `step ${step} of ${total}`;
}

const figures = new Map();

function showFigure(name, value) {
  if (!figures.has(name)) {
    const pair = make("div");
    figures.set(name, make("dd"));
    pair.append(make("dt", name), figures.get(name));
    element("figures").append(pair);
  }
  figures.get(name).textContent = value;
}

function showFiles(files) {
  const rows = files.map((file) => {
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    const link = make("a", file.path, { href: url(`files/${path}`), download: "" });
    return rowOf([[link], [file.kind], [file.step, true], [textOf(file.bytes), true]]);
  });
  element("files").tBodies[0].replaceChildren(...rows);
  element("files").hidden = files.length === 0;
  element("no-files").hidden = files.length > 0;
}

async function load() {
  const answer = await fetch(url("job.json"));
  if (!answer.ok) throw new Error(await answer.text());
  const { job, spec, files } = await answer.json();
  showState(stateName(job.state), job.reason);
  showStep(Number(job.progress?.step ?? 0), Number(job.progress?.total_steps ?? 0));
  if (job.worker_id) showFigure("worker", job.worker_id);
  if (job.gang_jobs > 1) showFigure("gang", `${job.gang} of ${job.gang_jobs} jobs`);
  showFigure("ranks", job.ranks);
  element("spec").textContent = spec;
  showFiles(files);
}

// ---- what happens to it

const points = []; // {x: step, y: loss}
let chart = null;

function makeChart() {
  document.querySelector(".chart").hidden = false;
  element("no-steps").hidden = true;
  const color = getComputedStyle(document.body).color;
  const line = getComputedStyle(element("state")).getPropertyValue("--line");
  const axis = (text) => ({
    type: "linear",
    title: { display: true, text, color },
    ticks: { color },
    grid: { color: line },
  });
  chart = new Chart(element("loss"), {
    type: "line",
    data: {
      datasets: [{ label: "loss", data: points, borderColor: "#28c", borderWidth: 2, pointRadius: 0 }],
    },
    options: {
      animation: false,
      parsing: false,
      normalized: true,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      plugins: { legend: { display: false } },
      scales: { x: axis("step"), y: axis("loss") },
    },
  });
}

// A later attempt repeats the steps after its checkpoint: the newer value counts.
function addPoint(step, loss) {
  while (points.length > 0 && points[points.length - 1].x >= step) points.pop();
  points.push({ x: step, y: loss });
}

let drawing = 0;

// Once a frame, however many steps came.
function draw() {
  if (drawing !== 0) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    if (chart === null) makeChart();
    chart.update();
  });
}

function onState(event) {
  const state = stateName(event.state.state);
  const item = make("li");
  const time = make("time", new Date(event.time).toLocaleTimeString(), { datetime: event.time });
  item.append(time, " ", make("strong", state, { class: state }), ` ${event.state.reason}`);
  element("timeline").append(item);
  showState(state, event.state.reason);
}

function onStep(step) {
  addPoint(Number(step.step), Number(step.loss));
  showStep(Number(step.step), Number(step.total_steps));
  showFigure("loss", figure(step.loss));
  showFigure("learning rate", figure(step.learning_rate));
  if (step.step_seconds > 0) {
    showFigure("tokens/s", Math.round(Number(step.tokens) / step.step_seconds));
  }
  draw();
}

function onEval(found) {
  element("evaluations").hidden = false;
  const cells = [[found.step], [found.metric], [figure(found.value), true], [found.rows, true]];
  element("evaluations").querySelector("tbody").append(rowOf(cells));
}

function onLog(log) {
  element("logs").hidden = false;
  element("logs")
    .querySelector("pre")
    .append(`${log.level} rank ${log.rank}: ${log.message}\n`);
}

function onEvent(event) {
  if (event.state) return onState(event);
  const trainer = event.trainer ?? {};
  if (trainer.phase) showFigure("phase", trainer.phase.phase);
  if (trainer.step) onStep(trainer.step);
  if (trainer.eval) onEval(trainer.eval);
  if (trainer.log) onLog(trainer.log);
  if (trainer.artifact || trainer.result) reload();
}

let loading = null;

// What is in the store has changed; one request at a time.
function reload() {
  loading = (loading ?? Promise.resolve()).then(load).catch((error) => setProblem(error.message));
}

// The browser connects again by itself and says which event it had last.
function follow() {
  const events = new EventSource(url("events"));
  events.onopen = () => setProblem("");
  events.onmessage = (message) => onEvent(JSON.parse(message.data));
  events.onerror = () => setProblem("The coordinator does not answer; trying again…");
  events.addEventListener("end", () => {
    events.close();
    reload();
  });
}

// Colours of the chart are the page's, which change with the mode.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (chart === null) return;
  chart.destroy();
  makeChart();
});

reload();
follow();
