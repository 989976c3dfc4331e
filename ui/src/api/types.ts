// The words of Firebell's own API, by short names. Generated: `schema.ts`, by `npm run types`.
import type { components } from "./schema.ts";

type Schemas = components["schemas"];

export type Alert = Schemas["Alert"];
export type AlertState = Alert["state"];
export type AlertWhy = Schemas["AlertWhy"];
export type Budget = Schemas["Budget"];
export type BudgetSpending = Schemas["BudgetSpending"];
export type Changed = Schemas["Changed"];
export type Deploy = Schemas["Deploy"];
export type DeploySpending = Schemas["DeploySpending"];
export type DeliveryTold = IntegrationWhy["deliveries"][number];
export type Episode = Schemas["Episode"];
export type Flow = Schemas["Flow"];
export type Graph = Schemas["Graph"];
export type GroupWhy = Schemas["GroupWhy"];
export type InboxEntry = Schemas["InboxEntry"];
export type IntegrationWhy = Schemas["IntegrationWhy"];
export type Labels = Schemas["Labels"];
export type NextStep = Schemas["NextStep"];
export type Objective = Schemas["Objective"];
export type ObjectiveHistory = Schemas["ObjectiveHistory"];
export type ObjectiveList = Schemas["ObjectiveList"];
export type ObjectiveSpending = Schemas["ObjectiveSpending"];
export type OncallNow = Schemas["OncallNow"];
export type OncallPerson = Schemas["OncallPerson"];
export type OncallShift = Schemas["OncallShift"];
export type OncallShifts = Schemas["OncallShifts"];
export type OncallWatch = Schemas["OncallWatch"];
export type Reason = InboxEntry["reason"];
export type RouteTried = Schemas["RouteTried"];
export type Rule = Schemas["Rule"];
export type SilencePreview = Schemas["SilencePreview"];
export type Status = Schemas["Status"];
export type Stretch = Schemas["Stretch"];
export type Value = Alert["value"];
export type Weekly = Schemas["Weekly"];
