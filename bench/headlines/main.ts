/**
 * The published figures about counting mappings, beside what the cost model says of them.
 *
 *     npm run --silent bench:headlines [-- --json | --markdown]
 *
 * Reads no clock and no machine. docs/headlines.md is what `--markdown` prints. Always exits with 0: rows that do not hold
 * are findings, and a test notices when one that held holds no more.
 */
import { parseArgs } from "node:util";
import { allHeadlines } from "./all-headlines.ts";
import { formatJson, formatMarkdown, formatText } from "./print.ts";

const { values } = parseArgs({ options: { json: { type: "boolean" }, markdown: { type: "boolean" } } });
const rows = allHeadlines();
if (values.json === true) process.stdout.write(formatJson(rows));
else process.stdout.write(values.markdown === true ? formatMarkdown(rows) : formatText(rows));
