//! The fields of the event that an expression names: one that no event can have is a slip, and would silently be an error
//! on every event. What lies in `data` is the provider's.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::view::NAMES;

/// What is wrong with the field of the event that this expression reads, if it reads one.
pub(super) fn check(expression: &IdedExpr) -> Result<(), String> {
    match field(expression) {
        Some(name) if !NAMES.contains(&name) => {
            let near = NAMES.map(|known| (strsim::damerau_levenshtein(name, known), known)).into_iter().min();
            let hint = match near {
                Some((distance, known)) if distance <= 1 + name.len() / 4 => format!("did you mean {known:?}?"),
                _ => format!("there are {}", NAMES.join(", ")),
            };
            Err(format!("no event has {name:?}; {hint}"))
        }
        _ => Ok(()),
    }
}

/// `event.name`, `event.?name`, `event["name"]`, `event[?"name"]` or `"name" in event`.
fn field(expression: &IdedExpr) -> Option<&str> {
    let (of, name) = match &expression.expr {
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) => {
            let [first, second] = call.args.as_slice() else { return None };
            match call.func_name.as_str() {
                operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => (first, text(second)?),
                operators::IN => (second, text(first)?),
                _ => return None,
            }
        }
        _ => return None,
    };
    matches!(&of.expr, Expr::Ident(variable) if variable == "event").then_some(name)
}

fn text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
