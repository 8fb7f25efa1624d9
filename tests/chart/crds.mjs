// Checks custom resources against their schemas.
//
//   node tests/chart/crds.mjs SCHEMAS < objects.json
//
// SCHEMAS is the directory of `tests/chart/fetch schemas`, the input a list of objects. Prints one
// line for each that is not valid, holds a key that no such object has, or has no schema.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.argv[2]}/package.json`));
const modules = `${process.argv[2]}/node_modules/@kubernetes-models`;
const load = (path) => import(pathToFileURL(`${modules}/${path}`));
const monitoring = "prometheus-operator/monitoring.coreos.com/v1";
const kinds = {
  "keda.sh/v1alpha1 ScaledObject": () =>
    require("@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject").ScaledObject,
  "monitoring.coreos.com/v1 ServiceMonitor": async () =>
    (await load(`${monitoring}/ServiceMonitor.js`)).ServiceMonitor,
  "monitoring.coreos.com/v1 PrometheusRule": async () =>
    (await load(`${monitoring}/PrometheusRule.js`)).PrometheusRule,
};

// The schemas let unknown keys pass. Names of all keys are in the declarations of the types.
const declarations = {
  "keda.sh/v1alpha1": `${modules}/keda/keda.sh/v1alpha1`,
  "monitoring.coreos.com/v1": `${modules}/${monitoring}`,
};
const known = {};
for (const [version, folder] of Object.entries(declarations)) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".d.ts"));
  const text = files.map((name) => readFileSync(`${folder}/${name}`, "utf8")).join("\n");
  known[version] = new Set([...text.matchAll(/"?(\w+)"?\??:/g)].map((match) => match[1]));
}
// Below these any name may stand.
const free = new Set(["metadata", "labels", "annotations", "matchLabels"]);

function* unknown(value, names) {
  if (Array.isArray(value)) for (const element of value) yield* unknown(element, names);
  if (value === null || typeof value !== "object" || Array.isArray(value)) return;
  for (const [key, below] of Object.entries(value)) {
    if (!names.has(key) && !free.has(key)) yield key;
    if (!free.has(key)) yield* unknown(below, names);
  }
}

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${object.apiVersion} ${object.kind}`;
  if (!kinds[name]) {
    console.log(`${name}: no schema is known`);
    continue;
  }
  try {
    const Kind = await kinds[name]();
    new Kind(object).validate();
    const keys = [...unknown(object, known[object.apiVersion])];
    if (keys.length > 0) throw new Error(`unknown keys: ${keys.join(", ")}`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
