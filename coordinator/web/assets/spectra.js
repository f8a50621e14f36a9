// What the best trial of each method adds to attention, where it has a diagnosis: how far the
// eigenvalues of the added term fall, and its effective rank (docs/diagnostics.md).

import { COLOURS, makeChart } from "./charts.js";
import { ask, askJson, element, figures, fillTable, makeRow, setProblem } from "./page.js";
import { linkTo } from "./rows.js";

const FILE = "adapter/diagnosis.json";

const spectra = new Map(); // by id of a job: what spectraOf gives; null while it is asked for

// Of a ratio to nothing there is none.
const percent = (share) => (Number.isFinite(share) ? `${figures(100 * share)}%` : "");
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Each head's eigenvalues over its largest, and of those the mean; what is 0 ends the line.
function decayOf(heads) {
  const varying = heads.map((head) => head.eigenvalues).filter(([largest]) => largest > 0);
  if (varying.length === 0) return [];
  return varying[0]
    .map((_, i) => ({ x: i + 1, y: mean(varying.map((values) => values[i] / values[0])) }))
    .filter((point) => point.y > 0);
}

// One for each kind of term, over all heads of all layers; a ratio to nothing is left out.
function spectraOf(diagnosis) {
  const heads = {};
  for (const { term, heads: more } of diagnosis.layers.flatMap((layer) => layer.terms)) {
    heads[term] = [...(heads[term] ?? []), ...more];
  }
  return Object.entries(heads).map(([term, all]) => {
    const over = (key) => mean(all.map((head) => head[key]).filter((value) => value !== null));
    return {
      term,
      decay: decayOf(all),
      rank: over("effective_rank"),
      most: over("values_for_90_percent"),
      of: all[0].eigenvalues.length,
      size: over("size"),
      constant: over("constant_share"),
    };
  });
}

async function load(job) {
  const { artifacts = [] } = await askJson(`/api/jobs/${job}/artifacts`);
  const there = artifacts.some((file) => file.path === FILE);
  return there ? spectraOf(JSON.parse(await ask(`/api/jobs/${job}/artifacts/${FILE}`))) : [];
}

// The files of a trial that has finished do not change, so each is asked for once.
function known(job) {
  if (!spectra.has(job)) {
    spectra.set(job, null);
    load(job)
      .then((found) => spectra.set(job, found))
      .then(() => showAgain())
      .catch((error) => {
        spectra.delete(job);
        setProblem(error.message);
      });
  }
  return spectra.get(job) ?? [];
}

let chart = null;
let showAgain = () => {};

// Of `answer`, a SweepAnswer; nameOf(benchmark): how it is called.
export function showSpectra(answer, nameOf) {
  showAgain = () => showSpectra(answer, nameOf);
  const cells = answer.methods.flatMap(({ method, benchmarks }) =>
    benchmarks.map((cell, i) => ({ method, job: cell.best_job_id, name: nameOf(answer.benchmarks[i]) })),
  );
  const found = cells
    .filter(({ job }) => job !== "")
    .flatMap((cell) => known(cell.job).map((one) => ({ ...cell, ...one })));
  const rows = found.map((one) =>
    makeRow([
      one.method,
      one.name,
      one.term,
      { number: one.rank.toFixed(1) },
      { number: one.most.toFixed(1) },
      { number: `${one.of}` },
      { number: percent(one.size) },
      { number: percent(one.constant) },
      linkTo("jobs", one.job),
    ]),
  );
  fillTable(element("spectrum-figures"), rows);
  if (rows.length > 0) draw(found);
}

function draw(found) {
  chart ??= makeChart(element("spectra"), "line", {
    x: "eigenvalue",
    y: "over the largest",
    range: { type: "logarithmic", ticks: {} },
    label: ({ dataset, raw }) => `${dataset.label}: ${figures(raw.y)}`,
  });
  chart.data.datasets = found.map((one, i) => {
    const colour = COLOURS[i % COLOURS.length];
    return {
      label: [one.method, one.name, one.term].filter(Boolean).join(", "),
      data: one.decay,
      borderColor: colour,
      backgroundColor: colour,
      pointRadius: 2,
    };
  });
  chart.options.plugins.legend.display = true;
  chart.update();
}
