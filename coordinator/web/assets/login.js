// Where a user shows a token, for which the browser has a session from then on.

import { ask, askJson, element, setProblem } from "./page.js";

// A page of this server, and no other.
function destination() {
  const wanted = new URL(new URLSearchParams(location.search).get("to") ?? "/", location.origin);
  return wanted.origin === location.origin ? wanted.pathname : "/";
}

element("form").onsubmit = async (event) => {
  event.preventDefault();
  const token = element("token").value.trim();
  if (!/^pmt_[0-9a-f]{64}$/.test(token)) {
    setProblem("That is no token; allowed: what pmt admin tokens create has printed.");
    return;
  }
  try {
    await ask("/api/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    location.replace(destination());
  } catch (error) {
    setProblem(error.message);
  }
};

// Not before: the browser would send it by itself, which the pages' policy forbids it.
element("form").hidden = false;
element("token").focus();

// Whoever comes by a link of another site has a session that the browser did not show.
const { asked, name } = await askJson("/api/session");
if (!asked || name !== "") location.replace(destination());
