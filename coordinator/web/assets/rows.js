// Rows of tables that more than one page shows.

import { countText, figures, link, make, makeRow, secondsText, setState, whole } from "./page.js";

export const linkTo = (kind, id, text = id) => link(`/${kind}/${encodeURIComponent(id)}`, text);

export function stateText(state) {
  const shown = make("span");
  setState(shown, state);
  return shown;
}

function progressText({ step, total_steps: total } = {}) {
  if (!(Number(total) > 0)) return "";
  const shown = make("span");
  const bar = make("progress", "", { max: total, value: step, "aria-label": "Steps done" });
  shown.append(bar, ` ${whole(step)} / ${whole(total)}`);
  return shown;
}

export const lossText = (progress) => (Number(progress?.step) > 0 ? figures(progress.loss) : "");
export const positive = (value, text) => (value > 0 ? text(value) : "");

// Jobs that run or start, those of one gang together; the newest gang first.
export function gangsOf(jobs) {
  const gangs = new Map();
  for (const job of jobs) {
    if (job.state === "JOB_STATE_QUEUED") continue;
    const gang = job.gang || job.id;
    gangs.set(gang, [job, ...(gangs.get(gang) ?? [])]);
  }
  return [...gangs.values()];
}

// The figures are those of the first of its jobs; they share steps and time.
export function gangRow(jobs) {
  const names = make("span");
  for (const job of jobs) names.append(linkTo("jobs", job.id, job.name), " ");
  const [first] = jobs;
  const progress = first.progress ?? {};
  return makeRow([
    names,
    stateText(first.state),
    linkTo("workers", first.worker_id),
    { number: whole(first.ranks) },
    progressText(progress),
    { number: lossText(progress) },
    { number: positive(progress.tokens_per_second, countText) },
    { number: positive(progress.eta_seconds, secondsText) },
  ]);
}

export const queueRow = (job) =>
  makeRow([
    linkTo("jobs", job.id, job.name),
    { number: whole(job.ranks) },
    make("time", new Date(job.create_time).toLocaleString(), { datetime: job.create_time }),
    job.reason,
  ]);

export const endedRow = (job) =>
  makeRow([
    linkTo("jobs", job.id, job.name),
    stateText(job.state),
    { number: whole(job.progress?.step ?? 0) },
    { number: lossText(job.progress) },
    job.reason,
  ]);

// Equal devices once: "4 × NVIDIA H100".
export function devicesText({ device, device_names: names }) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const parts = [...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name));
  return parts.length > 0 ? `${device}: ${parts.join(", ")}` : device;
}

export const workerRow = (worker) =>
  makeRow([
    linkTo("workers", worker.id),
    worker.host,
    make("span", worker.state, { class: worker.state }),
    devicesText(worker),
    { number: `${worker.used_slots} / ${worker.slots}` },
    { number: whole(worker.gangs) },
    { number: `${worker.heartbeat_age_seconds.toFixed(0)} s ago` },
  ]);

export const sweepRow = (sweep) =>
  makeRow([
    linkTo("sweeps", sweep.id, sweep.name),
    stateText(sweep.state),
    sweep.goal.metric && `${sweep.goal.mode} ${sweep.goal.metric}`,
    { number: whole(sweep.trials?.succeeded ?? 0) },
    { number: whole(sweep.trials?.running ?? 0) },
    { number: whole(sweep.trials?.waiting ?? 0) },
    sweep.reason,
  ]);
