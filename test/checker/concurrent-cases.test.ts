/** Cases of several threads that map, unmap, fork and ask. */
import { testCases } from "./case-outcome.ts";

testCases("concurrent");
