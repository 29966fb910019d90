// Checks definitions for asl_validators.py: a JSON list of definitions on standard input, and on standard output
// what asl-validator finds in each: [[{"code": ..., "message": ...}, ...], ...].
"use strict";

const ajv = require("ajv");

// The validator compiles its schemas, which are always the same, for every definition: once is enough.
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

const validate = require("asl-validator");

function findings(definition) {
  try {
    return validate(definition).errors.map((error) => ({ code: error["Error code"], message: error.Message }));
  } catch (error) {
    return [{ code: "CRASHED", message: String(error) }]; // it takes any key "States" for the states of a machine
  }
}

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => {
  text += part;
});
process.stdin.on("end", () => {
  process.stdout.write(JSON.stringify(JSON.parse(text).map(findings)));
});
