//! An expression's parts between comparisons and `and`, `or`, `unless`.

/// Operators that part an expression. A longer one stands before those that it begins with.
const OPERATORS: &[&str] = &["==", "!=", ">=", "<=", ">", "<", " and ", " or ", " unless "];

/// The parts of `expression` on both sides of each operator that stands outside of brackets.
pub(super) fn sides(expression: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut at) = (0_u32, false, 0, 0);
    let mut found = Vec::new();
    while at < expression.len() {
        let rest = &expression[at..];
        let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
        match rest.as_bytes()[0] {
            b'"' => quoted = !quoted,
            b'(' | b'{' | b'[' if !quoted => depth += 1,
            b')' | b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
        if let Some(operator) = operator.filter(|_| depth == 0 && !quoted) {
            found.push(expression[start..at].trim());
            at += operator.len();
            start = at + matching(&expression[at..]);
            at = start;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found.push(expression[start..].trim());
    found
}

/// The length of `on (..)` at the beginning of `text`; 0 if it is not there.
fn matching(text: &str) -> usize {
    let labels = text.trim_start().starts_with("on (");
    if labels { text.find(')').map_or(0, |end| end + 1) } else { 0 }
}

#[test]
fn an_expression_is_parted_outside_of_brackets() {
    for (expression, parts) in [
        ("sum(a) / 2", &["sum(a) / 2"][..]),
        ("a == 0", &["a", "0"]),
        ("a{b=\"x > y\", c!=\"z\"} >= 0.9 * 2", &["a{b=\"x > y\", c!=\"z\"}", "0.9 * 2"]),
        ("up == 0 and on (job, instance) max(b > 1)", &["up", "0", "max(b > 1)"]),
        ("a or vector(0)", &["a", "vector(0)"]),
    ] {
        assert_eq!(sides(expression), parts, "{expression}");
    }
}
