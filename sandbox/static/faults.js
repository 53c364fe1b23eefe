// The panel of faults: a control for each setting that is often used, and the faults that have not been used up.

import { byId, call, make } from "./dom.js";

let faults = null;

const FAULTS = [["", "arm a fault"], ["429", "429 too many"], ["503", "503 unavailable"], ["500", "500 error"], ["401", "401 refused"],
  ["reset_before", "reset before"], ["reset_after_accept", "reset after accept"], ["hang", "never answers"], ["broken_json", "broken answer"]];
const NUMBER = { type: "number", min: "0", step: "0.5" };
const PANEL = [
  ["Claude", [
    ["anthropic", "latency_seconds", "Thinks for (s)", NUMBER],
    ["anthropic", "length", "Answer", [["", "echo"], ["300", "300 characters"], ["2500", "2500 characters"]]],
    ["anthropic", "stop_reason", "Ends with", [["", "end_turn"], ["refusal", "refusal"], ["max_tokens", "max_tokens"], ["pause_turn", "pause_turn"]]],
    ["anthropic", "obey", "Does what it is told", { type: "checkbox" }],
    ["anthropic", "fail", "Next call", [...FAULTS, ["529", "529 overloaded"]]],
  ]],
  ["Twilio", [
    ["twilio", "final_status", "Texts end as", [["delivered", "delivered"], ["undelivered", "undelivered"], ["failed", "failed"]]],
    ["twilio", "fail", "Next text", FAULTS],
  ]],
  ["SendGrid", [["sendgrid", "fail", "Next mail", FAULTS]]],
  ["Your messages", [
    ["inbound", "copies", "Delivered (times)", { type: "number", min: "1", step: "1" }],
    ["inbound", "bad_signature", "Wrong signature", { type: "checkbox" }],
  ]],
];

// Builds the controls. A real provider has none: no fault can be injected there.
export function buildFaults(isReal) {
  const played = PANEL.filter(([title]) => !isReal(title));
  byId("faults").replaceChildren(...played.flatMap(([title, rows]) => [
    make("p", "faults-group", title), ...rows.map((row) => control(...row)),
  ]));
}

function control(section, field, words, kind) {
  const input = Array.isArray(kind) ? make("select") : Object.assign(make("input"), kind);
  if (Array.isArray(kind)) for (const [value, text] of kind) input.append(new Option(text, value));
  input.dataset.section = section;
  input.dataset.field = field;
  input.addEventListener("change", () => change(input));
  return make("label", "fault-setting", make("span", "", words), input);
}

async function change(control) {
  const { section, field } = control.dataset;
  const numeric = control.type === "number" || field === "length";
  let value = control.type === "checkbox" ? control.checked : control.value;
  if (field === "fail") value = control.value ? [...faults[section].fail, control.value] : [];
  else if (numeric) value = control.value === "" ? (field === "length" ? null : 0) : Number(control.value);
  else if (control.value === "") value = null;
  await call("POST", "/sandbox/faults", { [section]: { [field]: value } });
  await drawFaults();
}

export async function drawFaults() {
  faults = await call("GET", "/sandbox/faults");
  for (const control of byId("faults").querySelectorAll("input, select")) {
    const value = faults[control.dataset.section][control.dataset.field];
    if (control === document.activeElement && control.type === "number") continue;
    if (control.type === "checkbox") control.checked = value;
    else control.value = control.dataset.field === "fail" ? "" : value ?? "";
  }
  const armed = ["anthropic", "twilio", "sendgrid"].flatMap((name) => faults[name].fail.map((fault) => {
    const times = fault.times === null ? "always" : fault.times > 1 ? `x${fault.times}` : "once";
    return make("li", "", `${name} ${fault.fault} ${times}`);
  }));
  byId("armed").replaceChildren(...armed);
}

byId("faults-reset").addEventListener("click", async () => {
  await call("DELETE", "/sandbox/faults");
  await drawFaults();
});
