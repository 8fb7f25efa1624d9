// Checks custom resources against their schemas.
//
//   node tests/chart/crds.mjs SCHEMAS < objects.json
//
// SCHEMAS is the directory of `tests/chart/fetch schemas`, the input a list of objects. Prints one
// line for each that is not valid, or has no schema.
import { readFileSync } from "node:fs";
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

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${object.apiVersion} ${object.kind}`;
  if (!kinds[name]) {
    console.log(`${name}: no schema is known`);
    continue;
  }
  try {
    const Kind = await kinds[name]();
    new Kind(object).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
