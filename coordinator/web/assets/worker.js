// The page of a worker: what it is, what runs there, what ran there.

import "./session.js";
import {
  bytesText,
  element,
  fillList,
  fillTable,
  follow,
  make,
  subject,
  whole,
} from "./page.js";
import { devicesText, endedRow, gangRow, gangsOf } from "./rows.js";

const id = decodeURIComponent(subject);
document.title = `${id} · prefixmem`;
element("name").textContent = id;

const here = ({ jobs }) => jobs.filter((job) => job.worker_id === id);

function showWorkers({ workers }) {
  const worker = workers.find((one) => one.id === id);
  element("unknown").textContent = `No worker has the id ${id}, or it was lost long ago.`;
  element("unknown").hidden = worker !== undefined;
  element("content").hidden = worker === undefined;
  if (worker === undefined) return;
  fillList(element("figures"), [
    ["state", make("strong", worker.state, { class: worker.state })],
    ...(worker.unhealthy ? [["takes no jobs", worker.unhealthy]] : []),
    ["host", worker.host],
    ...(worker.allocation ? [["allocation", worker.allocation]] : []),
    ["devices", devicesText(worker)],
    ["slots used", `${worker.used_slots} / ${worker.slots}`],
    ...(Number(worker.memory_bytes) > 0 ? [["memory for jobs", bytesText(worker.memory_bytes)]] : []),
    ["gangs", whole(worker.gangs)],
    ["heard", `${worker.heartbeat_age_seconds.toFixed(0)} s ago`],
    ["metrics", worker.metrics_address],
    ["version", worker.version],
  ]);
}

follow(() => "/api/overview/live", {
  workers: showWorkers,
  unfinished: (message) => fillTable(element("running"), gangsOf(here(message)).map(gangRow)),
  ended: (message) => fillTable(element("ended"), here(message).map(endedRow)),
});
