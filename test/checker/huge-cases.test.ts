/** Cases with PMD entries. */
import { testCases } from "./case-outcome.ts";

testCases("huge");
