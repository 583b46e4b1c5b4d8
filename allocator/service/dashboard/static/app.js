// Charts, theme and keys. Every page works without this file: tables say what charts show.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const short = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6) return (value / 1e6).toFixed(1) + "M";
    if (size >= 1e4) return (value / 1e3).toFixed(0) + "k";
    return value.toLocaleString("en", { maximumFractionDigits: size < 10 ? 2 : 0 });
  };
  const full = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });
  // A tooltip is markup, and names in it are anybody's.
  const safe = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const FONT = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
  const timeAxis = () => axis({ type: "time", splitLine: { show: false }, splitNumber: 4,
    axisLabel: { color: colour("--soft"), hideOverlap: true, fontSize: 11 } });
  const axis = (more) => ({
    axisLine: { lineStyle: { color: colour("--line") } },
    axisLabel: { color: colour("--soft"), hideOverlap: true },
    splitLine: { lineStyle: { color: colour("--line"), opacity: 0.6 } },
    nameTextStyle: { color: colour("--soft") },
    ...more,
  });
  const tip = (more) => ({
    backgroundColor: colour("--card"), borderColor: colour("--line"), confine: true,
    textStyle: { color: colour("--ink") }, ...more,
  });
  const grid = { left: 8, right: 24, top: 24, bottom: 8, containLabel: true };

  const draw = {
    line: (d) => ({
      grid, tooltip: tip({ trigger: "axis", valueFormatter: full }),
      xAxis: timeAxis(),
      yAxis: axis({ type: "value", scale: true, splitNumber: 4,
        axisLabel: { color: colour("--soft"), formatter: (v) => v.toLocaleString("en") } }),
      series: [{ type: "line", name: d.name, data: d.points, showSymbol: d.points.length < 3,
        lineStyle: { width: 2 }, areaStyle: { opacity: 0.08 }, color: colour("--bar") }],
    }),
    heat: (d) => {
      const most = Math.max(1, ...d.cells.map((c) => Math.abs(c[2])));
      return {
        grid: { ...grid, bottom: 56 },
        tooltip: tip({ formatter: (p) =>
          `${safe(d.columns[p.data[0]])} · ${safe(d.rows[p.data[1]])}<br><b>${full(p.data[2])}</b> USD` }),
        xAxis: axis({ type: "category", data: d.columns, splitLine: { show: false },
          axisLabel: { color: colour("--soft"), interval: 0, rotate: d.columns.length > 6 ? 25 : 0 } }),
        yAxis: axis({ type: "category", inverse: true, data: d.rows, splitLine: { show: false } }),
        visualMap: { min: -most, max: most, calculable: false, orient: "horizontal", left: "center",
          bottom: 0, itemHeight: 120, text: ["long", "short"], textStyle: { color: colour("--soft") }, formatter: short,
          inRange: { color: [colour("--bad"), colour("--card"), colour("--good")] } },
        series: [{ type: "heatmap", data: d.cells, itemStyle: { borderColor: colour("--line"), borderWidth: 1, opacity: 0.8 },
          label: { show: true, formatter: (p) => short(p.data[2]), color: colour("--ink") } }],
      };
    },
    bars: (d) => ({
      grid: { ...grid, right: 56 }, tooltip: tip({ trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: full }),
      xAxis: axis({ type: "value", axisLabel: { color: colour("--soft"), formatter: short, hideOverlap: true } }),
      yAxis: axis({ type: "category", inverse: true, data: d.rows.map((r) => r[0]), splitLine: { show: false } }),
      series: [{ type: "bar", barMaxWidth: 18, color: colour("--bar"),
        data: d.rows.map((r) => ({ value: r[1], itemStyle: { color: r[1] < 0 ? colour("--good") : colour("--bar") } })),
        label: { show: true, position: "right", color: colour("--soft"), formatter: (p) => short(p.value) } }],
    }),
    exposure: (d) => ({
      grid: { ...grid, bottom: 34 }, tooltip: tip({ trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: full }),
      legend: { bottom: 0, itemGap: 24, itemWidth: 14, textStyle: { color: colour("--soft") } },
      xAxis: axis({ type: "value", axisLabel: { color: colour("--soft"), formatter: short, hideOverlap: true } }),
      yAxis: axis({ type: "category", inverse: true, data: d.rows.map((r) => r[0]), splitLine: { show: false } }),
      series: [["before", 1, "--soft"], ["after", 2, "--bar"], ["target", 3, "--warn"]].map(([name, i, c]) => (
        { type: "bar", name, barMaxWidth: 14, color: colour(c), data: d.rows.map((r) => r[i]) })),
    }),
    sankey: (d) => ({
      tooltip: tip({ formatter: (p) => p.dataType === "edge"
        ? `${safe(p.data.source)} ${safe(p.data.target)}<br>${safe(p.data.what)}: <b>${full(p.value)}</b> USD` : safe(p.name) }),
      series: [{ type: "sankey", left: 8, right: 120, top: 10, bottom: 10, nodeGap: 14, draggable: false,
        data: d.nodes.map((n) => ({ name: n.name, label: { formatter: n.label } })), links: d.links,
        color: [colour("--bar"), colour("--accent"), colour("--good"), colour("--warn")],
        lineStyle: { color: "gradient", opacity: 0.4 },
        edgeLabel: { show: true, color: colour("--ink"), fontSize: 12,
          formatter: (p) => `${full(Math.round(p.value))} USD of ${p.data.what}` },
        label: { color: colour("--ink"), fontSize: 12 } }],
    }),
    frontier: (d) => ({
      grid: { ...grid, bottom: 26, left: 20 }, tooltip: tip({ trigger: "axis", valueFormatter: full }),
      xAxis: axis({ type: "value", name: d.x, nameLocation: "middle", nameGap: 26 }),
      yAxis: axis({ type: "value", name: d.y, scale: true, nameTextStyle: { color: colour("--soft"), align: "left" },
        axisLabel: { color: colour("--soft"), formatter: short } }),
      series: [{ type: "line", data: d.points, color: colour("--accent"), symbolSize: 7 }],
    }),
    timeline: (d) => {
      const shade = (state) => ["filled", "settled", "done"].includes(state) ? colour("--good")
        : ["rejected", "unknown", "manual", "cancelled", "expired", "not_executed"].includes(state) ? colour("--bad") : colour("--warn");
      return {
        grid: { ...grid, bottom: 26 }, tooltip: tip({ formatter: (p) => `${safe(p.data.value[3])}: <b>${safe(p.data.value[2])}</b><br>${safe(p.data.value[0])}` }),
        xAxis: timeAxis(),
        yAxis: axis({ type: "value", name: "action", minInterval: 1, inverse: true, min: 0 }),
        series: [{ type: "scatter", symbolSize: 12, data: d.points.map((p) => ({ value: p, itemStyle: { color: shade(p[2]) } })) }],
      };
    },
  };

  const charts = new Map();
  function paint(box) {
    const source = document.getElementById(box.dataset.chart);
    if (!source || !window.echarts) return;
    const data = JSON.parse(source.textContent);
    charts.get(box)?.dispose();
    const chart = echarts.init(box, null, { renderer: "svg" });
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT },
      aria: { enabled: true }, ...draw[data.kind](data) });
    charts.set(box, chart);
  }
  function paintAll() {
    for (const [box, chart] of charts) if (!box.isConnected) { chart.dispose(); charts.delete(box); }
    document.querySelectorAll("[data-chart]").forEach((box) => { if (!charts.has(box)) paint(box); });
  }
  function repaint() { [...charts.keys()].forEach(paint); }
  new MutationObserver(paintAll).observe(document.body, { childList: true, subtree: true });
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  paintAll();

  // A page left open must not pass old figures off as new ones.
  let renewed = new Date();
  function told(whole) {
    const note = document.getElementById("stale");
    if (!note) return;
    if (whole) renewed = new Date();
    else note.textContent = "This page cannot be renewed: it is as it was at "
      + renewed.toISOString().slice(0, 19).replace("T", " ") + " UTC.";
    note.hidden = whole;
  }
  document.addEventListener("htmx:after:request", (event) => told(event.detail.ctx.response.status < 400));
  document.addEventListener("htmx:error", () => told(false));

  function turn() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    repaint();
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-turn]")) turn();
    if (event.target.closest("[data-keys]")) document.getElementById("keys")?.showModal();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) return;
    const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    else if (event.key === "t") turn();
    else if (event.key === "?") document.getElementById("keys")?.showModal();
  });
})();
