//! Changing one key of customer.json and nothing else.

use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

use crate::error::shortened;
use crate::key::Verdict;
use crate::syntax::{self, OPTIONS};
use crate::tree::{Segment, printed_name, segments};
use crate::{ConfigError, Customer, Warning, keys};

/// The text of customer.json with the key at `path` set to `value`.
///
/// Every other byte stays: comments, order, blanks. A key that is not there is added at the
/// end of its object, missing objects with it.
///
/// # Errors
/// When `path` is no key, the value does not fit, the text can't be read, or a usable file
/// would become an unusable one.
pub fn edit(text: &str, path: &str, value: &Value) -> Result<String, ConfigError> {
    let unknown = || ConfigError::UnknownKey {
        path: path.to_owned(),
    };
    let key = keys::find(path).ok_or_else(unknown)?;
    let steps = segments(path).ok_or_else(unknown)?;
    let wrong = |allowed: String| ConfigError::WrongValue {
        path: path.to_owned(),
        value: shortened(value),
        allowed,
    };
    if !matches!(key.kind.judge(value), Verdict::Good(_)) {
        return Err(wrong(key.kind.allowed()));
    }
    syntax::parse(text)?;

    let root = CstRootNode::parse(text, &OPTIONS).map_err(|e| syntax::syntax_error(&e))?;
    let object = root.object_value().ok_or_else(|| ConfigError::WrongValue {
        path: "the file".to_owned(),
        value: shortened(&Value::from(text)),
        allowed: "an object { }".to_owned(),
    })?;
    set_in_object(&object, &steps, value).map_err(|Blocked(allowed)| wrong(allowed.to_owned()))?;
    let edited = root.to_string();

    // A value that is fine by itself may be wrong beside others, or hold wrong ones.
    match Customer::parse(&edited) {
        Err(error) if Customer::parse(text).is_ok() => Err(error),
        Err(_) => Ok(edited),
        Ok((_, warnings)) => match warnings.into_iter().find_map(|w| wrong_below(path, w)) {
            Some(error) => Err(error),
            None => Ok(edited),
        },
    }
}

/// The warning as an error when it is about what was written.
fn wrong_below(written: &str, warning: Warning) -> Option<ConfigError> {
    match warning {
        Warning::WrongValue {
            path,
            value,
            allowed,
            ..
        } if path.starts_with(written) => Some(ConfigError::WrongValue {
            path,
            value,
            allowed,
        }),
        Warning::WrongValue { .. }
        | Warning::UnknownKey { .. }
        | Warning::Adjusted { .. }
        | Warning::Ignored { .. }
        | Warning::Conflict { .. } => None,
    }
}

/// Something stands where an object or array is expected.
struct Blocked(&'static str);

const NOT_AN_OBJECT: Blocked = Blocked("below an object");
const NOT_AN_ITEM: Blocked =
    Blocked("in an array, at an item that is there or next after the last");

fn set_in_object(object: &CstObject, steps: &[Segment<'_>], value: &Value) -> Result<(), Blocked> {
    let (Some(Segment::Name(name)), rest) = (steps.first(), steps.get(1..).unwrap_or_default())
    else {
        return Err(NOT_AN_OBJECT);
    };
    let property = object.get(name).or_else(|| object.get(printed_name(name)?));
    let Some(property) = property else {
        object.append(name, nested(rest, value)?);
        return Ok(());
    };
    match rest.first() {
        None => property.set_value(input(value)),
        Some(Segment::Name(_)) => {
            set_in_object(&property.object_value().ok_or(NOT_AN_OBJECT)?, rest, value)?;
        }
        Some(Segment::Index(index)) => {
            let array = property.array_value().ok_or(NOT_AN_ITEM)?;
            set_in_array(&array, *index, rest.get(1..).unwrap_or_default(), value)?;
        }
    }
    Ok(())
}

fn set_in_array(
    array: &CstArray,
    index: usize,
    rest: &[Segment<'_>],
    value: &Value,
) -> Result<(), Blocked> {
    let items = array.elements();
    match items.get(index) {
        Some(item) => set_in_object(&item.as_object().ok_or(NOT_AN_OBJECT)?, rest, value),
        None if index == items.len() => {
            array.append(nested(rest, value)?);
            Ok(())
        }
        None => Err(NOT_AN_ITEM),
    }
}

/// `value` below the objects and arrays that are still missing.
fn nested(steps: &[Segment<'_>], value: &Value) -> Result<CstInputValue, Blocked> {
    let Some((first, rest)) = steps.split_first() else {
        return Ok(input(value));
    };
    let inner = nested(rest, value)?;
    match first {
        Segment::Name(name) => Ok(CstInputValue::Object(vec![((*name).to_owned(), inner)])),
        Segment::Index(0) => Ok(CstInputValue::Array(vec![inner])),
        Segment::Index(_) => Err(NOT_AN_ITEM),
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(boolean) => CstInputValue::Bool(*boolean),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (name.clone(), input(value));
            CstInputValue::Object(members.iter().map(member).collect())
        }
    }
}
