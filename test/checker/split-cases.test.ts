/** Cases of the split of a folio. */
import { testCases } from "./case-outcome.ts";

testCases("split");
