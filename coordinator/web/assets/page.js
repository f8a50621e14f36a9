// What the pages share: asking, following, saying what is wrong, building elements.

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 10000;

export const element = (id) => document.getElementById(id);

// What the page is about: the last part of its path, still encoded.
export const subject = location.pathname.split("/").pop();

// ---- the coordinator

// The text of the answer; an Error with the coordinator's sentence where it refuses.
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The coordinator does not answer.");
  }
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.trim() || `The coordinator answers ${answer.status}.`);
  return text;
}

// Where the coordinator asks who looks, and no longer knows: there a user signs in and comes back.
async function signInAgain() {
  const { asked, name } = await askJson("/api/session");
  if (asked && name === "") location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
}

export const askJson = async (path) => JSON.parse(await ask(path));

// Follows a stream: handlers[name](message) for each of its events. address() is asked for again
// whenever the stream is opened. Where it breaks, the page says so and opens it again; while the
// page is hidden it is let go, because browsers open only six connections to a host.
export function follow(address, handlers) {
  let source = null;
  let timer = 0;
  let wait = FIRST_RETRY_MS;
  let ended = false;

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    if (ended || document.hidden) return;
    source = new EventSource(address());
    source.onopen = () => {
      wait = FIRST_RETRY_MS;
      setProblem("");
      element("live").textContent = "live";
    };
    source.onerror = () => {
      close();
      element("live").textContent = "not live";
      setProblem("Live updates broke off: the coordinator does not answer. Trying again…");
      signInAgain().catch(() => {}); // it is away: what the page says already
      timer = setTimeout(open, wait);
      wait = Math.min(2 * wait, LONGEST_RETRY_MS);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
    source.addEventListener("end", () => {
      ended = true;
      close();
      element("live").textContent = "ended";
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  element("live").textContent = "connecting…";
  open();
}

// ---- what a page begins with

// Shows the name, id and spec of a job or a sweep at `address`, which never change, and with them
// the page.
export async function begin({ name, id }, address) {
  document.title = `${name} · prefixmem`;
  element("name").textContent = name;
  element("id").textContent = id;
  element("spec").textContent = await ask(`${address}/spec`);
  element("content").hidden = false;
}

// ---- what is wrong

export function setProblem(sentence) {
  element("problem").textContent = sentence;
  element("problem").hidden = sentence === "";
}

addEventListener("error", (event) => setProblem(`This page failed: ${event.message}`));
addEventListener("unhandledrejection", (event) => {
  setProblem(event.reason.message);
  const live = element("live");
  if (live?.textContent === "loading…") live.textContent = ""; // it will not
});

// ---- elements; text is set as text, never as markup

export function make(tag, content = "", attributes = {}) {
  const made = document.createElement(tag);
  made.append(content);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

export const link = (address, text) => make("a", text, { href: address });

// A cell is text, an element, or {number: text}.
export function makeRow(cells, tag = "td") {
  const row = make("tr");
  for (const cell of cells) {
    const isNumber = cell.number !== undefined;
    row.append(make(tag, isNumber ? cell.number : cell, isNumber ? { class: "number" } : {}));
  }
  return row;
}

// Shows what a section holds, or its ".empty" sentence.
export function setEmpty(section, empty) {
  for (const child of section.children) {
    if (child.matches("h2")) continue;
    child.hidden = child.matches(".empty") !== empty;
  }
}

// Makes the children of an element what they are to be. Those that say the same stay, and so do
// focus and selection in them; of the others the same goes for their own children.
function patch(parent, wanted, depth = 1) {
  const old = [...parent.children];
  for (const [i, child] of wanted.entries()) {
    if (i >= old.length) parent.append(child);
    else if (old[i].isEqualNode(child)) continue;
    else if (depth > 0) patch(old[i], [...child.children], depth - 1);
    else old[i].replaceWith(child);
  }
  for (const rest of old.slice(wanted.length)) rest.remove();
}

export function fillTable(table, rows) {
  patch(table.tBodies[0], rows);
  setEmpty(table.closest("section"), rows.length === 0);
}

// Has `run` run with the next frame, once however often it is asked for before.
export function onceAFrame(run) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      run();
    });
  };
}

// Pairs of name and content; those whose content is "" are left out.
export function fillList(list, pairs) {
  const shown = pairs.filter(([, content]) => content !== "");
  const pairOf = ([name, content]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", content));
    return pair;
  };
  patch(list, shown.map(pairOf));
}

export function setState(shown, state) {
  shown.textContent = stateName(state);
  shown.className = stateName(state);
}

// ---- words; numbers read as pmt prints them

// JOB_STATE_QUEUED is "queued".
export const stateName = (state) => state.replace(/^[A-Z]+_STATE_/, "").toLowerCase();

// Of a job or a sweep.
export const hasEnded = (state) =>
  !["queued", "starting", "running"].includes(stateName(state));

// What write(value) gives, rounded as printf rounds: of two equally near the even one, where
// JavaScript takes the greater.
function rounded(value, write) {
  const [text, below] = [write(value), write(value * (1 - Number.EPSILON))];
  const exact = value.toPrecision(60).replace(/0+$/, "");
  const isTie = text !== below && exact.length < 20;
  return isTie && /[02468](?=e|$)/.test(below) ? below : text;
}

const fixed = (value, digits) => rounded(value, (number) => number.toFixed(digits));

function scaled(value, base, units) {
  let unit = 0;
  for (; value >= 999.5 && unit + 1 < units.length; ++unit) value /= base;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return [fixed(value, digits), units[unit]];
}

export function countText(count) {
  const value = Number(count);
  if (value < 999.5 && Number.isInteger(value)) return `${value}`;
  return scaled(value, 1000, ["", "k", "M", "G", "T"]).join("");
}

export function bytesText(bytes) {
  const value = Number(bytes);
  if (value < 999.5) return `${value} B`;
  return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]).join(" ");
}

export function secondsText(seconds) {
  if (seconds < 9.995) return `${fixed(seconds, 2)}s`;
  if (seconds < 59.95) return `${fixed(seconds, 1)}s`;
  const all = Math.round(seconds);
  const two = (value) => `${Math.floor(value)}`.padStart(2, "0");
  if (all < 3600) return `${Math.floor(all / 60)}m${two(all % 60)}s`;
  if (all < 86400) return `${Math.floor(all / 3600)}h${two((all / 60) % 60)}m`;
  return `${Math.floor(all / 86400)}d${two((all / 3600) % 24)}h`;
}

// printf's %.4g
export function figures(value) {
  const number = Number(value);
  if (!Number.isFinite(number)) return `${value}`;
  const written = rounded(number, (value) => value.toExponential(3));
  const [mantissa, exponent] = written.split("e");
  const size = Number(exponent);
  if (size >= -4 && size < 4) return `${Number(written)}`;
  return `${Number(mantissa)}e${size < 0 ? "-" : "+"}${`${Math.abs(size)}`.padStart(2, "0")}`;
}

export const scoreText = (metric, value) =>
  metric === "loss" ? figures(value) : `${fixed(100 * value, 1)}%`;

export const whole = (number) => Number(number).toLocaleString("en-US");

// Of a map of dotted paths to values.
export const settingText = (setting) =>
  Object.entries(setting)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, value]) => `${path} ${value}`)
    .join(", ");
