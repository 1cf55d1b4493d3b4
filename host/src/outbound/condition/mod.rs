//! A route's `when`, or a destination's `order_by`: CEL over the event, compiled once, evaluated per event.
//!
//! What the numbers in it mean is left to `numbers`, how an event looks to it to `view`, who is asked to the routes.

mod fields;
mod literals;
mod numbers;
mod patterns;
mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, Value};

use crate::event::Event;

/// The environment that every expression is compiled for and evaluated in.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    numbers::declare(&mut environment);
    patterns::declare(&mut environment);
    Arc::new(environment)
});

/// A compiled `when`.
#[derive(Debug)]
pub struct Condition {
    expression: IdedExpr,
    /// The keys that are written out in it, which an error may name.
    keys: BTreeSet<String>,
}

/// Why a `when` does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ConditionError {
    /// From 1, within the expression.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// An event as conditions see it; built once for all routes that ask.
pub(super) struct View(Context<'static, 'static>);

impl View {
    /// Reads the event's data.
    pub(super) fn new(event: &Event) -> Self {
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.add_variable_as_val("event", view::event(event));
        Self(context)
    }
}

impl Condition {
    /// Compiles an expression; every name in it must exist.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        let source = literals::widen(text);
        let (mut expression, places) = ENVIRONMENT.parser().parse_with_source_info(&source).map_err(first_error)?;
        check_names(&expression, &mut vec!["event"], &places)?;
        let mut keys = BTreeSet::new();
        collect_keys(&expression, &mut keys);
        numbers::rewrite(&mut expression);
        Ok(Self { expression, keys })
    }

    /// Whether the event matches; the error says why nobody can tell, and holds no value of the event.
    pub(super) fn matches(&self, view: &View) -> Result<bool, String> {
        let answer = Value::resolve_val(&self.expression, &view.0).map_err(|error| in_words(&error, &self.keys))?;
        match Value::try_from(answer.as_ref()) {
            Ok(Value::Bool(answer)) => Ok(answer),
            _ => Err(format!("it gives {}, not true or false", answer.get_type().name())),
        }
    }

    /// What it gives, as a text: a number as it is commonly written, and nothing for null and for an empty text.
    pub(super) fn text(&self, view: &View) -> Result<Option<String>, String> {
        let answer = Value::resolve_val(&self.expression, &view.0).map_err(|error| in_words(&error, &self.keys))?;
        Self::as_text(answer.as_ref())
    }

    /// As [`Condition::text`], and nothing where the event has not what it asks for.
    pub(super) fn text_if_any(&self, view: &View) -> Result<Option<String>, String> {
        match Value::resolve_val(&self.expression, &view.0) {
            Err(ExecutionError::NoSuchKey(_)) => Ok(None),
            Err(error) => Err(in_words(&error, &self.keys)),
            Ok(answer) => Self::as_text(answer.as_ref()),
        }
    }

    fn as_text(answer: &dyn Val) -> Result<Option<String>, String> {
        let text = match Value::try_from(answer) {
            Ok(Value::Null) => return Ok(None),
            Ok(Value::String(text)) => text.to_string(),
            Ok(Value::Int(number)) => number.to_string(),
            Ok(Value::UInt(number)) => number.to_string(),
            // Shortest digits: 2.0 is "2".
            Ok(Value::Float(number)) => number.to_string(),
            Ok(Value::Bool(answer)) => answer.to_string(),
            _ => return Err(format!("it gives {}, not a text, a number, true or false", answer.get_type().name())),
        };
        Ok((!text.is_empty()).then_some(text))
    }
}

fn first_error(errors: cel::ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.into_iter().next() else {
        return ConditionError { line: 1, column: 1, message: "it is not an expression".into() };
    };
    let (line, column) = first.pos;
    ConditionError { line: line.max(1) as usize, column: column.max(1) as usize, message: first.msg }
}

/// Walks the expression and refuses the first variable or function that nobody declares, since that would be an error
/// on every event.
fn check_names<'e>(
    expression: &'e IdedExpr,
    bound: &mut Vec<&'e str>,
    places: &SourceInfo,
) -> Result<(), ConditionError> {
    // A macro's own variable may have its name.
    if !bound[1..].contains(&"event") {
        fields::check(expression).map_err(|message| wrong(expression, places, message))?;
    }
    match &expression.expr {
        Expr::Ident(name) if !bound.contains(&name.as_str()) && is_unknown(expression) => {
            Err(wrong(expression, places, format!("there is no {name:?} here, only \"event\"")))
        }
        Expr::Call(call) => {
            let member = call.target.is_some();
            if is_unknown_function(call, member) {
                return Err(wrong(expression, places, format!("there is no function {:?}", call.func_name)));
            }
            check_pattern(call, places)?;
            if let Some(target) = &call.target
                && !is_namespace(target, &call.func_name)
            {
                check_names(target, bound, places)?;
            }
            call.args.iter().try_for_each(|argument| check_names(argument, bound, places))
        }
        Expr::Comprehension(each) => {
            check_names(&each.iter_range, bound, places)?;
            check_names(&each.accu_init, bound, places)?;
            let before = bound.len();
            bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
            bound.extend(each.iter_var2.as_deref());
            let inside = [&each.loop_cond, &each.loop_step, &each.result];
            let checked = inside.into_iter().try_for_each(|part| check_names(part, bound, places));
            bound.truncate(before);
            checked
        }
        _ => children(expression).into_iter().try_for_each(|child| check_names(child, bound, places)),
    }
}

/// A pattern that is written out is looked at before any event comes.
fn check_pattern(call: &CallExpr, places: &SourceInfo) -> Result<(), ConditionError> {
    let Some(last) = call.args.last().filter(|_| call.func_name == "matches") else { return Ok(()) };
    let Expr::Literal(LiteralValue::String(pattern)) = &last.expr else { return Ok(()) };
    patterns::check(pattern.inner()).map_err(|message| wrong(last, places, message))
}

/// The parts of an expression that is neither call nor comprehension.
fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    use cel::common::ast::EntryExpr;
    match &expression.expr {
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Field names and texts that are written out.
fn collect_keys(expression: &IdedExpr, keys: &mut BTreeSet<String>) {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => drop(keys.insert(text.inner().to_owned())),
        Expr::Select(select) => drop(keys.insert(select.field.clone())),
        _ => {}
    }
    let parts = match &expression.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(each) => {
            vec![&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result]
        }
        _ => children(expression),
    };
    parts.into_iter().for_each(|part| collect_keys(part, keys));
}

fn wrong(expression: &IdedExpr, places: &SourceInfo, message: String) -> ConditionError {
    let start = places.offset_for(expression.id).map_or(0, |(start, _)| start as usize);
    let before: String = places.source.chars().take(start).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ConditionError { line, column, message }
}

/// The crate keeps its declarations to itself, so it is asked by evaluating: an unknown name says so.
fn is_unknown(expression: &IdedExpr) -> bool {
    let context = Context::with_env(ENVIRONMENT.clone());
    matches!(Value::resolve_val(expression, &context), Err(ExecutionError::UndeclaredReference(_)))
}

/// Operators are evaluated by the crate itself and are always known.
fn is_unknown_function(call: &CallExpr, member: bool) -> bool {
    let is_name = call.func_name.starts_with(|c: char| c.is_alphabetic());
    if !is_name || call.target.as_ref().is_some_and(|target| is_namespace(target, &call.func_name)) {
        return false;
    }
    let null = || IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Null) };
    let bare =
        CallExpr { func_name: call.func_name.clone(), target: member.then(|| Box::new(null())), args: Vec::new() };
    is_unknown(&IdedExpr { id: 0, expr: Expr::Call(bare) })
}

/// Whether the target and the name are one qualified function, such as `optional.of`.
fn is_namespace(target: &IdedExpr, name: &str) -> bool {
    let Expr::Ident(space) = &target.expr else { return false };
    let bare = CallExpr { func_name: format!("{space}.{name}"), target: None, args: Vec::new() };
    !is_unknown(&IdedExpr { id: 0, expr: Expr::Call(bare) })
}

/// The crate's own words print the values that were met, which may be fields that no log may show.
fn in_words(error: &ExecutionError, keys: &BTreeSet<String>) -> String {
    match error {
        ExecutionError::NoSuchKey(key) if keys.contains(key.as_str()) => format!("there is no {key:?}"),
        ExecutionError::NoSuchKey(_) => "a key is not there".into(),
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UndeclaredReference(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::InvalidArgumentCount { .. }
        | ExecutionError::FunctionError { .. } => error.to_string(),
        ExecutionError::ValuesNotComparable(..) => "values of different types are compared".into(),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
            format!("{operator:?} does not take values of these types")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".into(),
        ExecutionError::IndexOutOfBounds(_) => "an index lies outside its list".into(),
        _ => "it cannot be evaluated on this event".into(),
    }
}

#[cfg(test)]
pub(super) mod tests;
