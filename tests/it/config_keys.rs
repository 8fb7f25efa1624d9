//! Templates of keys and prefixes that events choose, and their exact errors.

use traitsink::config::{KeyTemplate, Prefix};

use crate::config_profile::{config, refuse};

#[test]
fn templates_make_the_keys() {
    let keys = |settings: &[&str]| {
        let redis = config(settings).redis;
        let key = |template: &KeyTemplate| {
            let mut key = Vec::new();
            template.push(&mut key, &redis.prefix, b"1");
            String::from_utf8(key).unwrap()
        };
        (key(&redis.key), redis.group_key.as_ref().map(key).unwrap_or_default())
    };
    for (settings, user, group) in [
        (&[][..], "user:1", ""),
        (&["redis.prefix=p"], "p:user:1", ""),
        (&["redis.key=", "redis.group_key="], "user:1", ""),
        (&["redis.key=user:{{{userId}}}"], "user:{1}", ""),
        (&["redis.key=a:{prefix}b:{userId}:v2", "redis.prefix=p"], "a:p:b:1:v2", ""),
        (&["redis.group_key={prefix}group:{groupId}", "redis.prefix=p"], "p:user:1", "p:group:1"),
        (&["redis.key=c:{userId}:u", "redis.group_key=c:{groupId}:g"], "c:1:u", "c:1:g"),
    ] {
        assert_eq!(keys(settings), (user.into(), group.into()), "{settings:?}");
    }
}

#[test]
fn templates_that_cannot_work_are_refused() {
    refuse(&[
        ("redis.key=user", "redis.key (--set): {userId} is missing: it must be there exactly once"),
        (
            "redis.key=u:{userId}{userId}",
            "redis.key (--set): {userId} occurs several times: it must be there exactly once",
        ),
        (
            "redis.key={prefix}{userId}",
            "redis.key (--set): needs fixed text before {userId}, such as \"user:\": without it \
             an id could name any key",
        ),
        (
            "redis.key=user:{userId}:{anonymousId}",
            "redis.key (--set): {anonymousId} is no variable here: known are {prefix} and \
             {userId}; for a brace in the key write {{ or }}",
        ),
        (
            "redis.key=user:{userId",
            "redis.key (--set): has a single \"{\": for a brace in the key write {{",
        ),
        (
            "redis.key=user:{userId}}",
            "redis.key (--set): has a single \"}\": for a brace in the key write }}",
        ),
        (
            "redis.group_key=group:{userId}",
            "redis.group_key (--set): {userId} is no variable here: known are {prefix} and \
             {groupId}; for a brace in the key write {{ or }}",
        ),
        (
            "redis.group_key={prefix}user:{groupId}",
            "redis.group_key (--set): a group could have the key of a user, which redis.key makes: \
             write another fixed text before {groupId}",
        ),
        (
            "redis.key=u{userId}; redis.group_key=us{groupId}",
            "redis.group_key (--set): a group could have the key of a user, which redis.key \
             (--set) makes: write another fixed text before {groupId}",
        ),
        (
            "redis.group_key={prefix}group:{groupId}; redis.prefix=p; \
             http.sources=[{write_key=\"k\",prefix=\"p:group\"}]",
            "redis.group_key (--set): a group could have the key of a user, which redis.key makes: \
             write another fixed text before {groupId}",
        ),
        (
            "redis.key=user:{userId}; redis.prefix=p",
            "redis.key (--set): has no {prefix}, but redis.prefix (--set) is set: write {prefix} \
             where it belongs, such as \"{prefix}user:{userId}\"",
        ),
        (
            "redis.key=user:{userId}; redis.prefix={{event.a||}}",
            "redis.key (--set): has no {prefix}, but redis.prefix (--set) is set: write {prefix} \
             where it belongs, such as \"{prefix}user:{userId}\"",
        ),
        (
            "redis.key=user:{userId}; http.sources=[{write_key=\"k\",name=\"web\",prefix=\"p\"}]",
            "redis.key (--set): has no {prefix}, but the prefix of \"web\" in http.sources is set: \
             write {prefix} where it belongs, such as \"{prefix}user:{userId}\"",
        ),
        (
            "redis.group_key=group:{groupId}; redis.prefix=p",
            "redis.group_key (--set): has no {prefix}, but redis.prefix (--set) is set: write \
             {prefix} where it belongs, such as \"{prefix}group:{groupId}\"",
        ),
        (
            "redis.key=traitsink:{userId}; deletion.event=e",
            "redis.key (--set): with some {userId} the key would be \"traitsink:suppressed\", \
             which is deletion.suppressions_key: change one of them",
        ),
        (
            "redis.group_key={prefix}traitsink:{groupId}; redis.prefix=p; deletion.event=e",
            "redis.group_key (--set): with some {groupId} the key would be \
             \"p:traitsink:suppressed\", which is deletion.suppressions_key: change one of them",
        ),
        (
            "redis.prefix={{event.a||b}}; deletion.suppressions_key=x:user:s",
            "redis.key: with some {userId} the key would be \"x:user:s\", which is \
             deletion.suppressions_key (--set): change one of them",
        ),
    ]);
    // Without a deletion nobody reads that key, and another prefix makes other ones.
    config(&["redis.key=traitsink:{userId}"]);
    config(&["redis.prefix=p", "deletion.suppressions_key=x:user:s"]);
}

#[test]
fn events_may_choose_the_prefix() {
    let chosen = |path: &[&str], default: &str| Prefix::Dynamic {
        path: path.iter().map(ToString::to_string).collect(),
        default: default.to_owned(),
    };
    let redis = config(&["redis.prefix= {{ event.context.tenant || \" a b \" }} "]).redis;
    assert_eq!(redis.prefix_rule, chosen(&["context", "tenant"], "a b"));
    assert_eq!(redis.prefix, "a b");
    let sources = "http.sources=[{write_key=\"k\",prefix=\"{{event.traits.t||}}\"},\
        {write_key=\"l\",prefix=\" p \"},{write_key=\"m\"}]";
    let keys = config(&[sources]).http.unwrap().write_keys;
    let rules: Vec<_> = keys.into_iter().map(|key| key.prefix_rule).collect();
    let fixed = Prefix::Fixed("p".into());
    assert_eq!(rules, [Some(chosen(&["traits", "t"], "")), Some(fixed), None]);
    const TEMPLATE: &str = "\"{{\" starts a template: write it as the whole text, with a default, \
        such as \"{{ event.context.tenant || none }}\"";
    const PATH: &str = "its path must be \"event.\" and names of letters, digits and \"_\", \
        separated by dots, such as \"{{ event.context.tenant || none }}\"";
    for (prefix, error) in [
        ("{{event.x}}", TEMPLATE),
        ("a{{event.x||b}}", TEMPLATE),
        ("{{event.x||b}}c", TEMPLATE),
        ("{{context.x||b}}", PATH),
        ("{{event||b}}", PATH),
        ("{{event.a-b||c}}", PATH),
    ] {
        refuse(&[(&format!("redis.prefix={prefix}"), &format!("redis.prefix (--set): {error}"))]);
        let source = format!("http.sources=[{{write_key=\"k\",prefix=\"{prefix}\"}}]");
        refuse(&[(&source, &format!("http.sources[0].prefix (--set): {error}"))]);
    }
}
