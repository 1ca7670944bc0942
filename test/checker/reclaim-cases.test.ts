/** Cases of reclaim's walk. */
import { testCases } from "./case-outcome.ts";

testCases("reclaim");
