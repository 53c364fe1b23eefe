// The sandbox's page: the phone, the mailbox and the list of requests. Everything shown here is read from the journal, so a reload
// loses nothing.

import { byId, call, make } from "./dom.js";
import { buildFaults, drawFaults } from "./faults.js";

const POLL_SECONDS = 25; // of one long poll
const MAX_SHOWN = 60; // requests in the list
const MAX_ENTRIES = 3000; // kept; a load test writes more than a page needs
const DRAW_MS = 150; // between two drawings

const journal = { entries: new Map(), last: 0, instance: null };
const view = { thread: null, read: new Set() };
let config = null;

// --- the journal -----------------------------------------------------------------------------------------------------

async function follow() {
  let fresh = true;
  for (;;) {
    try {
      const path = fresh
        ? "/sandbox/journal?limit=1000"
        : `/sandbox/journal/wait?since=${journal.last}&count=1&timeout=${POLL_SECONDS}`;
      const answer = await call("GET", path);
      if (journal.instance !== null && answer.instance !== journal.instance) {
        location.reload();
        return;
      }
      journal.instance = answer.instance;
      fresh = false;
      take(answer);
      link("live", `live, webhooks go to ${config.webhook_url}`);
    } catch {
      fresh = true; // another process may answer when it comes back: read anew
      link("lost", "the sandbox does not answer; trying again");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function take(answer) {
  for (const entry of answer.entries) journal.entries.set(entry.seq, entry);
  journal.last = Math.max(answer.last, journal.last);
  for (const seq of [...journal.entries.keys()].slice(0, -MAX_ENTRIES)) journal.entries.delete(seq);
  lookAgainLater();
  drawSoon();
}

let drawing = null;
function drawSoon() {
  drawing ??= setTimeout(() => {
    drawing = null;
    draw();
  }, DRAW_MS);
}

// An entry appears before it is answered: look again at those that are not.
let lookingAgain = null;
function lookAgainLater() {
  const now = Date.now() / 1000;
  const unanswered = [...journal.entries.values()].filter((entry) => entry.status === null && !entry.error && now - entry.at < 120);
  if (lookingAgain !== null || unanswered.length === 0) return;
  lookingAgain = setTimeout(async () => {
    lookingAgain = null;
    try {
      take(await call("GET", `/sandbox/journal?since=${unanswered[0].seq - 1}&limit=1000`));
    } catch { /* follow() reports it */ }
  }, 400);
}

function link(state, words) {
  byId("link").className = `link ${state}`;
  byId("link").lastElementChild.textContent = words;
}

// --- parts of the page -----------------------------------------------------------------------------------------------

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const phone = (number) => number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
const address = (text) => ((text || "").match(/<([^>]+)>/) || [null, text || ""])[1].trim().toLowerCase();
const ofKind = (...kinds) => [...journal.entries.values()].filter((entry) => kinds.includes(entry.kind));

function empty(title, ...words) {
  return make("p", "empty", make("b", "", title), ...words);
}

function inboundState(entry) {
  if (entry.error) return { bad: true, words: `Nothing answers at ${config.webhook_url}. Start it with: make run` };
  if (entry.status === null) return { words: "sending" };
  if (entry.accepted) return { words: "taken by the webhook", done: true };
  return { bad: true, words: `The webhook refused it: ${entry.status}` };
}

function replyState(entry, reports) {
  if (!entry.accepted) return { bad: true, words: `Refused: ${entry.fault || entry.status}` };
  const known = reports.get(entry.sid) || [];
  const failed = known.find((word) => ["undelivered", "failed", "bounce", "dropped"].includes(word));
  if (failed) return { bad: true, words: failed };
  if (known.includes("delivered")) return { done: true, ticks: 2, words: "delivered" };
  const taken = entry.fault ? `sent, but the sender never heard (${entry.fault})` : "sent";
  return { ticks: known.includes("sent") || known.includes("processed") ? 2 : 1, words: taken };
}

function meta(side, at, state) {
  const line = make("p", `meta ${side}${state.bad ? " bad" : ""}`);
  if (state.ticks) {
    const ticks = make("span", `ticks${state.done ? " done" : ""}`, "✓".repeat(state.ticks));
    ticks.setAttribute("aria-hidden", "true");
    line.append(ticks);
  }
  line.append(make("span", "", `${state.words}, ${clock(at)}`));
  return line;
}

// Brings a list up to date and leaves alone what has not changed: a screen reader announces only what is new, the focus
// stays where it is, and a list that was scrolled to its end stays there.
function fill(box, children) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  children.forEach((child, index) => {
    const shown = box.children[index];
    if (shown === undefined) box.append(child);
    else if (shown.outerHTML !== child.outerHTML) shown.replaceWith(child);
  });
  while (box.children.length > children.length) box.lastElementChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

// --- the phone -------------------------------------------------------------------------------------------------------

function texts() {
  const pair = (a, b) => (entry) => entry.request.from === a && entry.request.to === b;
  const { user_phone: user, boss_phone: boss } = config;
  const seen = new Map(); // one bubble for a webhook that came several times
  for (const entry of ofKind("webhook.sms").filter(pair(user, boss))) {
    const before = seen.get(entry.sid);
    seen.set(entry.sid, before && before.accepted ? before : { ...entry, at: before ? before.at : entry.at, copies: (before?.copies || 0) + 1 });
  }
  const replies = ofKind("twilio.create").filter((entry) => entry.request.to === user);
  const notes = ofKind("twilio.confirmation").filter((entry) => entry.request.to === user);
  return [...seen.values(), ...replies, ...notes].sort((a, b) => a.at - b.at || a.seq - b.seq);
}

function drawPhone() {
  const reports = new Map();
  for (const entry of ofKind("webhook.status")) {
    reports.set(entry.sid, [...(reports.get(entry.sid) || []), entry.request.message_status]);
  }
  const all = texts();
  const nodes = all.flatMap((entry) => bubble(entry, reports));
  if (nodes.length === 0) {
    nodes.push(empty("No texts yet", "Type one below, such as \u201cwhat can you do?\u201d. It is signed as Twilio signs, and posted to ", make("code", "", `${config.webhook_url}/sms/inbound`)));
  } else if (isThinking(all)) {
    const dots = make("p", "thinking", make("i"), make("i"), make("i"));
    dots.setAttribute("aria-label", "The Boss is thinking");
    nodes.push(dots);
  }
  fill(byId("talk"), nodes);
}

function bubble(entry, reports) {
  if (entry.kind === "twilio.confirmation") return [make("p", "note", `Twilio's own confirmation: ${entry.request.body}`)];
  if (entry.kind === "webhook.sms") {
    const state = inboundState(entry);
    return [make("p", `bubble mine${state.bad ? " bad" : ""}`, entry.request.body || "(empty)"), meta("mine", entry.at, state)];
  }
  const state = replyState(entry, reports);
  if (!entry.accepted) return [make("p", "note bad", `A reply did not get through (${entry.fault || entry.status}), ${clock(entry.at)}`)];
  return [make("p", "bubble theirs", entry.request.body || "(no text)"), meta("theirs", entry.at, state)];
}

function isThinking(all) {
  const lastSaid = all.filter((entry) => entry.kind !== "twilio.create" || entry.accepted).at(-1);
  return lastSaid?.kind === "webhook.sms" && lastSaid.accepted && Date.now() / 1000 - lastSaid.at < 120;
}

// --- the mailbox -----------------------------------------------------------------------------------------------------

function header(entry, name) {
  const found = Object.entries(entry.request.headers || {}).find(([key]) => key.toLowerCase() === name);
  return found ? String(found[1]) : "";
}

function mails() {
  const { user_email: user, boss_email: boss } = config;
  const between = (from, to) => (entry) => address(entry.request.from) === from && address(entry.request.to) === to;
  const seen = new Map();
  for (const entry of ofKind("webhook.email").filter(between(user, boss))) {
    const before = seen.get(entry.sid);
    if (!before || !before.accepted) seen.set(entry.sid, entry);
  }
  const replies = ofKind("sendgrid.send").filter((entry) => address(entry.request.to) === user);
  return [...seen.values(), ...replies].sort((a, b) => a.seq - b.seq).map((entry) => {
    const mine = entry.kind === "webhook.email";
    const parent = mine ? entry.request.in_reply_to || "" : header(entry, "in-reply-to");
    const references = mine ? entry.request.references || "" : header(entry, "references");
    return { entry, mine, id: entry.request.message_id || `#${entry.seq}`, parent, references };
  });
}

function threads() {
  const found = new Map();
  const rootOf = new Map();
  for (const mail of mails()) {
    const ancestors = [...mail.references.split(/\s+/), mail.parent].filter(Boolean);
    const known = ancestors.find((id) => rootOf.has(id));
    const root = known ? rootOf.get(known) : mail.id;
    rootOf.set(mail.id, root);
    if (!found.has(root)) found.set(root, { root, mails: [] });
    found.get(root).mails.push(mail);
  }
  return [...found.values()].sort((a, b) => b.mails.at(-1).entry.seq - a.mails.at(-1).entry.seq);
}

function drawMailbox() {
  const all = threads();
  const reports = new Map();
  for (const entry of ofKind("webhook.events")) {
    reports.set(entry.sid, [...(reports.get(entry.sid) || []), ...entry.request.events.map((event) => event.event)]);
  }
  const current = all.find((thread) => thread.root === view.thread);
  if (current) for (const mail of current.mails) view.read.add(mail.entry.seq);
  fill(byId("threads"), all.length ? all.map(threadButton) : [empty("No threads", "Your first mail starts one.")]);
  fill(byId("thread"), current ? current.mails.map((mail) => mailView(mail, reports)) : [
    empty("A new mail", "Write below; the Boss's answer appears here. As SendGrid would, the sandbox posts it to ", make("code", "", `${config.webhook_url}/email/inbound`)),
  ]);
  byId("mail-answers").hidden = !current;
  byId("mail-answers").textContent = current ? `Answering in "${subjectOf(current)}"` : "";
  byId("mail-subject").hidden = Boolean(current);
}

const subjectOf = (thread) => thread.mails[0].entry.request.subject || "(no subject)";

function threadButton(thread) {
  const newest = thread.mails.at(-1);
  const unread = thread.mails.some((mail) => !mail.mine && !view.read.has(mail.entry.seq));
  const words = `${newest.mine ? "You" : "Boss"}: ${newest.entry.request.text || "(no text)"}`;
  const button = make("button", unread ? "unread" : "", make("b", "", subjectOf(thread)), make("span", "", words));
  button.type = "button";
  button.dataset.root = thread.root;
  if (thread.root === view.thread) button.setAttribute("aria-current", "true");
  return button;
}

function mailView(mail, reports) {
  const { entry, mine } = mail;
  const state = mine ? inboundState(entry) : replyState(entry, reports);
  const sender = entry.request.from_name ? `${entry.request.from_name} <${entry.request.from}>` : entry.request.from;
  const rows = { From: sender, To: entry.request.to, Subject: entry.request.subject, "Message-ID": mail.id,
    "In-Reply-To": mail.parent, References: mail.references, "Auto-Submitted": header(entry, "auto-submitted") };
  const list = make("dl", "");
  for (const [name, value] of Object.entries(rows)) if (value) list.append(make("dt", "", name), make("dd", "", value));
  const fold = make("details", "", make("summary", "", "Headers"), list);
  fold.dataset.seq = entry.seq;
  fold.open = document.querySelector(`details[data-seq="${entry.seq}"]`)?.open || false;
  return make("article", `mail ${mine ? "mine" : "theirs"}${state.bad ? " bad" : ""}`,
    make("header", "", make("b", "", mine ? "You" : "Boss"), make("time", "", clock(entry.at))),
    make("p", "quiet", entry.request.subject || "(no subject)"),
    make("p", "words", entry.request.text || entry.request.html || "(no text)"), ...htmlPart(entry, mine), meta("", entry.at, state), fold);
}

// The HTML part of an answer, as a mail program shows it. In a frame without rights, which can load nothing.
function htmlPart(entry, mine) {
  if (mine || !entry.request.html) return [];
  const frame = make("iframe", "part");
  frame.setAttribute("sandbox", "");
  frame.title = "HTML part";
  frame.srcdoc = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><meta name="color-scheme" content="light dark">${entry.request.html}`;
  const fold = make("details", "", make("summary", "", "HTML part"), frame);
  fold.dataset.seq = `html-${entry.seq}`;
  fold.open = document.querySelector(`details[data-seq="html-${entry.seq}"]`)?.open || false;
  return [fold];
}

// --- the requests ----------------------------------------------------------------------------------------------------

function drawWire() {
  const newest = [...journal.entries.values()].sort((a, b) => b.seq - a.seq).slice(0, MAX_SHOWN);
  const lines = newest.map((entry) => {
    const good = entry.status !== null && entry.status < 400;
    const words = entry.error ? "unreachable" : entry.status ?? (entry.fault || "...");
    const calls = (entry.answer?.content || []).filter((block) => block.type === "tool_use").map((block) => block.name);
    const what = calls.length ? `${entry.kind}: ${calls.join(", ")}` : entry.kind;
    const line = make("li", "", make("time", "", clock(entry.at)), make("span", "what", what),
      make("span", entry.fault ? "fault" : good ? "ok" : words === "..." ? "quiet" : "ko", entry.fault ? `${words} ${entry.fault === String(words) ? "(fault)" : entry.fault}` : String(words)));
    line.title = entry.error || JSON.stringify(entry.request).slice(0, 400);
    return line;
  });
  byId("wire").replaceChildren(...(lines.length ? lines : [make("li", "empty", "Nothing yet. Every request to a provider and every webhook is listed here.")]));
  byId("wire-count").textContent = journal.last ? `${journal.last} so far` : "";
}

function draw() {
  if (config === null) return;
  drawPhone();
  drawMailbox();
  drawWire();
}

// --- forms and buttons -----------------------------------------------------------------------------------------------

byId("text-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = byId("text-body").value.trim();
  if (!body) return;
  byId("text-body").value = "";
  await call("POST", "/sandbox/sms", { body }).catch(() => link("lost", "the sandbox does not answer"));
});

byId("mail-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("mail-text").value.trim();
  const current = threads().find((thread) => thread.root === view.thread);
  const subject = current ? `Re: ${subjectOf(current).replace(/^Re: /i, "")}` : byId("mail-subject").value.trim();
  if (!text && !subject) return;
  const id = `<${crypto.randomUUID()}@sandbox.invalid>`;
  const mail = { subject, text, message_id: id };
  if (current) {
    mail.in_reply_to = current.mails.at(-1).id;
    mail.references = current.mails.map((each) => each.id).join(" ");
  } else {
    view.thread = id;
  }
  byId("mail-text").value = byId("mail-subject").value = "";
  await call("POST", "/sandbox/email", mail).catch(() => link("lost", "the sandbox does not answer"));
});

for (const [field, form] of [["text-body", "text-form"], ["mail-text", "mail-form"]]) {
  byId(field).addEventListener("keydown", (event) => {
    const sends = field === "text-body" ? !event.shiftKey : event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && sends && !event.isComposing) {
      event.preventDefault();
      byId(form).requestSubmit();
    }
  });
}

byId("threads").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  view.thread = button.dataset.root;
  draw();
  byId("threads").querySelector('[aria-current="true"]')?.focus();
});

byId("new-mail").addEventListener("click", () => {
  view.thread = null;
  draw();
  byId("mail-subject").focus();
});

const isReal = (name) => config.real.some((words) => words.startsWith(`${name} is `));

async function begin() {
  for (;;) {
    try {
      config = await call("GET", "/sandbox/config");
      break;
    } catch {
      link("lost", "the sandbox does not answer; trying again");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
  byId("promise").lastElementChild.textContent = config.real.length ? config.real.join(". ") : "Sandbox: nothing leaves this machine";
  byId("promise").classList.toggle("real", config.real.length > 0);
  byId("promise").hidden = false;
  for (const [name, form, words] of [["Twilio", "text-form", "text the Boss from a real one"], ["SendGrid", "mail-form", "write from a real one"]]) {
    if (isReal(name)) byId(form).replaceChildren(empty(`${name} is real`, `This page is nobody's: ${words}.`));
  }
  byId("phone-peer").textContent = phone(config.boss_phone);
  byId("user-phone").textContent = phone(config.user_phone);
  byId("mail-peer").textContent = `${config.user_email} to ${config.boss_email}`;
  buildFaults(isReal);
  await drawFaults();
  setInterval(() => drawFaults().catch(() => {}), 3000);
  setInterval(draw, 15000);
  await follow();
}

begin();
