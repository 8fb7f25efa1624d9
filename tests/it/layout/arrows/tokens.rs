//! Reads the tokens of macros and attributes: paths, and items that a macro defines.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Keys of attributes whose text is a path.
const KEYS_OF_PATHS: [&str; 7] =
    ["default", "deserialize_with", "from", "into", "schema_with", "serialize_with", "try_from"];

/// The paths in the tokens, at any depth. A single lower-case name counts only if it is called:
/// otherwise it is a variable, a field or a key.
pub(super) fn paths(tokens: TokenStream) -> Vec<Vec<String>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => found.extend(paths(group.stream())),
            TokenTree::Ident(_) => {
                let path = path(&tokens[at..]);
                let end = at + 3 * path.len() - 2;
                if !is_part_of_another(&tokens[..at], &path[0])
                    && (path.len() > 1 || can_stand_alone(&path[0], tokens.get(end)))
                {
                    found.push(path);
                }
                at = end;
                continue;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
    found
}

/// The path `a::b::c` at the start of the tokens, which begin with a name.
fn path(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(name), after @ ..] = rest {
        path.push(name.to_string());
        match after {
            [colon, second, next @ ..] if is(colon, ':') && is(second, ':') => rest = next,
            _ => break,
        }
    }
    path
}

/// True for a field or method (`.x`), the rest of a path (`<T>::x`), a lifetime, or a macro's
/// variable.
fn is_part_of_another(before: &[TokenTree], name: &str) -> bool {
    match before {
        [.., first, second] if is(second, '.') => !is(first, '.'),
        [.., first, second] if is(second, ':') => is(first, ':'),
        [.., dollar] if is(dollar, '$') => name != "crate",
        [.., last] => is(last, '.') || is(last, '\''),
        [] => false,
    }
}

fn can_stand_alone(name: &str, next: Option<&TokenTree>) -> bool {
    let is_called = match next {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
        Some(token) => is(token, '!'),
        None => false,
    };
    is_called || name.starts_with(char::is_uppercase)
}

fn is(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The paths in texts such as `default = "super::ten"`.
pub(super) fn quoted_paths(tokens: TokenStream) -> Vec<Vec<String>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for three in tokens.windows(3) {
        if let [TokenTree::Ident(key), equals, TokenTree::Literal(text)] = three
            && is(equals, '=')
            && KEYS_OF_PATHS.iter().any(|known| key == known)
            && let Ok(text) = syn::parse_str::<syn::LitStr>(&text.to_string())
            && let Ok(path) = text.parse::<syn::Path>()
        {
            found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
    }
    found
}

/// The names of the items that a macro probably defines: a name after a word such as `enum`, or
/// before braces. `true` marks the name of a type.
pub(super) fn definitions(tokens: TokenStream) -> Vec<(String, bool)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for two in tokens.windows(2) {
        match two {
            [TokenTree::Ident(word), TokenTree::Ident(name)] => {
                let is_type =
                    ["enum", "struct", "trait", "type", "union"].iter().any(|known| word == known);
                if is_type || ["const", "fn", "static"].iter().any(|known| word == known) {
                    found.push((name.to_string(), is_type));
                }
            }
            [TokenTree::Ident(name), TokenTree::Group(group)]
                if group.delimiter() == Delimiter::Brace =>
            {
                found.push((name.to_string(), true));
            }
            _ => {}
        }
    }
    found.dedup();
    found
}
