// Checks CloudFormation templates against the resource types that AWS publishes
// (@aws-cdk/aws-service-spec) and against cfn-lint:
//
//   node validate.mjs FOLDER
//
// An unknown type, property or attribute, a missing required property, a value of
// another kind, a reference that leads nowhere, and a nested stack whose
// parameters or outputs do not fit its template are errors. The exit status is 1
// if there is any. WITHOUT_CFN_LINT=1 leaves cfn-lint out, which takes most of the time.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import YAML from "yaml";

const folder = process.argv[2];
const db = loadAwsServiceSpecSync();
const problems = [];
const counts = { templates: 0, resources: 0, properties: 0, references: 0 };

const functions = ["Ref", "GetAtt", "Sub", "Join", "Select", "Split", "If", "Equals", "Not", "And", "Or", "ImportValue", "GetAZs", "FindInMap", "Cidr", "Base64", "Condition"];
const customTags = functions.flatMap(name => ["map", "seq", undefined].map(collection => ({
  tag: "!" + name,
  collection,
  resolve: value => ({ ["Fn::" + name]: value?.toJSON ? value.toJSON() : value }),
})));

const templates = Object.fromEntries(readdirSync(folder).filter(f => f.endsWith(".yaml")).sort().map(f => {
  const doc = YAML.parseDocument(readFileSync(join(folder, f), "utf8"), { customTags });
  for (const e of [...doc.errors, ...doc.warnings]) problems.push(`${f}: ${e.message}`);
  return [f, doc.toJS()];
}));

const isFunction = v => v && typeof v === "object" && !Array.isArray(v) && Object.keys(v).length === 1 && Object.keys(v)[0].startsWith("Fn::");

const pseudo = new Set(["AWS::Region", "AWS::AccountId", "AWS::Partition", "AWS::StackName", "AWS::StackId", "AWS::URLSuffix", "AWS::NoValue", "AWS::NotificationARNs"]);

function typeOf(name) {
  const found = db.lookup("resource", "cloudFormationType", "equals", name);
  return found.length ? found.only() : undefined;
}

// reference checks one name that !Ref or !Sub uses.
function reference(at, t, name) {
  counts.references++;
  if (pseudo.has(name) || t.Parameters?.[name] || t.Resources?.[name]) return;
  problems.push(`${at}: ${name} is neither a parameter nor a resource`);
}

function attribute(at, t, id, name) {
  counts.references++;
  const r = t.Resources?.[id];
  if (!r) return problems.push(`${at}: there is no resource ${id}`);
  if (r.Type === "AWS::CloudFormation::Stack") {
    const child = templates[childOf(r)];
    const output = name.replace(/^Outputs\./, "");
    if (!name.startsWith("Outputs.") || !child?.Outputs?.[output]) problems.push(`${at}: the stack ${id} has no output ${name}`);
    return;
  }
  const type = typeOf(r.Type);
  if (type && !type.attributes[name] && !(type.properties[name])) problems.push(`${at}: ${r.Type} has no attribute ${name}`);
}

function walkFunctions(at, t, v) {
  if (Array.isArray(v)) return v.forEach((x, i) => walkFunctions(`${at}[${i}]`, t, x));
  if (!v || typeof v !== "object") return;
  for (const [key, x] of Object.entries(v)) {
    const here = `${at}.${key}`;
    if (key === "Fn::Ref") reference(here, t, x);
    else if (key === "Fn::GetAtt") {
      const [id, ...rest] = Array.isArray(x) ? x : x.split(".");
      attribute(here, t, id, rest.join("."));
      continue;
    } else if (key === "Fn::Sub") {
      const [text, own] = Array.isArray(x) ? x : [x, {}];
      for (const m of text.matchAll(/\$\{([^!}][^}]*)\}/g)) {
        const name = m[1].trim();
        if (own[name] !== undefined) continue;
        if (name.includes(".")) attribute(here, t, name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1));
        else reference(here, t, name);
      }
    } else if (key === "Fn::If" && !t.Conditions?.[x[0]]) problems.push(`${here}: there is no condition ${x[0]}`);
    else if (key === "Fn::Condition" && !t.Conditions?.[x]) problems.push(`${here}: there is no condition ${x}`);
    walkFunctions(here, t, x);
  }
}

const childOf = r => String(r.Properties.TemplateURL?.["Fn::Sub"] ?? r.Properties.TemplateURL).split("/").pop();

// value holds a property's value against its type.
function value(at, v, type) {
  if (v === null || v === undefined) return problems.push(`${at}: is empty`);
  if (isFunction(v)) {
    if (v["Fn::If"]) v["Fn::If"].slice(1).forEach(x => value(at, x, type));
    return;
  }
  switch (type.type) {
    case "string":
      if (typeof v === "object") problems.push(`${at}: wants text`);
      break;
    case "integer":
    case "number":
      if (Number.isNaN(Number(v)) || typeof v === "object") problems.push(`${at}: wants a number`);
      break;
    case "boolean":
      if (![true, false, "true", "false"].includes(v)) problems.push(`${at}: wants true or false`);
      break;
    case "array":
      if (!Array.isArray(v)) problems.push(`${at}: wants a list`);
      else v.forEach((x, i) => value(`${at}[${i}]`, x, type.element));
      break;
    case "map":
      if (typeof v !== "object" || Array.isArray(v)) problems.push(`${at}: wants a map`);
      else for (const [k, x] of Object.entries(v)) value(`${at}.${k}`, x, type.element);
      break;
    case "ref":
      if (typeof v !== "object" || Array.isArray(v)) problems.push(`${at}: wants a map`);
      else properties(at, v, db.get("typeDefinition", type.reference.$ref));
      break;
    case "tag":
      if (!v?.Key || v.Value === undefined) problems.push(`${at}: wants Key and Value`);
      break;
    case "union": {
      const before = problems.length, tries = [];
      for (const t of type.types) {
        value(at, v, t);
        const found = problems.splice(before);
        if (!found.length) return;
        tries.push(found);
      }
      problems.push(...tries[0]);
    }
  }
}

function properties(at, given, type) {
  for (const [name, v] of Object.entries(given ?? {})) {
    counts.properties++;
    const p = type.properties[name];
    if (!p) problems.push(`${at}: there is no property ${name}`);
    else value(`${at}.${name}`, v, p.type);
  }
  for (const [name, p] of Object.entries(type.properties))
    if (p.required && given?.[name] === undefined) problems.push(`${at}: the property ${name} is required`);
}

function nested(at, r) {
  const name = childOf(r), child = templates[name];
  if (!child) return problems.push(`${at}: there is no template ${name}`);
  const given = r.Properties.Parameters ?? {};
  for (const p of Object.keys(given)) if (!child.Parameters?.[p]) problems.push(`${at}: ${name} has no parameter ${p}`);
  for (const [p, d] of Object.entries(child.Parameters ?? {}))
    if (d.Default === undefined && given[p] === undefined) problems.push(`${at}: ${name} wants the parameter ${p}`);
}

for (const [file, t] of Object.entries(templates)) {
  counts.templates++;
  for (const section of ["Resources", "Outputs", "Conditions"]) walkFunctions(`${file} ${section}`, t, t[section]);
  const used = JSON.stringify([t.Resources, t.Outputs, t.Conditions]);
  for (const p of Object.keys(t.Parameters ?? {}))
    if (!used.includes(`"${p}"`) && !used.includes("${" + p + "}")) problems.push(`${file}: nothing uses the parameter ${p}`);
  for (const [id, r] of Object.entries(t.Resources ?? {})) {
    counts.resources++;
    const at = `${file} ${id}`;
    const type = typeOf(r.Type);
    if (!type) {
      problems.push(`${at}: there is no resource type ${r.Type}`);
      continue;
    }
    properties(at, r.Properties, type);
    if (r.Type === "AWS::CloudFormation::Stack") nested(at, r);
    for (const d of [r.DependsOn ?? []].flat()) if (!t.Resources[d]) problems.push(`${at}: depends on ${d}, which does not exist`);
    if (r.Condition && !t.Conditions?.[r.Condition]) problems.push(`${at}: there is no condition ${r.Condition}`);
  }
  if (!process.env.WITHOUT_CFN_LINT) problems.push(...lint(file));
}

// lint runs cfn-lint, whose list of resource types is of 2019. Where it does not
// know a type, or wants a property that is no longer required, the newer list has
// the word. It puts made-up texts in parameters' places, which are no ARNs.
function lint(file) {
  const bin = join(createRequire(import.meta.url).resolve("cfn-lint/package.json"), "..", "lib", "index.js");
  let out;
  try {
    out = execFileSync(process.execPath, [bin, "validate", join(folder, file)], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (e) {
    out = `${e.stdout}${e.stderr}`;
  }
  const found = [...out.replace(/\u001b\[\d+m/g, "").matchAll(/^Resource: (.*)\nMessage: (.*)$/gm)];
  if (!found.length && !out.includes("Template valid!")) return [`${file}: cfn-lint does not work: ${out}`];
  return found.filter(([, , message]) => {
    // The newer list was asked about types, properties and attributes above.
    const unknown = /has an invalid Type of \S+\.$|is not a valid property of \S+$|^No such attribute \S+ on \S+$/.test(message);
    const required = /^Required property (\w+) missing for type (\S+)$/.exec(message);
    if (unknown) return false;
    if (required) return typeOf(required[2])?.properties[required[1]]?.required ?? false;
    return !message.includes("got 'string_input_");
  }).map(([, at, message]) => `${file} ${at}: cfn-lint: ${message}`);
}

for (const p of problems) console.error(p);
console.log(`${counts.templates} templates, ${counts.resources} resources, ${counts.properties} properties, ${counts.references} references: ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
