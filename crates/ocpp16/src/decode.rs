//! Reading the fields of a received payload: lenient where the meaning is clear, and exact about
//! which field is wrong and how where it is not.

use serde_json::{Map, Value};

use crate::{CallError, CiString, ErrorCode, Timestamp, TooLong};

/// An object of a payload together with its place in it.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>) -> Self {
        Self {
            map,
            path: String::new(),
        }
    }

    /// A required string of at most `N` characters.
    pub(crate) fn text<const N: usize>(&self, name: &str) -> Result<CiString<N>, CallError> {
        self.required(name, self.optional_text(name)?)
    }

    pub(crate) fn optional_text<const N: usize>(
        &self,
        name: &str,
    ) -> Result<Option<CiString<N>>, CallError> {
        let Some(text) = self.written(name)? else {
            return Ok(None);
        };
        CiString::new(&text)
            .map(Some)
            .map_err(|error| self.wrong_value(name, error.to_string()))
    }

    /// A required string of at most `limit` characters whose case matters.
    pub(crate) fn string(&self, name: &str, limit: usize) -> Result<String, CallError> {
        let text = self.required(name, self.written(name)?)?;
        let length = text.chars().count();
        if length > limit {
            let error = TooLong { length, limit };
            return Err(self.wrong_value(name, error));
        }
        Ok(text)
    }

    /// Whatever stands there.
    pub(crate) fn any(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<i64, CallError> {
        self.required(name, self.optional_integer(name)?)
    }

    /// `6`, `6.0` and `"6"` are all six.
    pub(crate) fn optional_integer(&self, name: &str) -> Result<Option<i64>, CallError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let integer = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        integer
            .map(Some)
            .ok_or_else(|| self.wrong_type(name, "an integer"))
    }

    /// A number of times or seconds: never negative.
    pub(crate) fn optional_count(&self, name: &str) -> Result<Option<u32>, CallError> {
        let Some(number) = self.optional_integer(name)? else {
            return Ok(None);
        };
        u32::try_from(number)
            .map(Some)
            .map_err(|_| self.wrong_value(name, format!("{number} is out of range")))
    }

    pub(crate) fn decimal(&self, name: &str) -> Result<f64, CallError> {
        self.required(name, self.optional_decimal(name)?)
    }

    pub(crate) fn optional_decimal(&self, name: &str) -> Result<Option<f64>, CallError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let decimal = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        decimal
            .filter(|number: &f64| number.is_finite())
            .map(Some)
            .ok_or_else(|| self.wrong_type(name, "a number"))
    }

    pub(crate) fn timestamp(&self, name: &str) -> Result<Timestamp, CallError> {
        self.required(name, self.optional_timestamp(name)?)
    }

    pub(crate) fn optional_timestamp(&self, name: &str) -> Result<Option<Timestamp>, CallError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let Value::String(text) = value else {
            return Err(self.wrong_type(name, "a date and time"));
        };
        Timestamp::parse(text)
            .map(Some)
            .ok_or_else(|| self.wrong_type(name, "a date and time"))
    }

    /// One of `choices`, spelled exactly.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<T, CallError> {
        self.required(name, self.optional_choice(name, choices)?)
    }

    pub(crate) fn optional_choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, CallError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let Value::String(text) = value else {
            return Err(self.wrong_type(name, "a string"));
        };
        match choices.iter().find(|(spelling, _)| spelling == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let allowed: Vec<&str> = choices.iter().map(|(spelling, _)| *spelling).collect();
                Err(self.wrong_value(name, format!("{text:?} is none of {}", allowed.join(", "))))
            }
        }
    }

    pub(crate) fn object(&self, name: &str) -> Result<Fields<'a>, CallError> {
        self.required(name, self.optional_object(name)?)
    }

    pub(crate) fn optional_object(&self, name: &str) -> Result<Option<Fields<'a>>, CallError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields {
                map,
                path: format!("{}{name}.", self.path),
            })),
            Some(_) => Err(self.wrong_type(name, "an object")),
        }
    }

    /// The objects of an array; absent is empty.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, CallError> {
        let object = |(index, value): (usize, &'a Value)| match value {
            Value::Object(map) => Ok(Fields {
                map,
                path: format!("{}{name}[{index}].", self.path),
            }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(self.wrong_type(&format!("{name}[{index}]"), "an object")),
        };
        self.array(name)?.iter().enumerate().map(object).collect()
    }

    /// The strings of an array; absent is empty.
    pub(crate) fn texts<const N: usize>(&self, name: &str) -> Result<Vec<CiString<N>>, CallError> {
        let text = |(index, value): (usize, &'a Value)| {
            let place = format!("{name}[{index}]");
            let Value::String(text) = value else {
                return Err(self.wrong_type(&place, "a string"));
            };
            CiString::new(text).map_err(|error| self.wrong_value(&place, error.to_string()))
        };
        self.array(name)?.iter().enumerate().map(text).collect()
    }

    /// The error for a value of `name` that is not allowed.
    pub(crate) fn wrong_value(&self, name: &str, why: impl std::fmt::Display) -> CallError {
        CallError::new(
            ErrorCode::PropertyConstraintViolation,
            format!("{}{name}: {why}", self.path),
        )
    }

    /// The error for a missing, or one too many, `name`.
    pub(crate) fn wrong_count(&self, name: &str, why: impl std::fmt::Display) -> CallError {
        CallError::new(
            ErrorCode::OccurenceConstraintViolation,
            format!("{}{name}: {why}", self.path),
        )
    }

    fn wrong_type(&self, name: &str, expected: &str) -> CallError {
        CallError::new(
            ErrorCode::TypeConstraintViolation,
            format!("{}{name}: not {expected}", self.path),
        )
    }

    /// Numbers and booleans are taken for their text: some central systems send `"value": 60`.
    fn written(&self, name: &str) -> Result<Option<String>, CallError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) => {
                Err(self.wrong_type(name, "a string"))
            }
        }
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, CallError> {
        value.ok_or_else(|| self.wrong_count(name, "missing"))
    }

    fn array(&self, name: &str) -> Result<&'a [Value], CallError> {
        match self.present(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.wrong_type(name, "an array")),
        }
    }

    /// `null` is absent: JSON libraries write it for an empty option.
    fn present(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }
}

/// The integer that a float holds exactly; `None` for 1.5, infinities and beyond 2^53.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within +-2^53"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> Fields<'_> {
        Fields::new(value.as_object().unwrap())
    }

    #[test]
    fn integers_come_in_three_spellings() {
        let payload = json!({"a": 6, "b": 6.0, "c": "6", "d": 1e1, "e": 1099511627776_i64});
        let fields = fields(&payload);
        let read = ["a", "b", "c", "d", "e"].map(|name| fields.integer(name).unwrap());
        assert_eq!(read, [6, 6, 6, 10, 1 << 40]);
    }

    #[test]
    fn each_error_has_its_code_and_path() {
        let payload = json!({"o": {"list": [{"n": true}], "tag": "x".repeat(21), "kind": "no", "null": null, "half": 1.5}});
        let fields = fields(&payload);
        let object = fields.object("o").unwrap();
        let list = object.objects("list").unwrap();
        let errors = [
            list[0].integer("n").unwrap_err(),
            object.text::<20>("tag").unwrap_err(),
            object.choice("kind", &[("yes", 1)]).unwrap_err(),
            object.integer("null").unwrap_err(),
            object.integer("half").unwrap_err(),
        ];
        assert_eq!(
            errors.map(|error| error.to_string()),
            [
                "TypeConstraintViolation: o.list[0].n: not an integer",
                "PropertyConstraintViolation: o.tag: 21 characters where at most 20 are allowed",
                "PropertyConstraintViolation: o.kind: \"no\" is none of yes",
                "OccurenceConstraintViolation: o.null: missing",
                "TypeConstraintViolation: o.half: not an integer",
            ]
        );
    }
}
