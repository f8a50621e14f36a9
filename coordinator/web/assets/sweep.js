// The page of a sweep: what its settings have scored so far, and each of its trials.

import { offerActions } from "./actions.js";
import { nameOf, showAnswer } from "./answer.js";
import { COLOURS, GREY, makeChart, setAxis } from "./charts.js";
import {
  askJson,
  begin,
  countText,
  element,
  fillList,
  fillTable,
  follow,
  hasEnded,
  make,
  makeRow,
  onceAFrame,
  scoreText,
  secondsText,
  setEmpty,
  setProblem,
  setState,
  settingText,
  subject,
  whole,
} from "./page.js";
import { linkTo, stateText } from "./rows.js";
import { showSpectra } from "./spectra.js";

const address = `/api/sweeps/${subject}`;

let results = null; // SweepResults
const trials = new Map(); // by id of the job: what trialOf gives

// What trials are compared by; "" where they differ in it.
const common = () => results.sweep.goal.metric;
const title = () => common() || "score";
const stopped = (job) => job.state === "JOB_STATE_CANCELLED";

// A trial's job with what the sweep's goal says of it so far: its metric, points (x: step, y: score)
// and the newest score.
function trialOf(job) {
  const evals = job.progress?.evals ?? [];
  const metric = common() || (evals.at(-1)?.metric ?? "");
  const points = evals
    .filter((found) => found.metric === metric)
    .map((found) => ({ x: Number(found.step), y: Number(found.value) }))
    .sort((a, b) => a.x - b.x);
  return { job, metric, points, score: points.at(-1)?.y };
}

// ---- the leaderboard

const all = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
const finishedText = (counts) => `${counts.succeeded}/${all(counts)}`;
const paths = () => [...new Set(results.settings.flatMap((row) => Object.keys(row.setting)))].sort();

function showSettings() {
  const shown = (row, value) => (value === undefined ? "" : scoreText(common() || row.metric, value));
  const named = (row) => (common() || row.mean === undefined ? "" : `${row.metric} `);
  const titles = [
    ...paths(),
    { number: `${common()} mean`.trim() },
    { number: "sd" },
    { number: "finished" },
    { number: "tokens" },
    { number: "time" },
    { number: "device time" },
    "best job",
  ];
  element("settings").tHead.replaceChildren(makeRow(titles, "th"));
  const rows = results.settings.map((row) =>
    makeRow([
      ...paths().map((path) => row.setting[path] ?? ""),
      { number: named(row) + shown(row, row.mean) },
      { number: shown(row, row.sd) },
      { number: finishedText(row.trials) },
      { number: countText(row.cost.tokens) },
      { number: secondsText(row.cost.seconds) },
      { number: secondsText(row.cost.device_seconds) },
      row.best_job_id && linkTo("jobs", row.best_job_id),
    ]),
  );
  fillTable(element("settings"), rows);
}

function showSweep() {
  const { sweep, cost } = results;
  setState(element("state"), sweep.state);
  element("reason").textContent = sweep.reason;
  element("cancel").hidden = hasEnded(sweep.state);
  element("remove").hidden = !hasEnded(sweep.state);
  element("metric").textContent = title();
  fillList(element("figures"), [
    ["goal", common() && `${sweep.goal.mode} ${common()}`],
    ["finished", `${finishedText(sweep.trials)} trials`],
    ...["waiting", "running", "failed", "cancelled"].map((state) => [
      state,
      sweep.trials[state] > 0 ? whole(sweep.trials[state]) : "",
    ]),
    ["tokens", countText(cost.tokens)],
    ["time of trials", secondsText(cost.seconds)],
    ["of devices", secondsText(cost.device_seconds)],
  ]);
}

// ---- scatter of one setting against the score

// Values of one path along an axis: numbers where all are, otherwise words in their order.
function axisOf(values) {
  const numbers = values.map(Number);
  if (numbers.some((number) => !Number.isFinite(number))) {
    const words = [...new Set(values)].sort();
    const ticks = { stepSize: 1, callback: (index) => words[index] ?? "" };
    return { at: (value) => words.indexOf(value), options: { ticks } };
  }
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const wide = least > 0 && most / least >= 100;
  return { at: Number, options: wide ? { type: "logarithmic", ticks: {} } : {} };
}

function scoredSettings(path) {
  const finished = results.settings
    .filter((row) => row.mean !== undefined && path in row.setting)
    .map(({ setting, mean, metric }) => ({ setting, score: Number(mean), metric: common() || metric }));
  const cut = [...trials.values()]
    .filter(({ job, score }) => stopped(job) && score !== undefined)
    .filter(({ job }) => path in (job.trial?.setting ?? {}))
    .map(({ job, score, metric }) => ({ setting: job.trial.setting, score, metric }));
  return { finished, cut };
}

let scatter = null;

function showScatter() {
  const select = element("path");
  const known = paths();
  if (known.join() !== [...select.options].map((option) => option.value).join()) {
    const before = select.value;
    select.replaceChildren(...known.map((path) => make("option", path, { value: path })));
    if (known.includes(before)) select.value = before;
  }
  const path = select.value;
  const { finished, cut } = scoredSettings(path);
  const scored = [...finished, ...cut];
  setEmpty(select.closest("section"), scored.length === 0);
  if (scored.length === 0) return;
  const axis = axisOf(scored.map(({ setting }) => setting[path]));
  const points = (list) =>
    list.map(({ score: y, ...rest }) => ({ x: axis.at(rest.setting[path]), y, ...rest }));
  scatter ??= makeChart(element("scatter"), "scatter", {
    x: "",
    y: title(),
    interaction: { mode: "nearest", axis: "xy", intersect: false },
    label: ({ raw }) => `${settingText(raw.setting)}: ${scoreText(raw.metric, raw.y)}`,
  });
  setAxis(scatter, path, axis.options);
  scatter.data.datasets = [
    dots("finished (mean)", points(finished), COLOURS[0]),
    dots("stopped (last)", points(cut), GREY),
  ];
  scatter.options.plugins.legend.display = true;
  scatter.update();
}

const dots = (label, data, colour) => ({
  label,
  data,
  borderColor: colour,
  backgroundColor: colour,
  pointRadius: 5,
});

// ---- learning curves

let curves = null;

// A member of a population has one colour; its line begins where the trial ended that it went on
// from.
function showCurves() {
  const ends = new Map(inOrder().map(({ job, points }) => [job.trial.number, points.slice(-1)]));
  const lines = inOrder()
    .filter(({ points }) => points.length > 0)
    .map(({ job, metric, points }) => {
      const { number, member, parent } = job.trial;
      const colour = stopped(job) ? GREY : COLOURS[(member || number) % COLOURS.length];
      return {
        label: member ? `trial ${number} of member ${member}` : `trial ${number}`,
        metric,
        data: [...(ends.get(parent) ?? []), ...points],
        borderColor: colour,
        backgroundColor: colour,
        pointRadius: 2,
        order: stopped(job) ? 1 : 0,
      };
    });
  setEmpty(element("curves").closest("section"), lines.length === 0);
  if (lines.length === 0) return;
  curves ??= makeChart(element("curves"), "line", {
    x: "step",
    y: title(),
    interaction: { mode: "nearest", axis: "xy", intersect: false },
    label: ({ dataset, raw }) => `${dataset.label}: ${scoreText(dataset.metric, raw.y)}`,
  });
  curves.data.datasets = lines;
  curves.update();
}

// ---- trials

const inOrder = () => [...trials.values()].sort((a, b) => a.job.trial.number - b.job.trial.number);

function showTrials() {
  const rows = inOrder().map(({ job, metric, score }) =>
    makeRow([
      { number: whole(job.trial.number) },
      linkTo("jobs", job.id, job.name),
      stateText(job.state),
      { number: whole(job.progress?.step ?? 0) },
      { number: score === undefined ? "" : scoreText(metric, score) },
      job.reason,
    ]),
  );
  fillTable(element("trials"), rows);
}

// ---- from the beginning

const show = onceAFrame(() => {
  showSweep();
  showAnswer(results.answer);
  showSpectra(results.answer, nameOf);
  showSettings();
  showScatter();
  showCurves();
  showTrials();
});

async function start() {
  results = await askJson(address);
  const { sweep } = results;
  offerActions(`sweep ${sweep.name} and all its trials`, `/api/sweeps/${sweep.id}`);
  await begin(sweep, address);
  element("path").addEventListener("change", showScatter);
  show();
  follow(() => `${address}/live`, {
    results: (message) => {
      results = message;
      show();
    },
    trial: (job) => {
      trials.set(job.id, trialOf(job));
      show();
    },
  });
}

start().catch((error) => setProblem(error.message));
