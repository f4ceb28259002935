// Turns <div data-chart="id of a json_script"> into a chart; docs/frontend.md shows the data's form.

const root = document.documentElement;
const drawn = new Map();

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const number = (value) => (typeof value === "number" ? value.toLocaleString(root.lang) : value);

function palette() {
  return [1, 2, 3, 4, 5, 6].map((n) => colour(`--yx-series-${n}`));
}

/** A whole ECharts option from our short form. */
function full({ kind, labels = [], series = [], unit = "", title = "" }) {
  const quiet = colour("--tblr-secondary-color") || colour("--yx-quiet");
  const line = colour("--yx-line");
  const format = (value) => `${number(value)}${unit ? ` ${unit}` : ""}`;
  const base = {
    title: title ? { text: title, textStyle: { fontSize: 14, fontWeight: 600, color: colour("--yx-ink") } } : undefined,
    // Rich text is drawn on the canvas; the HTML tooltip needs inline styles, which the page does not allow.
    tooltip: { renderMode: "richText", trigger: kind === "pie" ? "item" : "axis", valueFormatter: format, confine: true },
    legend: { show: series.length > 1 || kind === "pie", bottom: 0, icon: "circle", itemWidth: 8, textStyle: { color: quiet } },
    aria: { enabled: true },
    animationDuration: 300,
    color: palette(),
  };
  if (kind === "pie") {
    const data = labels.map((name, index) => ({ name, value: series[0].data[index] }));
    const ring = { radius: ["46%", "66%"], center: ["50%", title ? "52%" : "44%"], label: { show: false } };
    return { ...base, series: [{ type: "pie", ...ring, data }] };
  }
  const axis = { axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: quiet } };
  return {
    ...base,
    grid: { left: 8, right: 12, top: title ? 44 : 16, bottom: series.length > 1 ? 36 : 8, containLabel: true },
    xAxis: { type: "category", data: labels, ...axis },
    yAxis: { type: "value", ...axis, axisLine: { show: false }, splitLine: { lineStyle: { color: line } } },
    series: series.map((one) => ({
      type: kind === "line" ? "line" : "bar",
      stack: kind === "stack" ? "all" : undefined,
      showSymbol: false,
      barMaxWidth: 28,
      lineStyle: { width: 2 },
      ...one,
    })),
  };
}

function draw(element) {
  const data = document.getElementById(element.dataset.chart);
  if (!data) return;
  drawn.get(element)?.dispose();
  const given = JSON.parse(data.textContent);
  const chart = window.echarts.init(element, null, { locale: root.lang.startsWith("zh") ? "ZH" : "EN" });
  chart.setOption({
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("--yx-ink") },
    ...(given.kind ? full(given) : { color: palette(), ...given, tooltip: { ...given.tooltip, renderMode: "richText" } }),
  });
  drawn.set(element, chart);
  sizes.observe(element);
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) drawn.get(target)?.resize();
});

function drawAll(within) {
  for (const [element, chart] of drawn) {
    if (!element.isConnected) {
      chart.dispose();
      sizes.unobserve(element);
      drawn.delete(element);
    }
  }
  if (within.matches?.("[data-chart]")) draw(within);
  for (const element of within.querySelectorAll("[data-chart]")) draw(element);
}

drawAll(document);
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt !== document.body) drawAll(event.detail.elt);
});
document.addEventListener("theme:change", () => drawAll(document));
