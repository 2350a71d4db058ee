// A queue of decisions as one table: all text by textContent, every click sent to the kernel, which decides and answers.
const COLUMN_OF_STATE = "Decision";

function make(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function drawRow(model, index) {
  const row = model.get("rows")[index];
  const line = make("tr");
  row.cells.forEach((cell) => line.append(make("td", cell.text, { class: cell.number ? "num" : "" })));
  const box = make("td", undefined, { class: "acts" });
  const send = (action, target, reason) => model.send({ index, action, target, reason });
  if (row.state) {
    box.append(make("span", row.state, { class: "done" }));
    const undo = make("button", "Undo", { type: "button" });
    undo.addEventListener("click", () => send("undo", "", ""));
    box.append(undo);
  } else {
    const target = make("select", undefined, { "aria-label": "Decide for" });
    const choices = model.get("choices");
    if (row.target && !choices.some(([id]) => id === row.target)) target.append(make("option", row.target_name, { value: row.target }));
    if (!row.target) target.append(make("option", "choose …", { value: "" }));
    for (const [id, name] of choices) target.append(make("option", name, { value: id }));
    target.value = row.target;
    const reason = make("input", undefined, { type: "text", placeholder: "reason", "aria-label": "Reason" });
    if (model.get("with_target")) box.append(target);
    box.append(reason);
    for (const { name, label, needs_reason, needs_target } of model.get("actions")) {
      const button = make("button", label, { type: "button" });
      button.addEventListener("click", () => {
        if (needs_reason && !reason.value.trim()) return void reason.focus();
        if (needs_target && !target.value) return void target.focus();
        send(name, needs_target ? target.value : "", reason.value.trim());
      });
      box.append(button);
    }
  }
  if (row.error) box.append(make("p", row.error, { class: "error", role: "alert" }));
  line.append(box);
  return line;
}

function render({ model, el }) {
  const root = make("div", undefined, { class: "recon-queue" });
  const draw = () => {
    const table = make("table");
    const head = make("tr");
    [...model.get("columns"), COLUMN_OF_STATE].forEach((text) => head.append(make("th", text, { scope: "col" })));
    const body = make("tbody");
    model.get("rows").forEach((_, index) => body.append(drawRow(model, index)));
    const top = make("thead");
    top.append(head);
    table.append(top, body);
    const rows = model.get("rows");
    const open = rows.filter((row) => !row.state).length;
    root.replaceChildren(make("p", `${open} of ${rows.length} rows wait for a decision`, { role: "status" }), table);
  };
  model.on("change:rows", draw);
  draw();
  el.append(root);
  return () => model.off("change:rows", draw);
}

export default { render };
