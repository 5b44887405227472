// Small plots of the last hour: bars for what is counted, lines for what is measured. The numbers stand beside them as text.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 72;

function make(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

/** A round number that holds all values: the top of the scale. */
export function top(values, least) {
  const most = Math.max(least, ...values);
  const step = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((factor) => factor * step).find((one) => one >= most);
}

/**
 * Draws series over minutes. Each is `{kind: "bar" | "line", values, tone}`; bars stand on one another, null is a gap.
 * `labels` name the minutes; what is under the pointer is told by `tell(index)`, -1 when it leaves.
 */
export function draw(figure, series, least, format) {
  const count = series[0].values.length;
  const sums = series[0].values.map((_, at) => series.filter((one) => one.kind === "bar").reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
  const scale = top([...sums, ...series.filter((one) => one.kind === "line").flatMap((one) => one.values.map((value) => value ?? 0))], least);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  const step = WIDTH / count;
  const height = (value) => (Math.min(value, scale) / scale) * (HEIGHT - 4);
  for (const part of [0, 0.5]) make("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT - 1 - part * (HEIGHT - 4), y2: HEIGHT - 1 - part * (HEIGHT - 4) }, svg);
  const floor = new Array(count).fill(0);
  for (const one of series.filter((each) => each.kind === "bar")) {
    one.values.forEach((value, at) => {
      if (!value) return;
      const size = Math.max(height(value), 1.5);
      make("rect", { class: one.tone, x: at * step + step * 0.12, width: step * 0.76, y: HEIGHT - 1 - floor[at] - size, height: size, rx: 1 }, svg);
      floor[at] += size;
    });
  }
  for (const one of series.filter((each) => each.kind === "line")) {
    let path = "";
    let isGap = true;
    one.values.forEach((value, at) => {
      if (value === null) { isGap = true; return; }
      const x = (at + 0.5) * step;
      path += `${isGap ? "M" : "L"}${x.toFixed(1)} ${(HEIGHT - 1 - height(value)).toFixed(1)}${isGap ? "h0.01" : ""}`;
      isGap = false;
    });
    if (path) make("path", { class: `line ${one.tone}`, d: path, "vector-effect": "non-scaling-stroke" }, svg);
  }
  figure.querySelector(".canvas").replaceChildren(svg);
  figure.querySelector(".scale").textContent = format(scale);
}
