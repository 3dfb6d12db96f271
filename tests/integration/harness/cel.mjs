// Evaluates CEL for k8s_cel.py: a line of JSON for each question on standard input, a line for each answer.
// {"expression", "variables"} -> {"value"} or {"error"}; without variables it is only parsed.
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const entry = path.join(process.argv[2], "@marcbachmann/cel-js/lib/index.js");
const { Environment } = await import(pathToFileURL(entry));
const environment = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true });
const parsed = new Map();

function parse(expression) {
  if (!parsed.has(expression)) parsed.set(expression, environment.parse(expression));
  return parsed.get(expression);
}

// JSON has one kind of number, CEL has two: whole ones are int.
function typed(value) {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(typed);
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, typed(each)]));
  return value;
}

function answer({ expression, variables }) {
  try {
    const program = parse(expression);
    if (variables !== undefined) return { value: program(typed(variables)) };
    const { valid, error } = program.check();
    if (!valid) throw error;
    return { value: null };
  } catch (error) {
    return { error: String(error.message).split("\n")[0] };
  }
}

const plain = (key, value) => (typeof value === "bigint" ? Number(value) : value);
for await (const line of readline.createInterface({ input: process.stdin }))
  process.stdout.write(JSON.stringify(answer(JSON.parse(line)), plain) + "\n");
