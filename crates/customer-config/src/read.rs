//! From a file's values to complete ones: defaults filled in, wrong values put right or refused.

use serde_json::{Map, Value};

use crate::error::shortened;
use crate::key::{Key, Kind, Verdict, WhenWrong};
use crate::syntax::join;
use crate::tree::{Tree, printed_name};
use crate::{ConfigError, Warning};

/// The complete values of a file, and what was put right.
///
/// # Errors
/// When the file is not an object, or a value is wrong whose default would be dangerous.
pub(crate) fn read(
    keys: impl IntoIterator<Item = &'static Key>,
    file: &Value,
) -> Result<(Value, Vec<Warning>), ConfigError> {
    if !file.is_object() {
        return Err(wrong("the file", file, "an object { }"));
    }
    let mut reader = Reader {
        warnings: Vec::new(),
    };
    let value = reader.node(&Tree::of(keys), Some(file), "")?;
    Ok((value.unwrap_or_default(), reader.warnings))
}

struct Reader {
    warnings: Vec<Warning>,
}

impl Reader {
    fn node(
        &mut self,
        tree: &Tree,
        value: Option<&Value>,
        path: &str,
    ) -> Result<Option<Value>, ConfigError> {
        match tree.children.as_slice() {
            [] => self.leaf(tree, value, path),
            [("[0]", first)] => self.first_item(first, value, path),
            [("[]", item)] => self.items(tree, item, value, path),
            _ => self.object(tree, value, path),
        }
    }

    fn leaf(
        &mut self,
        tree: &Tree,
        value: Option<&Value>,
        path: &str,
    ) -> Result<Option<Value>, ConfigError> {
        let Some(key) = tree.key else { return Ok(None) };
        let Some(value) = value else {
            return Ok(key.initial.value());
        };
        match key.kind.judge(value) {
            Verdict::Good(value) => Ok(Some(value)),
            Verdict::Adjusted(used) => {
                self.warnings.push(Warning::Adjusted {
                    path: path.to_owned(),
                    value: shortened(value),
                    used: shortened(&used),
                });
                Ok(Some(used))
            }
            Verdict::Wrong if key.when_wrong == WhenWrong::Refuse => {
                Err(wrong(path, value, &key.kind.allowed()))
            }
            Verdict::Wrong => {
                let initial = key.initial.value();
                let used = initial.as_ref().map_or("nothing".to_owned(), shortened);
                self.replaced(path, value, key.kind.allowed(), used);
                Ok(initial)
            }
        }
    }

    /// `ports`: only the first is built in.
    fn first_item(
        &mut self,
        tree: &Tree,
        value: Option<&Value>,
        path: &str,
    ) -> Result<Option<Value>, ConfigError> {
        let items = match value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => return self.wrong_container(tree, other, path, "an array"),
            None => &[],
        };
        for index in 1..items.len() {
            self.warnings.push(Warning::Ignored {
                path: format!("{path}[{index}]"),
                reason: "the station has one port",
            });
        }
        let first = self.node(tree, items.first(), &format!("{path}[0]"))?;
        Ok(Some(Value::Array(first.into_iter().collect())))
    }

    fn items(
        &mut self,
        tree: &Tree,
        item: &Tree,
        value: Option<&Value>,
        path: &str,
    ) -> Result<Option<Value>, ConfigError> {
        let initial = tree.key.and_then(|key| key.initial.value());
        let items = match value.or(initial.as_ref()) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => return self.wrong_container(tree, other, path, "an array of objects"),
            None => &[],
        };
        let max = match tree.key.map(|key| key.kind) {
            Some(Kind::Items { max }) => max,
            _ => items.len(),
        };
        let mut read = Vec::new();
        for (index, value) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if index < max {
                read.extend(self.node(item, Some(value), &path)?);
            } else {
                self.warnings.push(Warning::Ignored {
                    path,
                    reason: "there are more than can be used",
                });
            }
        }
        Ok(Some(Value::Array(read)))
    }

    fn object(
        &mut self,
        tree: &Tree,
        value: Option<&Value>,
        path: &str,
    ) -> Result<Option<Value>, ConfigError> {
        let initial = tree.key.and_then(|key| key.initial.value());
        let no_members = Map::new();
        let members = match value.or(initial.as_ref()) {
            Some(Value::Object(members)) => members,
            Some(other) => return self.wrong_container(tree, other, path, "an object"),
            None => &no_members,
        };
        let mut read = Map::new();
        for (name, child) in tree.children.iter().filter(|(name, _)| *name != "*") {
            let member = self.member(members, name, path);
            let value = self.node(child, member.as_ref(), &join(path, name))?;
            read.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        let any_name = tree.children.iter().find(|(name, _)| *name == "*");
        for (name, member) in members {
            let path = join(path, name);
            if let Some((_, child)) = any_name {
                let value = self.node(child, Some(member), &path)?;
                read.extend(value.map(|value| (name.clone(), value)));
            } else if !tree
                .children
                .iter()
                .any(|(known, _)| is_spelling_of(name, known))
            {
                self.warnings.push(Warning::UnknownKey { path });
            }
        }
        Ok(Some(Value::Object(read)))
    }

    /// The member `name`, completed by what stands below its printed name.
    fn member(&mut self, members: &Map<String, Value>, name: &str, path: &str) -> Option<Value> {
        let own = members.get(name);
        let Some((printed, other)) = printed_name(name).and_then(|n| members.get_key_value(n))
        else {
            return own.cloned();
        };
        self.warnings.push(Warning::Adjusted {
            path: join(path, printed),
            value: "a misprint of the guide".to_owned(),
            used: join(path, name),
        });
        match (own, other) {
            (Some(Value::Object(own)), Value::Object(other)) => {
                let mut both = other.clone();
                both.extend(own.clone());
                Some(Value::Object(both))
            }
            (Some(own), _) => Some(own.clone()),
            (None, other) => Some(other.clone()),
        }
    }

    fn wrong_container(
        &mut self,
        tree: &Tree,
        value: &Value,
        path: &str,
        allowed: &str,
    ) -> Result<Option<Value>, ConfigError> {
        if tree.is_refused_when_wrong() {
            return Err(wrong(path, value, allowed));
        }
        self.replaced(path, value, allowed.to_owned(), "the default".to_owned());
        self.node(tree, None, path)
    }

    fn replaced(&mut self, path: &str, value: &Value, allowed: String, used: String) {
        let (path, value) = (path.to_owned(), shortened(value));
        self.warnings.push(Warning::WrongValue {
            path,
            value,
            allowed,
            used,
        });
    }
}

fn is_spelling_of(name: &str, known: &str) -> bool {
    name == known || printed_name(known) == Some(name)
}

fn wrong(path: &str, value: &Value, allowed: &str) -> ConfigError {
    ConfigError::WrongValue {
        path: path.to_owned(),
        value: shortened(value),
        allowed: allowed.to_owned(),
    }
}
