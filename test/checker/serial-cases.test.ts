/** Cases of one operation after another: which states of a scheme lie. */
import { testCases } from "./case-outcome.ts";

testCases("serial");
