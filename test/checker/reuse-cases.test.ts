/** Cases of copy-on-write. */
import { testCases } from "./case-outcome.ts";

testCases("reuse");
