"use strict";
(() => {
  const compare = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;
  const records = (table) => {
    const grouped = [...table.querySelectorAll(":scope > tbody.record")];
    return grouped.length ? grouped : [...table.querySelectorAll(":scope > tbody > tr")];
  };
  const cellOf = (record, index) => (record.matches("tbody") ? record.rows[0] : record).cells[index];
  const keyOf = (cell) => (cell.classList.contains("missing") ? null : "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent);
  const order = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : compare(String(a), String(b)));
  };
  const shownText = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
  const field = (cell) => {
    const number = "v" in cell.dataset && /^-?\d+(\.\d+)?$/.test(cell.dataset.v);
    let text = number ? [cell.dataset.v, cell.dataset.code].filter(Boolean).join(" ") : shownText(cell);
    if (!number && /^[\s"']*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text)) text = "'" + text;
    return '"' + text.replaceAll('"', '""') + '"';
  };
  const csv = (table) => {
    const head = [...table.tHead.rows[0].cells];
    const rows = records(table).filter((r) => !r.classList.contains("gone"));
    const lines = [head, ...rows.map((r) => head.map((_, i) => cellOf(r, i)))];
    return "\ufeff" + lines.map((line) => line.map(field).join(",")).join("\r\n") + "\r\n";
  };
  const setUp = (box) => {
    const table = box.querySelector("table");
    if (!table) return;
    const all = records(table);
    const count = box.querySelector(".count");
    const limit = Number(table.dataset.max || 0);
    let open = !limit;
    let query = "";
    let printing = false;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    const draw = () => {
      const words = query.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = 0;
      for (const record of records(table)) {
        const text = record.textContent.toLowerCase();
        const gone = !words.every((word) => text.includes(word));
        if (!gone) kept += 1;
        const cut = !gone && !open && !printing && !words.length && kept > limit;
        record.classList.toggle("gone", gone);
        record.classList.toggle("limit", cut);
        record.classList.toggle("off", gone || cut);
      }
      const seen = !open && !printing && !words.length ? Math.min(limit, kept) : kept;
      count.textContent = seen.toLocaleString("en") + " of " + all.length.toLocaleString("en") + (all.length === 1 ? " row" : " rows");
      more.hidden = open || words.length > 0;
    };
    [...table.tHead.rows[0].cells].forEach((th, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending" || (!th.hasAttribute("aria-sort") && th.classList.contains("num"));
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sorted = records(table)
          .map((record) => [keyOf(cellOf(record, index)), record])
          .sort((a, b) => order(a[0], b[0], down ? -1 : 1));
        const parent = all[0].parentNode;
        const anchor = parent === table ? table.tFoot : null;
        for (const [, record] of sorted) parent.insertBefore(record, anchor);
        draw();
      });
    });
    const tools = document.createElement("div");
    tools.className = "tools";
    if (all.length > 7) {
      const input = document.createElement("input");
      input.type = "search";
      input.placeholder = "Filter rows";
      input.setAttribute("aria-label", "Filter rows of " + box.dataset.name);
      input.addEventListener("input", () => { query = input.value; draw(); });
      tools.append(input);
    }
    const save = document.createElement("button");
    save.type = "button";
    save.textContent = "Save as CSV";
    save.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
      link.download = (box.dataset.name || "table").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase() + ".csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    tools.append(save);
    box.querySelector(".bar").append(tools);
    if (limit) {
      more.textContent = "Show all " + all.length.toLocaleString("en") + " rows";
      more.addEventListener("click", () => { open = true; draw(); });
      box.querySelector(".scroll").after(more);
    }
    addEventListener("beforeprint", () => { printing = true; draw(); });
    addEventListener("afterprint", () => { printing = false; draw(); });
    draw();
  };
  document.querySelectorAll(".recon-table").forEach(setUp);
  const openForPrint = () => document.querySelectorAll("details.fold:not([open])").forEach((d) => { d.open = true; d.dataset.shut = "1"; });
  const shutAgain = () => document.querySelectorAll("details.fold[data-shut]").forEach((d) => { d.open = false; delete d.dataset.shut; });
  addEventListener("beforeprint", openForPrint);
  addEventListener("afterprint", shutAgain);
})();
