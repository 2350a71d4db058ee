// A queue of decisions as one table: all text by textContent, every click sent to the kernel, which decides and answers.

function make(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function button(text, click, attributes = {}) {
  const node = make("button", text, { type: "button", ...attributes });
  node.addEventListener("click", click);
  return node;
}

function field(label, control) {
  const box = make("label");
  box.append(make("span", label), control);
  return box;
}

function drawCell(cell, heading) {
  const box = make("td", undefined, { class: cell.number ? "num" : "", "data-label": heading });
  box.append(make("span", cell.text, { class: "main" }));
  if (cell.sub) box.append(make("span", cell.sub, { class: "sub" }));
  return box;
}

// A control that is filled in again when its row is drawn anew: what could not be recorded is not typed twice.
function remembered(control, draft, name, first = "") {
  control.value = draft[name] ?? first;
  for (const event of ["input", "change"]) control.addEventListener(event, () => (draft[name] = control.value));
}

// What a row opens to: another client or service, and what needs a reason. Built only when opened: a long list of clients a row is slow.
function drawPanel(model, row, send, draft) {
  const panel = make("div", undefined, { class: "panel" });
  const reason = make("input", undefined, { type: "text", maxlength: "500" });
  remembered(reason, draft, "reason");
  const choices = model.get("choices");
  if (choices.length) {
    const target = make("select");
    target.append(make("option", "choose …", { value: "" }));
    for (const [id, name] of choices) target.append(make("option", name, { value: id }));
    remembered(target, draft, "target");
    const map = button("Map", () => (target.value ? send("accept", target.value, reason.value) : target.focus()));
    const line = make("div", undefined, { class: "line" });
    line.append(field(model.get("choose"), target), map);
    panel.append(line);
  }
  const line = make("div", undefined, { class: "line" });
  line.append(field("Reason", reason));
  const until = make("input", undefined, { type: "date" });
  remembered(until, draft, "until", model.get("until"));
  if (model.get("until")) line.append(field("Look again on", until));
  for (const { name, label, target } of row.actions.filter((action) => action.needs_reason)) {
    line.append(button(label, () => (reason.value.trim() ? send(name, target, reason.value, until.value) : reason.focus())));
  }
  panel.append(line);
  return panel;
}

function drawActions(model, row, index, opened, redraw, send) {
  const box = make("td", undefined, { class: "acts" });
  const line = make("div", undefined, { class: "buttons", role: "group", "aria-label": row.name });
  if (row.state) {
    line.append(make("span", row.state, { class: "done" }), button("Undo", () => send("undo", "", "")));
  } else if (!model.get("locked")) {
    const quick = row.actions.filter((action) => !action.needs_reason);
    quick.forEach(({ name, label, target }, place) => {
      line.append(button(label, () => send(name, target, ""), place || row.is_doubtful ? {} : { class: "first" }));
    });
    const toggle = () => (opened.has(index) ? opened.delete(index) : opened.set(index, {}), redraw(index, ".more"));
    line.append(button(model.get("more"), toggle, { class: "more", "aria-expanded": String(opened.has(index)) }));
  }
  box.append(line);
  if (row.error) box.append(make("p", row.error, { class: "error", role: "alert" }));
  return box;
}

function drawRow(model, index, opened, redraw) {
  const row = model.get("rows")[index];
  const body = make("tbody", undefined, { class: row.state ? "decided" : "" });
  const send = (action, target, reason, until = "") => model.send({ index, action, target, reason: (reason || "").trim(), until });
  const line = body.insertRow();
  const headings = model.get("columns");
  row.cells.forEach((cell, place) => line.append(drawCell(cell, headings[place])));
  for (const tag of row.tags) line.cells[0].append(make("span", tag, { class: "tag" }));
  line.append(drawActions(model, row, index, opened, redraw, send));
  if (!row.state && opened.has(index)) {
    const below = make("td", undefined, { colspan: headings.length + 1, class: "below" });
    below.append(drawPanel(model, row, send, opened.get(index)));
    body.insertRow().append(below);
  }
  return body;
}

function drawPreview(model) {
  const preview = model.get("preview");
  const box = make("div", undefined, { class: "preview", role: "status" });
  if (preview.error) box.append(make("p", preview.error, { class: "error" }));
  if (preview.done) box.append(make("p", preview.done, { class: "done" }));
  if (!preview.title) return box;
  box.append(make("p", preview.title, { class: "title" }));
  if (preview.count) {
    const table = make("table");
    const head = table.createTHead().insertRow();
    preview.columns.forEach((text) => head.append(make("th", text, { scope: "col" })));
    const body = table.createTBody();
    for (const cells of preview.rows) {
      const line = body.insertRow();
      cells.forEach((text, place) => line.append(make("td", text, { "data-label": preview.columns[place] })));
    }
    const scroll = make("div", undefined, { class: "scroll", tabindex: "0", role: "region", "aria-label": "What would be accepted" });
    scroll.append(table);
    box.append(scroll);
  }
  if (preview.left_out) box.append(make("p", preview.left_out, { class: "sub" }));
  const line = make("div", undefined, { class: "buttons" });
  if (preview.count) {
    const label = preview.count === 1 ? "Record this decision" : `Record these ${preview.count} decisions`;
    line.append(button(label, () => model.send({ bulk: "record" }), { class: "first" }));
  }
  line.append(button("Close", () => model.send({ bulk: "close" })));
  box.append(line);
  return box;
}

function drawBulk(model) {
  const form = make("form", undefined, { class: "bulk" });
  const input = make("input", model.get("threshold"), { type: "text", size: "5", inputmode: "decimal" });
  input.value = model.get("threshold");
  form.append(field("Accept all suggestions with p at least", input), make("button", "Preview", { type: "submit" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    model.send({ bulk: "preview", threshold: input.value });
  });
  return form;
}

function render({ model, el }) {
  const root = make("div", undefined, { class: "recon-queue" });
  const status = make("p", undefined, { role: "status", class: "count" });
  const preview = make("div");
  const opened = new Map(); // row -> what was typed into it
  const drawn = [];
  const count = () => {
    const rows = model.get("rows");
    status.textContent = `${rows.filter((row) => !row.state).length} of ${rows.length} rows wait for a decision`;
  };
  const redraw = (index, focus) => {
    const [now, before] = [drawRow(model, index, opened, redraw), table.tBodies[index]];
    const held = before.contains(document.activeElement);
    before.replaceWith(now);
    if (held || focus) now.querySelector(focus || "button")?.focus();
  };
  const update = () => {
    model.get("rows").forEach((row, index) => {
      const text = JSON.stringify(row);
      if (drawn[index] === text) return;
      drawn[index] = text;
      if (row.state) opened.delete(index);
      redraw(index);
    });
    count();
  };
  const show = () => preview.replaceChildren(drawPreview(model));
  const table = make("table", undefined, { class: "rows" });
  const head = make("tr");
  const numbers = (model.get("rows")[0]?.cells || []).map((cell) => cell.number);
  [...model.get("columns"), "Decision"].forEach((text, place) => head.append(make("th", text, { scope: "col", class: numbers[place] ? "num" : "" })));
  table.createTHead().append(head);
  model.get("rows").forEach((row, index) => {
    drawn.push(JSON.stringify(row));
    table.append(drawRow(model, index, opened, redraw));
  });
  count();
  if (model.get("locked")) root.append(make("p", model.get("locked"), { class: "locked", role: "note" }));
  else if (model.get("threshold") && model.get("rows").length) root.append(drawBulk(model));
  root.append(preview, status);
  if (model.get("rows").length) root.append(table);
  show();
  model.on("change:rows", update);
  model.on("change:preview", show);
  el.append(root);
  return () => {
    model.off("change:rows", update);
    model.off("change:preview", show);
  };
}

export default { render };
