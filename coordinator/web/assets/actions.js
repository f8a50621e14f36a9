// What changes something: each behind a question.

import { ask, element } from "./page.js";

// Asks; on yes runs `run`, whose failure is shown until somebody gives up or tries again.
function confirm(question, yes, run) {
  const dialog = element("confirm");
  const refuse = (sentence) => {
    element("refusal").textContent = sentence;
    element("refusal").hidden = sentence === "";
  };
  element("question").textContent = question;
  element("yes").textContent = yes;
  element("yes").disabled = false;
  refuse("");
  element("yes").onclick = async () => {
    element("yes").disabled = true;
    try {
      await run();
      dialog.close();
    } catch (error) {
      refuse(error.message);
      element("yes").disabled = false;
    }
  };
  element("no").onclick = () => dialog.close();
  dialog.showModal();
}

const post = async (path) => JSON.parse(await ask(path, { method: "POST" }));

// 128 random bits: submitting again with the same key gives the job of the first time.
const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

// The buttons of a page about `what`, which lies at `address` of the API.
export function offerActions(what, address) {
  element("cancel").onclick = () =>
    confirm(`Cancel ${what}?`, "Cancel it", () => post(`${address}/cancel`));
  element("resubmit").onclick = () => {
    const key = newKey();
    confirm(`Submit the spec of ${what} again?`, "Submit it", async () => {
      const { sweep_id: sweep, jobs } = await post(`${address}/resubmit?key=${key}`);
      location.assign(sweep ? `/sweeps/${sweep}` : `/jobs/${jobs[0].id}`);
    });
  };
}
