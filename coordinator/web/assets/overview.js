// The overview: what runs, what waits, who is there.

import "./session.js";
import { element, fillList, fillTable, follow, whole } from "./page.js";
import { endedRow, gangsOf, gangRow, queueRow, sweepRow, workerRow } from "./rows.js";

const STATES = ["waiting", "running", "succeeded", "failed", "cancelled"];

function showCounts(counts) {
  fillList(
    element("counts"),
    STATES.map((state) => [state, whole(counts[state])]),
  );
}

function showUnfinished({ jobs }) {
  fillTable(element("running"), gangsOf(jobs).map(gangRow));
  const queued = jobs.filter((job) => job.state === "JOB_STATE_QUEUED").reverse();
  fillTable(element("queue"), queued.map(queueRow));
}

follow(() => "/api/overview/live", {
  counts: showCounts,
  unfinished: showUnfinished,
  workers: ({ workers }) => fillTable(element("workers"), workers.map(workerRow)),
  sweeps: ({ sweeps }) => fillTable(element("sweeps"), sweeps.map(sweepRow)),
  ended: ({ jobs }) => fillTable(element("ended"), jobs.map(endedRow)),
});
