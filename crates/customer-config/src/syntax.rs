//! JSON with `//` and `/* */` comments, and nothing more lenient than that.

use std::collections::HashSet;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use crate::ConfigError;

/// Only comments beyond JSON; the parser's defaults would take far more.
pub(crate) const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The value of a file.
///
/// # Errors
/// For bad syntax, an empty file and keys that are there twice.
pub(crate) fn parse(text: &str) -> Result<Value, ConfigError> {
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|e| syntax_error(&e))?;
    let value = parsed.value.ok_or(ConfigError::Empty)?;
    convert(&value, "", text)
}

pub(crate) fn syntax_error(error: &jsonc_parser::errors::ParseError) -> ConfigError {
    ConfigError::Syntax {
        line: error.line_display(),
        column: error.column_display(),
        message: error.kind().to_string(),
    }
}

fn convert(value: &ast::Value<'_>, path: &str, text: &str) -> Result<Value, ConfigError> {
    match value {
        ast::Value::NullKeyword(_) => Ok(Value::Null),
        ast::Value::BooleanLit(literal) => Ok(Value::Bool(literal.value)),
        ast::Value::StringLit(literal) => Ok(Value::String(literal.value.to_string())),
        ast::Value::NumberLit(literal) => {
            let number = literal.value.parse().map(Value::Number);
            number.map_err(|_| ConfigError::WrongValue {
                path: path.to_owned(),
                value: literal.value.chars().take(64).collect(),
                allowed: "a number that fits 64 bits".to_owned(),
            })
        }
        ast::Value::Array(array) => {
            let items = array.elements.iter().enumerate();
            items
                .map(|(index, item)| convert(item, &format!("{path}[{index}]"), text))
                .collect()
        }
        ast::Value::Object(object) => convert_object(object, path, text),
    }
}

fn convert_object(object: &ast::Object<'_>, path: &str, text: &str) -> Result<Value, ConfigError> {
    let mut seen = HashSet::new();
    let mut map = serde_json::Map::new();
    for property in &object.properties {
        let name = property.name.as_str();
        let path = join(path, name);
        if !seen.insert(name) {
            let (line, column) = position(text, property.range.start());
            return Err(ConfigError::Duplicate { path, line, column });
        }
        map.insert(name.to_owned(), convert(&property.value, &path, text)?);
    }
    Ok(Value::Object(map))
}

/// `path` extended by a key.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// Line and column of a byte, both counted from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn comments_are_allowed() {
        let value = parse("// first\n{ /* inner */ \"a\": 1 // last\n}\n/* end */").unwrap();
        assert_eq!(value, serde_json::json!({"a": 1}));
    }

    #[test]
    fn everything_else_beyond_json_is_not() {
        for wrong in [
            "{'a': 1}",
            "{a: 1}",
            "{\"a\": 1,}",
            "[1,]",
            "[1 2]",
            "{\"a\": 0x10}",
            "{\"a\": +1}",
            "{\"a\": .5}",
            "{\"a\": 5.}",
            "{\"a\": NaN}",
            "{\"a\": Infinity}",
            "# comment\n{}",
            "{\"a\": \"\\x41\"}",
            "{\"a\": 1",
            "{} {}",
            "{} x",
            "/* open",
            "{\"a\": \"open}",
            "{\"a\": undefined}",
            "\u{0}",
            "{\"a\": tru}",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_file_is_an_error() {
        for empty in ["", "  \n", "// nothing", "/* nothing */\n"] {
            assert!(matches!(parse(empty), Err(ConfigError::Empty)), "{empty:?}");
        }
    }

    #[test]
    fn errors_tell_line_and_column() {
        assert_eq!(
            message("{\n  \"a\": {\n    \"b\": 1,\n    \"b\": 2\n  }\n}"),
            "line 4, column 5: a/b is there twice"
        );
        assert!(message("{\n  \"a\": 1,\n}").starts_with("line "));
        assert!(message("{}\n\n  garbage").starts_with("line 3, column 3"));
    }

    #[test]
    fn escaped_spellings_of_one_key_are_duplicates() {
        assert!(matches!(
            parse(r#"{"a": 1, "\u0061": 2}"#),
            Err(ConfigError::Duplicate { .. })
        ));
    }

    #[test]
    fn depth_and_size_of_numbers_are_limited() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("{}{}", "{\"a\":".repeat(100_000), "1")).is_err());
        assert!(message("{\"a\": 1e999}").contains("a is 1e999"));
    }
}
