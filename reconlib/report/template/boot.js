"use strict";
(async () => {
  const PRINT_WIDTH_PX = 1000;
  const packed = document.getElementById("plotly-gz");
  const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const plots = [];
  for (const box of document.querySelectorAll(".chart")) {
    const plot = box.querySelector(".plot");
    const spec = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    plot.replaceChildren();
    const clear = "rgba(0,0,0,0)";
    await Plotly.newPlot(plot, spec.data, { ...spec.layout, paper_bgcolor: clear, plot_bgcolor: clear }, spec.config);
    plots.push(plot);
  }
  addEventListener("beforeprint", () => plots.forEach((p) => Plotly.relayout(p, { width: PRINT_WIDTH_PX })));
  addEventListener("afterprint", () => plots.forEach((p) => Plotly.relayout(p, { width: null })));
  document.documentElement.dataset.charts = String(plots.length);
})();
