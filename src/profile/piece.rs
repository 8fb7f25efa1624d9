//! Text with variables in braces: `{prefix}traitsink:suppressed`.

/// Reads text whose only variable is `{prefix}`: the prefix and a colon, or nothing where that is
/// empty. `{{` and `}}` are single braces.
///
/// # Errors
/// What is wrong and what to do about it.
pub fn fill_in_prefix(text: &str, prefix: &str) -> Result<String, String> {
    let colon = if prefix.is_empty() { "" } else { ":" };
    let pieces = Pieces(text).map(|piece| match piece? {
        Piece::Text(text) => Ok(text.to_owned()),
        Piece::Variable("prefix") => Ok(format!("{prefix}{colon}")),
        Piece::Variable(name) => Err(format!(
            "{{{name}}} is no variable here: known is {{prefix}}; for a brace in the key write \
             {{{{ or }}}}"
        )),
    });
    pieces.collect()
}

/// A piece of a template as it is typed.
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// The name between the braces.
    Variable(&'a str),
}

/// The pieces of a text, up to the first that is wrong.
pub(super) struct Pieces<'a>(pub(super) &'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        let (piece, len) = match text.find(['{', '}']) {
            None => (Ok(Piece::Text(text)), text.len()),
            Some(0) if text.starts_with("{{") || text.starts_with("}}") => {
                (Ok(Piece::Text(&text[..1])), 2)
            }
            Some(0) => match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((name, _)) => (Ok(Piece::Variable(name)), name.len() + 2),
                None => {
                    let brace = &text[..1];
                    let error = format!(
                        "has a single \"{brace}\": for a brace in the key write {brace}{brace}"
                    );
                    (Err(error), text.len())
                }
            },
            Some(brace) => (Ok(Piece::Text(&text[..brace])), brace),
        };
        self.0 = &text[len..];
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_filled_in() {
        for (text, prefix, filled) in [
            ("{prefix}traitsink:suppressed", "", "traitsink:suppressed"),
            ("{prefix}traitsink:suppressed", "p", "p:traitsink:suppressed"),
            ("{{{prefix}}}s", "p", "{p:}s"),
            ("s", "p", "s"),
        ] {
            assert_eq!(fill_in_prefix(text, prefix), Ok(filled.into()));
        }
        for (text, error) in [
            (
                "{userId}",
                "{userId} is no variable here: known is {prefix}; for a brace in the key write {{ \
                 or }}",
            ),
            ("a{", "has a single \"{\": for a brace in the key write {{"),
            ("a}", "has a single \"}\": for a brace in the key write }}"),
        ] {
            assert_eq!(fill_in_prefix(text, "").unwrap_err(), error);
        }
    }
}
