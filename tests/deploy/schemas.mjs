// Validates Kubernetes objects (a JSON list on standard input) against the schemas of their kinds; prints a JSON list with the
// problems of each. What a schema does not know is a problem too: the API server would drop it without a word, and so do the
// validators. So they are given an object that notes which of its fields they ask for; those that they leave are unknown.
//   node schemas.mjs MODULES [PACKAGE]     PACKAGE: of Kubernetes' own kinds; kubernetes-models unless it is an older one
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const packages = [process.argv[3] ?? "kubernetes-models", "@kubernetes-models/cert-manager", "@kubernetes-models/prometheus-operator"];
const folders = packages.map((name) => path.join(modules, name, "_schemas"));

// Older packages have schemas with names in the place of functions.
async function validatorIn(file) {
  const found = await import(pathToFileURL(file));
  if (found.validate) return found.validate;
  const require = createRequire(file);
  const { validate } = require("@kubernetes-models/validate");
  require(file).addSchema();
  const name = fs.readFileSync(file, "utf8").match(/register\)\("([^"]+)"/)[1];
  return function judge(data) {
    try {
      validate(name, data);
      return true;
    } catch (error) {
      judge.errors = error.errors;
      return false;
    }
  };
}

async function validatorOf({ apiVersion, kind }) {
  const [version, group] = apiVersion.split("/").reverse();
  const ending = `${(group ?? "core").split(".")[0].replaceAll("-", "")}${version}${kind}.js`.toLowerCase();
  for (const folder of folders) {
    const file = fs.readdirSync(folder).find((name) => name.toLowerCase().endsWith(ending));
    if (file) return validatorIn(path.join(folder, file));
  }
  throw new Error(`no schema for ${apiVersion} ${kind}`);
}

// A stand-in for `data`; `seen` gets, for each object, the fields that were asked for, or "all" where it was listed as a map.
function watched(data, seen) {
  if (data === null || typeof data !== "object") return data;
  const note = { data, asked: new Set(), all: false, children: new Map() };
  seen.push(note);
  return new Proxy(data, {
    get(target, key) {
      note.asked.add(key);
      if (!note.children.has(key)) note.children.set(key, watched(target[key], seen));
      return note.children.get(key);
    },
    ownKeys(target) {
      note.all = true;
      return Reflect.ownKeys(target);
    },
  });
}

function unknownFields(seen) {
  // A schema that asks an object for nothing takes anything there, as with free-form values.
  return seen
    .filter((note) => !Array.isArray(note.data) && !note.all && note.asked.size > 0)
    .flatMap((note) => Object.keys(note.data).filter((key) => !note.asked.has(key)))
    .map((key) => `unknown field ${key}`);
}

async function problemsOf(object) {
  const validate = await validatorOf(object);
  const seen = [];
  const good = validate(watched(object, seen));
  const wrong = good ? [] : validate.errors.map((error) => `${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`);
  return wrong.concat(unknownFields(seen));
}

const objects = JSON.parse(fs.readFileSync(0, "utf8"));
const all = [];
for (const object of objects) all.push(await problemsOf(object));
process.stdout.write(JSON.stringify(all));
