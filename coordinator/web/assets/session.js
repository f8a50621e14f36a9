// Who is signed in, where the coordinator asks.

import { ask, askJson, make } from "./page.js";

export const session = askJson("/api/session");

// POST, as a page of this session.
export async function post(path) {
  const { csrf } = await session;
  return JSON.parse(await ask(path, { method: "POST", headers: { "X-CSRF-Token": csrf } }));
}

const { asked, name, role } = await session;
if (asked) {
  const out = make("button", "Sign out", { id: "sign-out" });
  out.onclick = async () => {
    await post("/api/session/end");
    location.assign("/login");
  };
  const who = make("span", `${name} (${role})`, { id: "user" });
  document.querySelector("nav").append(who, out);
}
