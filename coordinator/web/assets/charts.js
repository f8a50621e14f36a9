// Charts in the colours of the page, whichever mode it is in.

/* global Chart */

import { figures, onceAFrame, setEmpty, whole } from "./page.js";

// Told apart by everyone, on light and on dark (Okabe and Ito).
export const COLOURS = ["#0091d5", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"];
export const GREY = "#8888";

const charts = new Set();

function theme() {
  const style = getComputedStyle(document.body);
  return { text: style.color, line: style.getPropertyValue("--line") };
}

function paint(chart) {
  const { text, line } = theme();
  chart.options.plugins.legend.labels.color = text;
  for (const scale of Object.values(chart.options.scales)) {
    scale.ticks.color = text;
    scale.title.color = text;
    scale.grid.color = line;
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) {
    paint(chart);
    chart.update();
  }
});

const tickText = (value) => (Math.abs(value) >= 1000 ? whole(value) : figures(value));

const axis = (text, { type = "linear", ticks = { callback: tickText }, ...more } = {}) => ({
  type,
  title: { display: true, text },
  ticks,
  grid: {},
  ...more,
});

const DEFAULTS = {
  animation: false,
  parsing: false,
  normalized: true,
  maintainAspectRatio: false,
  interaction: { mode: "nearest", axis: "x", intersect: false },
  elements: { line: { borderWidth: 2 } },
};

// A chart with the titles x and y at its axes; label(item): what is said of a point, unless its
// number; range: of the y axis, {suggestedMin, suggestedMax}; options: further ones of Chart.js.
export function makeChart(canvas, type, { x, y, label, range, ...options }) {
  const chart = new Chart(canvas, {
    type,
    data: { datasets: [] },
    options: {
      ...DEFAULTS,
      plugins: {
        legend: { display: false, labels: {} },
        tooltip: label ? { callbacks: { label } } : {},
      },
      scales: { x: axis(x), y: axis(y, range) },
      ...options,
    },
  });
  paint(chart);
  charts.add(chart);
  return chart;
}

// Another x axis.
export function setAxis(chart, title, options) {
  chart.options.scales.x = axis(title, options);
  paint(chart);
}

// Lines over steps that grow while one looks on. The chart is made with the first point.
export class Curves {
  #canvas;
  #title;
  #range;
  #chart = null;
  #lines = new Map();
  #drawSoon = onceAFrame(() => this.#draw());

  constructor(canvas, title, range) {
    this.#canvas = canvas;
    this.#title = title;
    this.#range = range;
  }

  // A later attempt repeats the steps after its checkpoint: the newer value counts.
  add(name, step, value) {
    const points = this.#line(name);
    while (points.length > 0 && points[points.length - 1].x >= step) points.pop();
    points.push({ x: step, y: value });
    this.#drawSoon();
  }

  #line(name) {
    if (!this.#lines.has(name)) this.#lines.set(name, []);
    return this.#lines.get(name);
  }

  #draw() {
    if (this.#chart === null) {
      setEmpty(this.#canvas.closest("section"), false);
      const axes = { x: "step", y: this.#title, range: this.#range };
      this.#chart = makeChart(this.#canvas, "line", axes);
    }
    const names = [...this.#lines.keys()];
    this.#chart.data.datasets = names.map((name, i) => lineOf(name, this.#lines.get(name), i));
    this.#chart.options.plugins.legend.display = names.length > 1;
    this.#chart.update();
  }
}

const FEW = 50; // points that are shown each

function lineOf(label, data, number) {
  const colour = COLOURS[number % COLOURS.length];
  return {
    label,
    data,
    borderColor: colour,
    backgroundColor: colour,
    pointRadius: data.length <= FEW ? 2 : 0,
  };
}
