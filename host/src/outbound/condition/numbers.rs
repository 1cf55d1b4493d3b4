//! Numbers in conditions: one kind, as in JSON, compared exactly and calculated without regard to how they are written.
//!
//! CEL has three kinds (`int`, `uint`, `double`) that calculate only among themselves, and a sender that writes `10`
//! today may write `10.00` tomorrow. So the operators of a compiled expression are exchanged for the ones below, which
//! take any two numbers; whatever else they meet goes to the crate's own.

use std::cmp::Ordering;

use cel::common::ast::{Expr, IdedExpr, operators};
use cel::common::types::{CelBool, CelDouble, CelInt, CelUInt, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;
type Operator = for<'b, 'v> fn(Args<'b, 'v>) -> Answer<'b, 'v>;

/// Each operator of CEL, the name of ours, and ours.
const OPERATORS: [(&str, &str, Operator); 13] = [
    (operators::EQUALS, "@equal", |args| truth(equal(&*args[0], &*args[1]))),
    (operators::NOT_EQUALS, "@unequal", |args| truth(!equal(&*args[0], &*args[1]))),
    (operators::LESS, "@less", |args| ordered(&args, operators::LESS, Ordering::is_lt)),
    (operators::LESS_EQUALS, "@less_equal", |args| ordered(&args, operators::LESS_EQUALS, Ordering::is_le)),
    (operators::GREATER, "@greater", |args| ordered(&args, operators::GREATER, Ordering::is_gt)),
    (operators::GREATER_EQUALS, "@greater_equal", |args| ordered(&args, operators::GREATER_EQUALS, Ordering::is_ge)),
    (operators::IN, "@among", among),
    (operators::ADD, "@add", |args| match both(&args) {
        Some((left, right)) => Ok(left.calculate(right, i128::checked_add, |a, b| a + b).into_val()),
        None => plus(&args),
    }),
    (operators::SUBSTRACT, "@subtract", |args| {
        let (left, right) = numbers(&args, operators::SUBSTRACT)?;
        Ok(left.calculate(right, i128::checked_sub, |a, b| a - b).into_val())
    }),
    (operators::MULTIPLY, "@multiply", |args| {
        let (left, right) = numbers(&args, operators::MULTIPLY)?;
        Ok(left.calculate(right, i128::checked_mul, |a, b| a * b).into_val())
    }),
    (operators::DIVIDE, "@divide", divide),
    (operators::MODULO, "@remainder", remainder),
    (operators::NEGATE, "@negate", |args| match Number::of(&*args[0]) {
        Some(number) => Ok(Number::Whole(0).calculate(number, i128::checked_sub, |_, b| -b).into_val()),
        None => Err(no_overload(operators::NEGATE, &args)),
    }),
];

/// Makes our operators known.
pub(super) fn declare(environment: &mut Env) {
    for (operator, name, function) in OPERATORS {
        let arity = if operator == operators::NEGATE { 1 } else { 2 };
        environment
            .add_overload(
                name,
                &format!("{name}_any"),
                std::iter::repeat_with(|| DYN_TYPE).take(arity).collect(),
                function,
            )
            .expect("no name of ours can be one of CEL's, which has no @ in operators that are written");
    }
}

/// Exchanges CEL's operators for ours.
pub(super) fn rewrite(expression: &mut IdedExpr) {
    use cel::common::ast::EntryExpr;
    match &mut expression.expr {
        Expr::Call(call) => {
            let ours = OPERATORS.iter().find(|(operator, ..)| call.target.is_none() && *operator == call.func_name);
            // What a macro adds up in its own variable is no number of the event, and the crate knows a fast way.
            let own =
                matches!(call.args.first().map(|first| &first.expr), Some(Expr::Ident(name)) if name.starts_with('@'));
            if let Some((_, name, _)) = ours.filter(|_| !own) {
                call.func_name = (*name).to_owned();
            }
            call.target.iter_mut().for_each(|target| rewrite(target));
            call.args.iter_mut().for_each(rewrite);
        }
        Expr::Comprehension(each) => {
            [&mut each.iter_range, &mut each.accu_init, &mut each.loop_cond, &mut each.loop_step, &mut each.result]
                .into_iter()
                .for_each(rewrite);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(rewrite),
        Expr::Select(select) => rewrite(&mut select.operand),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    rewrite(&mut entry.key);
                    rewrite(&mut entry.value);
                }
            }
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

/// A number of any of CEL's kinds; whole ones never lose a digit.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Decimal(f64),
}

impl Number {
    fn of(value: &dyn Val) -> Option<Self> {
        if let Some(number) = value.downcast_ref::<CelInt>() {
            return Some(Self::Whole((*number.inner()).into()));
        }
        if let Some(number) = value.downcast_ref::<CelUInt>() {
            return Some(Self::Whole((*number.inner()).into()));
        }
        value.downcast_ref::<CelDouble>().map(|number| Self::Decimal(*number.inner()))
    }

    fn decimal(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Decimal(number) => number,
        }
    }

    fn calculate(self, other: Self, whole: fn(i128, i128) -> Option<i128>, decimal: fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => whole(a, b).map(Self::Whole),
            _ => None,
        }
        .unwrap_or_else(|| Self::Decimal(decimal(self.decimal(), other.decimal())))
    }

    /// The value in the first of CEL's kinds that holds it.
    fn into_val<'b, 'v>(self) -> CowVal<'b, 'v> {
        match self {
            Self::Whole(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => CowVal::owned(CelInt::from(number)),
                (_, Ok(number)) => CowVal::owned(CelUInt::from(number)),
                _ => CowVal::owned(CelDouble::from(number as f64)),
            },
            Self::Decimal(number) => CowVal::owned(CelDouble::from(number)),
        }
    }

    /// Exact also where a whole number has more digits than a double holds; nothing compares with NaN.
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (Self::Decimal(a), Self::Decimal(b)) => a.partial_cmp(&b),
            (Self::Whole(a), Self::Decimal(b)) => whole_with_decimal(a, b),
            (Self::Decimal(a), Self::Whole(b)) => whole_with_decimal(b, a).map(Ordering::reverse),
        }
    }
}

fn whole_with_decimal(whole: i128, decimal: f64) -> Option<Ordering> {
    // Casts of doubles saturate, and what is whole here lies far inside i128; NaN is compared with itself.
    decimal.partial_cmp(&decimal)?;
    let below = decimal.floor();
    let fraction = if decimal > below { Ordering::Less } else { Ordering::Equal };
    Some(whole.cmp(&(below as i128)).then(fraction))
}

fn both(args: &Args<'_, '_>) -> Option<(Number, Number)> {
    Number::of(&*args[0]).zip(Number::of(&*args[1]))
}

fn numbers(args: &Args<'_, '_>, operator: &str) -> Result<(Number, Number), ExecutionError> {
    both(args).ok_or_else(|| no_overload(operator, args))
}

fn no_overload(operator: &str, args: &Args<'_, '_>) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned()).collect();
    ExecutionError::no_such_overload(operator, types)
}

fn truth<'b, 'v>(answer: bool) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(answer)))
}

fn equal(left: &dyn Val, right: &dyn Val) -> bool {
    match (Number::of(left), Number::of(right)) {
        (Some(left), Some(right)) => left.compare(right) == Some(Ordering::Equal),
        _ => left.equals(right),
    }
}

fn ordered<'b, 'v>(args: &Args<'b, 'v>, operator: &str, holds: fn(Ordering) -> bool) -> Answer<'b, 'v> {
    if let Some((left, right)) = both(args) {
        return truth(left.compare(right).is_some_and(holds));
    }
    let comparer = args[0].as_comparer().ok_or_else(|| no_overload(operator, args))?;
    let order = comparer.compare(&*args[1]).map_err(|_| no_overload(operator, args))?;
    truth(holds(order))
}

/// A list is searched with our equality; maps are the crate's, whose keys are numbers by value already.
fn among<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    if let Ok(items) = <&[Box<dyn Val>]>::try_from(&*args[1]) {
        return truth(items.iter().any(|item| equal(item.as_ref(), &*args[0])));
    }
    let container = args[1].as_container().ok_or_else(|| no_overload(operators::IN, &args))?;
    truth(container.contains(&*args[0]).map_err(|_| no_overload(operators::IN, &args))?)
}

fn plus<'b, 'v>(args: &Args<'b, 'v>) -> Answer<'b, 'v> {
    let adder = args[0].as_adder().ok_or_else(|| no_overload(operators::ADD, args))?;
    let sum = adder.add(&*args[1]).map_err(|_| no_overload(operators::ADD, args))?;
    Ok(CowVal::Owned(sum.into_owned()))
}

/// `299 / 100` is 2.99: a quotient that is not whole is a decimal.
fn divide<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let (left, right) = numbers(&args, operators::DIVIDE)?;
    not_by_zero(right)?;
    let exact = |a: i128, b: i128| (a % b == 0).then(|| a / b);
    Ok(left.calculate(right, exact, |a, b| a / b).into_val())
}

fn remainder<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let (left, right) = numbers(&args, operators::MODULO)?;
    not_by_zero(right)?;
    Ok(left.calculate(right, i128::checked_rem, |a, b| a % b).into_val())
}

fn not_by_zero(number: Number) -> Result<(), ExecutionError> {
    if number.decimal() == 0.0 { Err(ExecutionError::DivisionByZero(cel::Value::Null)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact value of a double as a fraction of 2^1074 would not fit; these do, and that is where digits get lost.
    fn exact(decimal: f64) -> i128 {
        (decimal * 4.0) as i128
    }

    proptest::proptest! {
        #[test]
        fn a_whole_number_and_a_decimal_compare_exactly(whole: i64, near in -8i64..8, quarter in 0u8..4) {
            let decimal = (whole.saturating_add(near)) as f64 + f64::from(quarter) / 4.0;
            let expected = (i128::from(whole) * 4).cmp(&exact(decimal));
            let (whole, decimal) = (Number::Whole(whole.into()), Number::Decimal(decimal));
            proptest::prop_assert_eq!(whole.compare(decimal), Some(expected));
            proptest::prop_assert_eq!(decimal.compare(whole), Some(expected.reverse()));
        }
    }

    #[test]
    fn nothing_compares_with_what_is_no_number() {
        let nan = Number::Decimal(f64::NAN);
        assert_eq!(
            (nan.compare(nan), nan.compare(Number::Whole(0)), Number::Whole(0).compare(nan)),
            (None, None, None)
        );
        let (infinity, whole) = (Number::Decimal(f64::INFINITY), Number::Whole(u64::MAX.into()));
        assert_eq!(whole.compare(infinity), Some(Ordering::Less));
        assert_eq!(Number::Decimal(f64::NEG_INFINITY).compare(whole), Some(Ordering::Less));
    }
}
