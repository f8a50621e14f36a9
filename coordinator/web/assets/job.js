// The page of a job: its spec once, then all that happens to it as it happens.

import { offerActions } from "./actions.js";
import { Curves } from "./charts.js";
import {
  askJson,
  begin,
  bytesText,
  countText,
  element,
  fillList,
  fillTable,
  follow,
  hasEnded,
  make,
  makeRow,
  scoreText,
  secondsText,
  setEmpty,
  setProblem,
  setState,
  subject,
  whole,
} from "./page.js";
import { linkTo, lossText, positive } from "./rows.js";
import { post } from "./session.js";

const address = `/api/jobs/${subject}`;

// ---- what the job is

function methodOf(spec) {
  const method = spec.method ?? {};
  const parts = method.combined?.methods ?? [method];
  return parts.map((part) => Object.keys(part)[0] ?? "").join(" + ");
}

function showJob(job) {
  const progress = job.progress ?? {};
  setState(element("state"), job.state);
  element("reason").textContent = job.reason;
  showStep(Number(progress.step ?? 0), Number(progress.total_steps ?? 0));
  fillList(element("figures"), [
    ["phase", progress.phase ?? ""],
    ["loss", lossText(progress)],
    ...newestScores(progress.evals ?? []),
    ["tokens/s", positive(progress.tokens_per_second, countText)],
    ["tokens", positive(progress.tokens, countText)],
    ["trained for", positive(progress.wall_seconds, secondsText)],
    ["left", positive(progress.eta_seconds, secondsText)],
    ["parameters", positive(progress.trainable_parameters, whole)],
    ["method", method],
    ["ranks", whole(job.ranks)],
    ["attempt", positive(job.attempt, whole)],
    ["worker", job.worker_id && linkTo("workers", job.worker_id)],
    ["sweep", job.sweep_id && linkTo("sweeps", job.sweep_id)],
    ["tenant", job.tenant],
    ["gang", job.gang_jobs > 1 ? `${job.gang}, of ${job.gang_jobs} jobs` : ""],
    ["failure", job.failure_code],
    ["files removed", (job.files_remove_time ?? "").slice(0, 10)],
  ]);
  element("cancel").hidden = hasEnded(job.state);
  element("remove").hidden = !hasEnded(job.state) || job.pinned || job.sweep_id !== "";
  showPin(job);
  element("stderr").textContent = job.stderr_tail;
  element("stderr").hidden = job.stderr_tail === "";
}

function showPin({ id, pinned }) {
  element("pin").textContent = pinned ? "Unpin" : "Pin";
  element("pin").onclick = async () => {
    try {
      showJob(await post(`/api/jobs/${id}/${pinned ? "unpin" : "pin"}`));
      setProblem("");
    } catch (error) {
      setProblem(error.message);
    }
  };
}

function showStep(step, total) {
  element("progress").hidden = total === 0;
  if (total === 0) return;
  element("progress").max = total;
  element("progress").value = step;
  element("step").textContent = `step ${whole(step)} of ${whole(total)}`;
}

// The last of each metric.
function newestScores(evals) {
  const newest = new Map(evals.map((found) => [found.metric, found.value]));
  return [...newest].map(([metric, value]) => [`held-out ${metric}`, scoreText(metric, value)]);
}

function showArtifacts({ artifacts }) {
  const rows = artifacts.map((file) => {
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    const name = make("a", file.path, { href: `${address}/artifacts/${path}`, download: "" });
    return makeRow([
      name,
      file.kind,
      { number: whole(file.attempt) },
      { number: whole(file.step) },
      { number: bytesText(file.bytes) },
    ]);
  });
  fillTable(element("artifacts"), rows);
}

// ---- what happens to it

const loss = new Curves(element("loss"), "loss");
const score = new Curves(element("score"), "score", { suggestedMin: 0, suggestedMax: 1 });
const speed = new Curves(element("speed"), "tokens/s");

function onState({ state, reason }, time) {
  const when = make("time", new Date(time).toLocaleTimeString(), { datetime: time });
  const name = make("strong");
  setState(name, state);
  const item = make("li");
  item.append(when, " ", name, ` ${reason}`);
  element("timeline").append(item);
}

function onStep(step) {
  loss.add("training", Number(step.step), Number(step.loss));
  if (step.step_seconds > 0) {
    speed.add("tokens/s", Number(step.step), Number(step.tokens) / step.step_seconds);
  }
}

function onEval({ step, metric, value }) {
  const curves = metric === "loss" ? loss : score;
  curves.add(metric === "loss" ? "held-out rows" : metric, Number(step), Number(value));
}

function onLog({ level, rank, message }) {
  setEmpty(element("log").parentElement, false);
  element("log").append(`${level} rank ${rank}: ${message}\n`);
}

let last = 0; // number of the newest event seen

function onEvent(event) {
  last = Number(event.number);
  if (event.state) onState(event.state, event.time);
  if (event.trainer?.step) onStep(event.trainer.step);
  if (event.trainer?.eval) onEval(event.trainer.eval);
  if (event.trainer?.log) onLog(event.trainer.log);
}

// ---- from the beginning

let method = "";

async function start() {
  const job = await askJson(address);
  method = methodOf(job.spec);
  showJob(job);
  offerActions(`job ${job.name}`, `/api/jobs/${job.id}`);
  await begin(job, address);
  follow(() => `${address}/live?after=${last}`, {
    job: showJob,
    artifacts: showArtifacts,
    happened: onEvent,
  });
}

start().catch((error) => setProblem(error.message));
