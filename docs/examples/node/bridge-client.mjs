// Text the Boss over the bridge and print its reply.
//
//   npm ci && node bridge-client.mjs "What can you do?"
//
// SUPERVISOR_URL and SUPERVISOR_TOKEN name another bridge than the one of this machine. Every request has an id: it is sent again
// under that id after a reconnect, and is the same message to the bridge; answers are found by `in_reply_to`.

import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

const PING_MS = 30_000;
const PONG_MS = 10_000;
const ANSWERS = new Set(["send_sms_response", "send_email_response"]);

export class BridgeClient {
  #url;
  #token;
  #name;
  #socket = null;
  #ready = false;
  #ended = null;
  #failures = 0;
  #waiting = new Map(); // id -> { frame, resolve, reject, onAcknowledged }
  #timers = new Set();
  #silence = null;

  constructor(url, token, name = `node-${randomUUID()}`) {
    this.#url = url;
    this.#token = token;
    this.#name = name; // ids belong to it: keep it if you repeat one after a restart
    this.#connect();
  }

  // The final answer to a text; rejects with { code, retryable } for an error of the bridge's.
  sendSms({ from, to, message, user, onAcknowledged, timeoutMs = 60_000 }) {
    return this.#request({ type: "sms_received", id: randomUUID(), from, to, message, user }, timeoutMs, onAcknowledged);
  }

  sendEmail({ from, to, subject, body, user, onAcknowledged, timeoutMs = 60_000, ...thread }) {
    const frame = { type: "email_received", id: randomUUID(), from, to, subject, body, user, ...thread };
    return this.#request(frame, timeoutMs, onAcknowledged);
  }

  close() {
    this.#end(new Error("closed"));
  }

  #request(frame, timeoutMs, onAcknowledged) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(frame.id, "reject", failure("timeout", true)), timeoutMs);
      this.#waiting.set(frame.id, { frame, resolve, reject, onAcknowledged, timer, refusals: 0 });
      this.#send(frame);
    });
  }

  #connect() {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 10_000, maxPayload: 4 << 20 });
    this.#socket = socket;
    socket.on("open", () => socket.send(JSON.stringify({ type: "auth", token: this.#token, protocol: 1, client: this.#name })));
    socket.on("message", (data) => this.#receive(parsed(data)));
    socket.on("error", () => {}); // `close` follows, and says it again
    socket.on("close", (code) => this.#lost(code));
  }

  #send(frame) {
    if (this.#ready) this.#socket.send(JSON.stringify(frame));
  }

  #receive(frame) {
    if (frame.type === "auth_result") return this.#authenticated(frame);
    if (frame.type === "pong") return this.#alive();
    const request = this.#waiting.get(frame.in_reply_to);
    if (!request) return; // an answer that came twice or too late, or something newer than this client
    if (frame.type === "message_acknowledged") request.onAcknowledged?.(frame);
    else if (ANSWERS.has(frame.type)) this.#settle(frame.in_reply_to, "resolve", frame);
    else if (frame.type === "error" && frame.retryable) this.#later(() => this.#again(request), backoff(request.refusals++));
    else if (frame.type === "error") this.#settle(frame.in_reply_to, "reject", failure(frame.code, false));
  }

  #authenticated(frame) {
    if (!frame.success) return this.#end(failure("bridge_refused", false));
    this.#ready = true;
    for (const { frame: unanswered } of this.#waiting.values()) this.#send(unanswered);
    this.#later(() => this.#ping(), PING_MS);
  }

  #ping() {
    this.#send({ type: "ping" });
    this.#silence = this.#later(() => this.#socket.terminate(), PONG_MS); // a missed pong is a broken connection
  }

  #alive() {
    this.#failures = 0; // only now: a bridge that takes us and drops us at once is met with growing waits
    this.#forget(this.#silence);
    this.#later(() => this.#ping(), PING_MS);
  }

  #lost(code) {
    this.#ready = false;
    for (const timer of [...this.#timers]) this.#forget(timer);
    if (this.#ended) return;
    if (code === 1008) return this.#end(failure("bridge_refused", false)); // the same token would be refused again
    this.#later(() => this.#connect(), code === 1012 && this.#failures === 0 ? 0 : backoff(this.#failures));
    this.#failures += 1;
  }

  #again(request) {
    if (this.#waiting.get(request.frame.id) === request) this.#send(request.frame);
  }

  #settle(id, how, value) {
    const request = this.#waiting.get(id);
    if (!request) return;
    this.#waiting.delete(id);
    clearTimeout(request.timer);
    request[how](value);
  }

  #end(reason) {
    this.#ended ??= reason;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, "reject", this.#ended);
    this.#socket.close();
    for (const timer of [...this.#timers]) this.#forget(timer);
  }

  #later(work, ms) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer) {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}

// 1, 2, 4 ... 30 seconds, cut by up to a half at random.
const backoff = (failures) => Math.min(30_000, 1000 * 2 ** Math.min(failures, 16)) * (1 - Math.random() / 2);
const parsed = (data) => {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
};
const failure = (code, retryable) => Object.assign(new Error(code), { code, retryable });

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const url = process.env.SUPERVISOR_URL || `ws://127.0.0.1:${process.env.SUPERVISOR_PORT || 9999}`;
  const client = new BridgeClient(url, process.env.SUPERVISOR_TOKEN || "dev-token-12345");
  try {
    const reply = await client.sendSms({
      from: "+15551234567", // a user of the users file, and that user's Boss
      to: "+15559876543",
      message: process.argv[2] ?? "What can you do?",
      user: "user",
      onAcknowledged: () => console.error("acknowledged"),
    });
    console.log(reply.message);
  } catch (error) {
    console.error(`no answer: ${error.message}`);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}
