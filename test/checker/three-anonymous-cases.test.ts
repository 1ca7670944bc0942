/** The proof for anonymous memory: as three-cases.test.ts, with forks, and with somebody who acts on the answer NO. */
import { testCases } from "./case-outcome.ts";

testCases("three-anonymous");
