/**
 * The door of decisions: rules, who decides by them, surveys of folios at rest.
 */
export { type DecidedFolios, SchemeAnswers } from "./answers.ts";
export * from "./decision-record.ts";
export { type AskedScheme, Decisions, type DecisionsOptions, makesWalk } from "./decisions.ts";
export { LEFT_OUT_CONSUMERS, type LeftOutConsumer } from "./left-out.ts";
export { DECISION_RULES, findRule, rulesOf } from "./registry.ts";
export * from "./rule.ts";
export { SURVEYED_RULES, type SurveyedMachine, surveyDecisions } from "./survey.ts";
export { TruthAnswers } from "./truth-answers.ts";
