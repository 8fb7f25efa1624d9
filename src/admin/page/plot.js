// A plot of the last ten minutes: lines over a grid, the figures of one moment above it. Arrow keys
// and the pointer choose the moment; without one, the figures are the latest.

const SPAN = 600;
const HEIGHT = 100;
const SVG = "http://www.w3.org/2000/svg";

function draw(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// A scale from 0 to a round top of at least 2. `place` says how high a value stands, from 0 to 1;
// `ticks` are the values that get a line and a label.
function linear(values) {
  const most = Math.max(2, ...values);
  const power = 10 ** Math.floor(Math.log10(most));
  const tops = [1, 2, 4, 6, 8, 10].map((step) => step * power);
  const top = tops.find((one) => one >= most * 0.999);
  return { place: (value) => Math.min(1, value / top), ticks: [0, top / 2, top] };
}

// The same for values of which some are many times larger than others: from a power of ten to
// another one.
function logarithmic(values) {
  const exponent = (value) => Math.log10(Math.max(value, 1e-4));
  const least = Math.floor(Math.min(-3, ...values.map(exponent)));
  const most = Math.max(least + 3, Math.ceil(Math.max(...values.map(exponent))));
  const step = most - least > 4 ? 2 : 1;
  const ticks = [];
  for (let at = least; at <= most; at += step) ticks.push(10 ** at);
  const place = (value) => Math.max(0, (exponent(value) - least) / (most - least));
  return { place, ticks };
}

// The path of `values` (the last one at x = SPAN); a gap where there is none.
function pathOf(values, step, place) {
  let path = "";
  let open = false;
  values.forEach((value, at) => {
    if (value == null) {
      open = false;
      return;
    }
    const x = SPAN - (values.length - 1 - at) * step;
    const y = HEIGHT * (1 - place(value));
    // A point on its own is a line without length, which round ends make a dot.
    path += open ? `L${x} ${y.toFixed(2)}` : `M${x} ${y.toFixed(2)}h0`;
    open = true;
  });
  return path;
}

// The area below `values`, which have no gap.
function areaOf(values, step, place) {
  if (values.length < 2) return "";
  const from = SPAN - (values.length - 1) * step;
  return `${pathOf(values, step, place)}V${HEIGHT}H${from}Z`;
}

class Plot {
  // `series`: name and kind of each line, the most important first. `format` makes text of a value,
  // `scale` makes a scale of all values, `empty` is said when there is no value at all.
  constructor(host, { name, series, format, scale, empty }) {
    Object.assign(this, { name, series, format, scale });
    this.lists = series.map(() => []);
    this.step = 1;
    this.chosen = null;
    this.build(host, empty);
    this.listen();
  }

  build(host, empty) {
    this.figures = this.series.map(({ kind }) => make("dd", kind, NONE));
    const pairs = this.series.map(({ name, kind }, at) =>
      make("div", "", make("dt", `key ${kind}`, name), this.figures[at]));
    this.when = make("span", "when", "now");
    const legend = make("div", "legend", make("dl", "", ...pairs), this.when);
    this.svg = draw("svg", { viewBox: `0 0 ${SPAN} ${HEIGHT}`, preserveAspectRatio: "none",
      role: "img", class: "lines" });
    this.rules = this.svg.appendChild(draw("path", { class: "rule" }));
    this.area = this.svg.appendChild(draw("path", { class: "area" }));
    // The most important line is drawn last, above the others.
    this.lines = this.series.map(({ kind }) => draw("path", { class: `line ${kind}` }));
    this.svg.append(...this.lines.toReversed());
    this.labels = make("div", "scale");
    this.labels.setAttribute("aria-hidden", "true");
    this.cursor = make("span", "cursor");
    this.empty = make("p", "empty", empty);
    this.slider = make("div", "moment");
    const named = { role: "slider", tabindex: 0, "aria-label": `${this.name}: moment`,
      "aria-valuemin": -SPAN, "aria-valuemax": 0, "aria-valuenow": 0 };
    for (const [key, value] of Object.entries(named)) this.slider.setAttribute(key, value);
    const box = make("div", "plot", this.svg, this.labels, this.cursor, this.empty, this.slider);
    const axis = make("div", "axis", ...["10 min ago", "5 min ago", "now"]
      .map((text) => make("span", "", text)));
    axis.setAttribute("aria-hidden", "true");
    this.range = make("p", "range", NONE);
    host.replaceChildren(legend, box, axis, this.range);
  }

  listen() {
    const choose = (ago) => {
      const longest = Math.max(0, this.lists[0].length - 1) * this.step;
      this.chosen = ago === null ? null : Math.min(longest, Math.max(0, ago));
      this.read();
    };
    this.slider.addEventListener("pointermove", (event) => {
      const { left, width } = this.slider.getBoundingClientRect();
      choose(SPAN * (1 - (event.clientX - left) / width));
    });
    this.slider.addEventListener("pointerleave", () => choose(null));
    this.slider.addEventListener("blur", () => choose(null));
    this.slider.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 10,
        PageUp: -10 };
      const at = this.chosen ?? 0;
      if (event.key in steps) choose(at + steps[event.key] * this.step);
      else if (event.key === "Home") choose(SPAN);
      else if (event.key === "End" || event.key === "Escape") choose(null);
      else return;
      event.preventDefault();
    });
  }

  // `lists`: the values of each line, the oldest first, `step` seconds apart.
  update(lists, step) {
    Object.assign(this, { lists, step });
    const values = lists.flat().filter((value) => value != null);
    const { place, ticks } = this.scale(values);
    lists.forEach((list, at) => this.lines[at].setAttribute("d", pathOf(list, step, place)));
    const whole = this.scale === linear && lists[0].every((value) => value != null);
    this.area.setAttribute("d", whole ? areaOf(lists[0], step, place) : "");
    const heights = ticks.map((tick) => HEIGHT * (1 - place(tick)));
    this.rules.setAttribute("d", heights.map((y) => `M0 ${y}H${SPAN}`).join(""));
    fill(this.labels, "span", ticks.map((tick, at) => ({
      key: `${tick} ${heights[at]}`,
      fill: (label) => {
        label.append(this.format(tick));
        label.style.top = `${heights[at]}%`;
      },
    })));
    show(this.empty, values.length === 0);
    this.summarize();
    this.read();
  }

  // The text alternative: the extremes of each line.
  summarize() {
    const texts = this.series.map(({ name }, at) => {
      const values = this.lists[at].filter((value) => value != null);
      if (values.length === 0) return `${name}: no value`;
      const [least, most] = [Math.min(...values), Math.max(...values)].map(this.format);
      return `${name}: ${least} to ${most}`;
    });
    setText(this.range, texts.join(" · "));
    const latest = this.series.map(({ name }, at) => `${name} ${this.format(this.valueAt(at, 0))}`);
    const label = `${this.name}, last ten minutes. Now: ${latest.join(", ")}. ${texts.join(". ")}.`;
    setAttribute(this.svg, "aria-label", label);
  }

  valueAt(series, ago) {
    const list = this.lists[series];
    return list[list.length - 1 - Math.round(ago / this.step)];
  }

  // Shows the figures of the moment that is chosen.
  read() {
    const ago = Math.round((this.chosen ?? 0) / this.step) * this.step;
    const figures = this.series.map((_, at) => this.format(this.valueAt(at, ago)));
    figures.forEach((text, at) => setText(this.figures[at], text));
    const when = this.chosen === null || ago === 0 ? "now" : `${lasting(ago)} ago`;
    setText(this.when, when);
    this.cursor.style.left = `${100 * (1 - ago / SPAN)}%`;
    show(this.cursor, this.chosen !== null);
    const said = this.series.map(({ name }, at) => `${name} ${figures[at]}`).join(", ");
    setAttribute(this.slider, "aria-valuenow", -ago);
    setAttribute(this.slider, "aria-valuetext", `${when}: ${said}`);
  }
}
