// asl-validator as a peer of asl.py: the requests and answers of asl_peers.py, one JSON a line. With the argument
// "once" its schemas, which are always the same, are compiled once; as it is, it does so for every definition.
"use strict";

if (process.argv[2] === "once") {
  const ajv = require("ajv");
  class Compiled extends ajv.default {
    static only;

    constructor(options) {
      super(Compiled.only ? {} : options);
      Compiled.only ??= this;
      return Compiled.only;
    }

    addKeyword(definition) {
      const [first] = [definition.keyword ?? definition].flat();
      return this.getKeyword(first) ? this : super.addKeyword(definition);
    }
  }
  ajv.default = Compiled;
}

const validate = require("asl-validator");
const SHORTEST_PASS = 0.02;

function answer({ definition }) {
  const begun = process.hrtime.bigint();
  for (let done = 1; ; done += 1) {
    const found = validate(definition).errors.map((error) => error.Message);
    const taken = Number(process.hrtime.bigint() - begun) / 1e9;
    if (taken >= SHORTEST_PASS) {
      return { seconds: taken / done, answer: found };
    }
  }
}

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    let told;
    try {
      told = answer(JSON.parse(line));
    } catch (error) {
      told = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(told)}\n`);
  });
