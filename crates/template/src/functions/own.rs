//! Functions of Firebell's own, for its default messages; people's templates may call them, too.

use super::{Call, Function, wrong_type};
use crate::glance::{Table, glance};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    // `glance .`: what a person who is woken asks, as `crate::glance` says.
    Function::new("glance", 1, |call| {
        let told = glance(call.context, call.arg(0))?;
        call.budget.spend(told.n_alerts)?;
        told.into_value()
    }),
    // `alignTable table`: a table of `glance` as text, for where letters have one width.
    Function::new("alignTable", 1, |call| {
        let table = Table::from_value(call.arg(0));
        let table = table.ok_or_else(|| wrong_type("table", call.arg(0)))?;
        Ok(Value::text(table.aligned()))
    }),
    // `measured .Fingerprint`: the value of that alert against its threshold, such as `0.2 > 0.05`;
    // empty when it is not known.
    Function::new("measured", 1, |call: &mut Call<'_>| {
        Ok(Value::text(call.context.measured(call.text(0)?)))
    }),
];
