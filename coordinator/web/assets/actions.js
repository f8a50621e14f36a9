// What changes something: each behind a question.

import { element, make } from "./page.js";
import { post } from "./session.js";

const question = make("p", "", { id: "question" });
const refusal = make("p", "", { id: "refusal", role: "alert", hidden: "" });
const no = make("button", "Leave it", { id: "no", autofocus: "" });
const yes = make("button", "", { id: "yes" });
const answers = make("p", no, { class: "actions" });
answers.append(" ", yes);
const dialog = make("dialog", question, { id: "confirm", "aria-labelledby": "question" });
dialog.append(refusal, answers);
document.body.append(dialog);
no.onclick = () => dialog.close();

function refuse(sentence) {
  refusal.textContent = sentence;
  refusal.hidden = sentence === "";
}

// Asks; on yes runs `run`, whose failure is shown until somebody gives up or tries again.
function confirm(asked, consent, run) {
  question.textContent = asked;
  yes.textContent = consent;
  yes.disabled = false;
  refuse("");
  yes.onclick = async () => {
    yes.disabled = true;
    try {
      await run();
      dialog.close();
    } catch (error) {
      refuse(error.message);
      yes.disabled = false;
    }
  };
  dialog.showModal();
}

// 128 random bits: submitting again with the same key gives the job of the first time.
const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

// The buttons of a page about `what`, which lies at `address` of the API.
export function offerActions(what, address) {
  element("cancel").onclick = () =>
    confirm(`Cancel ${what}?`, "Cancel it", () => post(`${address}/cancel`));
  element("remove").onclick = () =>
    confirm(`Remove ${what}, with all its files? This cannot be undone.`, "Remove it", async () => {
      await post(`${address}/remove`);
      location.assign("/");
    });
  element("resubmit").onclick = () => {
    const key = newKey();
    confirm(`Submit the spec of ${what} again?`, "Submit it", async () => {
      const { sweep_id: sweep, jobs } = await post(`${address}/resubmit?key=${key}`);
      location.assign(sweep ? `/sweeps/${sweep}` : `/jobs/${jobs[0].id}`);
    });
  };
}
