// What a sweep has answered, as `pmt results SWEEP` prints it: methods by benchmarks, and which
// settings are good both where they were trained and elsewhere.

import { COLOURS, GREY, makeChart } from "./charts.js";
import {
  countText,
  element,
  figures,
  fillTable,
  makeRow,
  scoreText,
  secondsText,
  setEmpty,
  settingText,
} from "./page.js";
import { linkTo } from "./rows.js";

// Shows `answer`, a SweepAnswer; nothing where it compares nothing.
export function showAnswer(answer) {
  const compared = answer.tested || answer.benchmarks.length > 1;
  for (const id of ["methods", "chosen"]) element(id).closest("section").hidden = !compared;
  if (compared) {
    showMethods(answer);
    showChosen(answer);
  }
  showPareto(answer);
}

export const nameOf = ({ trained_on: trained, tested_on: tested }) =>
  trained === "" || trained === tested ? tested : `${trained} → ${tested}`;

// The first metric of a column.
const metricOf = (answer, column) =>
  answer.methods.map((row) => row.benchmarks[column].metric).find((metric) => metric !== "") ?? "";

// Averages are over metrics of one kind.
const suiteMetric = (answer, suite) =>
  metricOf(answer, answer.benchmarks.findIndex((one) => one.suite === suite));

function spreadText(metric, { mean, sd }) {
  if (mean === undefined) return "";
  const text = scoreText(metric, mean);
  return sd === undefined ? text : `${text} ± ${scoreText(metric, sd)}`;
}

const differenceText = (metric, difference) =>
  `${difference > 0 ? "+" : ""}${scoreText(metric, difference)}`;

function showMethods(answer) {
  const suites = answer.methods[0]?.suites ?? [];
  const titles = [
    "method",
    ...answer.benchmarks.map((one, i) => ({ number: nameOf(one) || metricOf(answer, i) })),
    ...suites.map(({ suite, tasks }) => ({ number: `${suite} (${tasks} tasks)` })),
    { number: `vs ${answer.baseline}` },
    { number: "p" },
    { number: "tokens" },
    { number: "time" },
    { number: "device time" },
  ];
  element("methods").tHead.replaceChildren(makeRow(titles, "th"));
  const rows = answer.methods.map((row) => {
    const paired = row.against_baseline;
    return makeRow([
      row.method,
      ...row.benchmarks.map((one) => ({ number: spreadText(one.metric, one) })),
      ...row.suites.map((one) => ({ number: spreadText(suiteMetric(answer, one.suite), one) })),
      { number: paired ? differenceText(metricOf(answer, 0), paired.mean_difference) : "" },
      { number: paired ? `${figures(paired.p_value)} (${paired.pairs} pairs)` : "" },
      { number: countText(row.cost.tokens) },
      { number: secondsText(row.cost.seconds) },
      { number: secondsText(row.cost.device_seconds) },
    ]);
  });
  fillTable(element("methods"), rows);
}

function showChosen(answer) {
  const rows = answer.methods.flatMap((row) =>
    row.benchmarks.map((one, i) =>
      makeRow([
        row.method,
        nameOf(answer.benchmarks[i]),
        settingText(one.setting),
        { number: spreadText(one.metric, { mean: one.validation_mean }) },
        { number: spreadText(one.metric, one) },
        { number: `${one.seeds}` },
        one.best_job_id && linkTo("jobs", one.best_job_id),
      ]),
    ),
  );
  fillTable(element("chosen"), rows);
  const settings = answer.methods.flatMap((row) => row.benchmarks.map((one) => one.setting));
  const chosen = settings.some((setting) => settingText(setting) !== "");
  element("untested").hidden = answer.tested || !chosen;
}

// ---- in and out of distribution

let pareto = null;

// One data set a method, and a line through the front of each that models were trained on.
function showPareto(answer) {
  const section = element("pareto").closest("section");
  section.hidden = answer.pareto.length === 0;
  if (section.hidden) return;
  const metric = metricOf(answer, 0);
  const points = answer.pareto.map((one) => ({
    ...one,
    x: one.in_distribution,
    y: one.out_of_distribution,
  }));
  setEmpty(section, false);
  pareto ??= makeChart(element("pareto"), "scatter", {
    x: "in distribution",
    y: "out of distribution",
    interaction: { mode: "nearest", axis: "xy", intersect: false },
    label: ({ raw }) =>
      `${[raw.method, raw.trained_on, settingText(raw.setting)].filter(Boolean).join(", ")}: ` +
      `${scoreText(metric, raw.x)}, ${scoreText(metric, raw.y)}`,
  });
  const methods = [...new Set(points.map((point) => point.method))];
  const sources = [...new Set(points.map((point) => point.trained_on))];
  pareto.data.datasets = [
    ...methods.map((method, i) => dots(method, points.filter((one) => one.method === method), i)),
    ...sources.map((source) => front(source, points.filter((one) => one.trained_on === source))),
  ];
  pareto.options.plugins.legend.display = true;
  pareto.update();
}

function dots(label, data, number) {
  const colour = COLOURS[number % COLOURS.length];
  return { label, data, borderColor: colour, backgroundColor: colour, pointRadius: 5 };
}

const front = (source, points) => ({
  label: source === "" ? "front" : `front of ${source}`,
  data: points.filter((one) => one.on_front).sort((a, b) => a.x - b.x),
  borderColor: GREY,
  backgroundColor: GREY,
  showLine: true,
  pointRadius: 0,
});
