// Evaluates JSONata for jsonata_engine.py: one request a line on standard input, one reply a line on standard
// output. A request is {"cases": [[expression, bindings], ...], "now": milliseconds or null, "measure": boolean}
// and its reply lists an outcome for each case: {"value": ...}, {} for undefined, or {"error": {...}}.
"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");
const crypto = require("node:crypto");
const { performance } = require("node:perf_hooks");
const readline = require("node:readline");
const jsonata = require("jsonata");

const ENTRY = Symbol.for("jsonata.__evaluate_entry");
const EXIT = Symbol.for("jsonata.__evaluate_exit");
const KEPT = 5000; // compiled expressions
const HASHES = { MD5: "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };
const RealDate = Date;

const compiled = new Map();

// The functions that AWS adds, with their signatures. Those that take integers round down.
const AWS = [
  ["partition", partition, "<an:a>"],
  ["range", range, "<nnn:a>"],
  ["hash", hash, "<ss:s>"],
  ["random", random, "<n?:n>"],
  ["uuid", () => crypto.randomUUID(), "<:s>"],
  ["parse", (text) => (text === undefined ? undefined : JSON.parse(text)), "<s:x>"],
];

function partition(values, size) {
  if (values === undefined || size === undefined) return undefined;
  const whole = Math.floor(size);
  if (whole < 1) throw new Error("$partition: the size must be a positive integer");
  const parts = [];
  for (let start = 0; start < values.length; start += whole) parts.push(values.slice(start, start + whole));
  return parts;
}

function range(first, last, step) {
  if (first === undefined || last === undefined || step === undefined) return undefined;
  const [from, to, by] = [first, last, step].map(Math.floor);
  if (by === 0) throw new Error("$range: the step must not be 0");
  const values = [];
  for (let value = from; by > 0 ? value <= to : value >= to; value += by) values.push(value);
  return values;
}

function hash(text, algorithm) {
  if (text === undefined || algorithm === undefined) return undefined;
  if (!Object.hasOwn(HASHES, algorithm)) throw new Error(`$hash: ${algorithm} is not an algorithm`);
  return crypto.createHash(HASHES[algorithm]).update(text, "utf8").digest("hex");
}

// With a seed, what java.util.Random gives first as a double.
function random(seed) {
  if (seed === undefined) return Math.random();
  const mask = (1n << 48n) - 1n;
  let state = (BigInt(Math.floor(seed)) ^ 0x5deece66dn) & mask;
  const next = (bits) => {
    state = (state * 0x5deece66dn + 0xbn) & mask;
    return Number(state >> BigInt(48 - bits));
  };
  return (next(26) * 2 ** 27 + next(27)) / 2 ** 53;
}

function compile(text) {
  let expression = compiled.get(text);
  if (expression === undefined) {
    expression = jsonata(text);
    for (const [name, implementation, signature] of AWS) {
      expression.registerFunction(name, implementation, signature);
    }
    expression.assign("eval", undefined); // AWS does not bind it
    if (compiled.size >= KEPT) compiled.clear();
    compiled.set(text, expression);
  }
  return expression;
}

// The engine asks for the time once, before it first waits: $now, $millis and dates without a year follow it.
function start(expression, bindings, now) {
  if (now === null) return expression.evaluate({}, bindings);
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length ? given : [now]));
    }
  };
  try {
    return expression.evaluate({}, bindings);
  } finally {
    globalThis.Date = RealDate;
  }
}

// The deepest nesting of evaluations, and the most that are open at once. The engine evaluates the members of an array or object side by side, where
// a plain counter would add them up; so each evaluation knows the one it belongs to. What is inherited may be a
// sibling, as the context outlives the call that set it: one that has ended or has not yet begun is no parent.
async function depthOf(expression, bindings, now) {
  const storage = new AsyncLocalStorage();
  const innermost = () => {
    let node = storage.getStore();
    while (node !== undefined && !node.open) node = node.parent;
    return node;
  };
  let deepest = 0;
  let open = 0;
  let most = 0;
  expression.assign(ENTRY, () => {
    most = Math.max(most, ++open);
    const parent = innermost();
    const node = { parent, depth: (parent?.depth ?? 0) + 1, open: false };
    deepest = Math.max(deepest, node.depth);
    storage.enterWith(node);
    return Promise.resolve().then(() => {
      node.open = true;
    });
  });
  expression.assign(EXIT, () => {
    open--;
    innermost().open = false;
  });
  try {
    await storage.run(undefined, () => start(expression, bindings, now));
  } finally {
    expression.assign(ENTRY, undefined);
    expression.assign(EXIT, undefined);
    storage.disable(); // or every later evaluation of this process would carry it along
  }
  return { depth: deepest, at_once: most };
}

async function outcome([text, bindings], { now, measure }) {
  try {
    const expression = compile(text);
    const began = performance.now();
    const value = await start(expression, bindings, now);
    const milliseconds = performance.now() - began;
    if (typeof value === "function" || value?._jsonata_function || value?._jsonata_lambda) {
      throw new Error("the result is a function");
    }
    const measured = measure ? { ...(await depthOf(expression, bindings, now)), milliseconds } : {};
    return { value, ...measured };
  } catch (error) {
    const { code = "", message = String(error), position = null } = error;
    return { error: { code, message, position } };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const request = JSON.parse(line);
    const reply = [];
    for (const each of request.cases) reply.push(await outcome(each, request));
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
}

main();
