/**
 * Schemes by their ids on the command line.
 */
import { SCHEMES, type Scheme, findScheme } from "../schemes/index.ts";
import { UsageError } from "./exit-codes.ts";

/** The scheme of an id. Throws UsageError. */
export function schemeOf(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) {
    const known = SCHEMES.map((each) => each.id).join(", ");
    throw new UsageError(`There is no scheme ${JSON.stringify(id)}; the schemes are ${known}.`);
  }
  return scheme;
}

/** The schemes to compare: those of the default, or the chosen ones and the one by which the captured kernel counts. */
export function chooseSchemes(
  ids: readonly string[] | undefined,
  config: "page" | "nopage" | "unknown",
): readonly Scheme[] {
  if (ids === undefined) return SCHEMES.filter((scheme) => scheme.shownByDefault);
  const chosen = new Set(ids.map(schemeOf));
  const own = config === "nopage" ? "nopage" : "page";
  return SCHEMES.filter((scheme) => chosen.has(scheme) || scheme.kernelConfig === own);
}
