//! What each command does. Everything but these is an error that says so.

use std::time::Duration;

use super::clients::Clients;
use super::glob;
use super::reply::Reply;
use super::store::{DATABASES, Database, Store};

const KNOWN: &str = "AUTH, CLIENT, COMMAND, DBSIZE, DEL, ECHO, EXISTS, HELLO, HGET, HGETALL, HLEN, \
    HSET, INFO, KEYS, PING, QUIT, \
                     SCAN, SELECT, TTL, TYPE";

/// What one client has chosen.
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) database: usize,
    pub(super) resp3: bool,
    pub(super) quit: bool,
}

impl Session {
    pub(super) fn new(id: u64) -> Self {
        Self { id, database: 0, resp3: false, quit: false }
    }
}

/// What INFO tells.
pub(super) struct Server<'a> {
    pub(super) run_id: &'a str,
    pub(super) port: u16,
    pub(super) uptime: Duration,
}

/// What a command may use.
pub(super) struct Context<'a> {
    pub(super) store: &'a mut Store,
    pub(super) clients: &'a mut Clients,
    pub(super) server: Server<'a>,
    pub(super) session: &'a mut Session,
}

impl Context<'_> {
    fn database(&mut self) -> &mut Database {
        self.store.database(self.session.database)
    }
}

/// Runs one request of at least one word.
pub(super) fn run(request: &[Vec<u8>], context: &mut Context<'_>) -> Reply {
    let (name, arguments) = request.split_first().expect("a request has a first word");
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
    let wrong = || {
        Reply::Error(format!("ERR wrong number of arguments for '{}' command", name.to_lowercase()))
    };
    match (name.as_str(), arguments.as_slice()) {
        ("PING", []) => Reply::Status("PONG"),
        ("PING" | "ECHO", [text]) => Reply::bulk(text),
        ("HELLO", options) => hello(options, context),
        ("AUTH", [user, _]) => auth(user),
        ("AUTH", [_]) => {
            Reply::Error("ERR AUTH <password> called without any password configured".to_owned())
        }
        ("SELECT", [index]) => select(index, context.session),
        ("CLIENT", [subcommand, rest @ ..]) => client(subcommand, rest, context),
        ("COMMAND", options) => command(options),
        ("INFO", _) => info(context),
        ("QUIT", _) => {
            context.session.quit = true;
            Reply::Status("OK")
        }
        ("HSET", [key, fields @ ..]) if !fields.is_empty() && fields.len() % 2 == 0 => {
            let pairs = fields.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            Reply::Int(context.database().set(key, pairs) as i64)
        }
        ("HGET", [key, field]) => context
            .database()
            .get(key)
            .and_then(|hash| hash.get(field))
            .map_or(Reply::Nil, Reply::bulk),
        ("HLEN", [key]) => {
            Reply::Int(context.database().get(key).map_or(0, |hash| hash.len() as i64))
        }
        ("HGETALL", [key]) => {
            let fields = context.database().get(key).into_iter().flat_map(|hash| hash.fields());
            Reply::Map(
                fields.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect(),
            )
        }
        ("TYPE", [key]) => {
            Reply::Status(if context.database().get(key).is_some() { "hash" } else { "none" })
        }
        ("TTL", [key]) => Reply::Int(if context.database().get(key).is_some() { -1 } else { -2 }),
        ("EXISTS", keys @ [_, ..]) => {
            let database = context.database();
            Reply::Int(keys.iter().filter(|key| database.get(key).is_some()).count() as i64)
        }
        ("DEL", keys @ [_, ..]) => {
            let database = context.database();
            Reply::Int(keys.iter().filter(|key| database.remove(key)).count() as i64)
        }
        ("KEYS", [pattern]) => {
            let keys = context.database().keys().filter(|key| glob::matches(pattern, key));
            Reply::Array(keys.map(Reply::bulk).collect())
        }
        ("SCAN", [cursor, options @ ..]) => scan(cursor, options, context.database()),
        ("DBSIZE", []) => Reply::Int(context.database().len() as i64),
        (known, _) if KNOWN.split(", ").any(|command| command == known) => wrong(),
        _ => Reply::Error(format!(
            "ERR unknown command '{}': the embedded store of traitsink knows {KNOWN}",
            name.chars().take(40).collect::<String>()
        )),
    }
}

fn syntax_error() -> Reply {
    Reply::Error("ERR syntax error".to_owned())
}

fn number<T: std::str::FromStr>(argument: &[u8]) -> Option<T> {
    std::str::from_utf8(argument).ok()?.parse().ok()
}

/// `HELLO [version [AUTH user password] [SETNAME name]]`
fn hello(options: &[&[u8]], context: &mut Context<'_>) -> Reply {
    let mut rest = options;
    if let [version, tail @ ..] = rest {
        match *version {
            b"2" => context.session.resp3 = false,
            b"3" => context.session.resp3 = true,
            _ => return Reply::Error("NOPROTO unsupported protocol version".to_owned()),
        }
        rest = tail;
    }
    loop {
        match rest {
            [] => break,
            [word, user, _, tail @ ..] if word.eq_ignore_ascii_case(b"AUTH") => match auth(user) {
                Reply::Status(_) => rest = tail,
                refused => return refused,
            },
            [word, name, tail @ ..] if word.eq_ignore_ascii_case(b"SETNAME") => {
                set_name(name, context);
                rest = tail;
            }
            _ => return syntax_error(),
        }
    }
    let text = |name: &str, value: &str| (Reply::bulk(name), Reply::bulk(value));
    Reply::Map(vec![
        text("server", "redis"),
        text("version", "7.0.0"),
        (Reply::bulk("proto"), Reply::Int(if context.session.resp3 { 3 } else { 2 })),
        (Reply::bulk("id"), Reply::Int(context.session.id as i64)),
        text("mode", "standalone"),
        text("role", "master"),
        (Reply::bulk("modules"), Reply::Array(Vec::new())),
    ])
}

/// There is one user, and it has no password.
fn auth(user: &[u8]) -> Reply {
    match user {
        b"default" => Reply::Status("OK"),
        _ => {
            Reply::Error("WRONGPASS invalid username-password pair or user is disabled.".to_owned())
        }
    }
}

fn select(index: &[u8], session: &mut Session) -> Reply {
    match number(index).filter(|&index: &usize| index < DATABASES) {
        Some(index) => {
            session.database = index;
            Reply::Status("OK")
        }
        None => Reply::Error("ERR DB index is out of range".to_owned()),
    }
}

fn set_name(name: &[u8], context: &mut Context<'_>) {
    if let Some(client) = context.clients.get_mut(context.session.id) {
        client.name = name.to_vec();
    }
}

fn client(subcommand: &[u8], arguments: &[&[u8]], context: &mut Context<'_>) -> Reply {
    let own = context.session.id;
    match (subcommand.to_ascii_uppercase().as_slice(), arguments) {
        (b"SETNAME", [name]) => {
            set_name(name, context);
            Reply::Status("OK")
        }
        (b"GETNAME", []) => match context.clients.get_mut(own) {
            Some(client) if !client.name.is_empty() => Reply::bulk(&client.name),
            _ => Reply::Nil,
        },
        (b"SETINFO", [_, _]) => Reply::Status("OK"),
        (b"ID", []) => Reply::Int(own as i64),
        (b"INFO", []) => Reply::bulk(describe(context, |id| id == own)),
        (b"LIST", []) => Reply::bulk(describe(context, |_| true)),
        (b"KILL", filters) => kill(filters, context),
        _ => Reply::Error(
            "ERR unknown subcommand: CLIENT takes SETNAME, GETNAME, SETINFO, ID, INFO, LIST, KILL \
             ID|ADDR"
                .to_owned(),
        ),
    }
}

/// A line for each client, as CLIENT LIST has them.
fn describe(context: &Context<'_>, wanted: impl Fn(u64) -> bool) -> String {
    let Session { database, resp3, .. } = *context.session;
    let line = |(id, client): (u64, &super::clients::Client)| {
        let (name, resp) = (String::from_utf8_lossy(&client.name), if resp3 { 3 } else { 2 });
        format!("id={id} addr={} name={name} db={database} resp={resp}\n", client.addr)
    };
    context.clients.iter().filter(|(id, _)| wanted(*id)).map(line).collect()
}

/// `CLIENT KILL [ID n] [ADDR a]`
fn kill(filters: &[&[u8]], context: &mut Context<'_>) -> Reply {
    let (mut id, mut addr) = (None, None);
    for filter in filters.chunks(2) {
        match filter {
            [name, value] if name.eq_ignore_ascii_case(b"ID") => match number(value) {
                Some(number) => id = Some(number),
                None => return Reply::Error("ERR client-id should be greater than 0".to_owned()),
            },
            [name, value] if name.eq_ignore_ascii_case(b"ADDR") => addr = Some(*value),
            _ => return syntax_error(),
        }
    }
    if filters.is_empty() {
        return syntax_error();
    }
    Reply::Int(context.clients.kill(context.session.id, id, addr) as i64)
}

/// What redis-cli asks for at its start: it gets along with an empty answer.
fn command(options: &[&[u8]]) -> Reply {
    match options.first().map(|option| option.to_ascii_uppercase()).as_deref() {
        Some(b"COUNT") => Reply::Int(KNOWN.split(", ").count() as i64),
        Some(b"DOCS") => Reply::Map(Vec::new()),
        _ => Reply::Array(Vec::new()),
    }
}

fn info(context: &Context<'_>) -> Reply {
    let Server { run_id, port, uptime } = context.server;
    let mut text = format!(
        "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nserver_name:traitsink\r\nrun_id:{run_id}\r\ntcp_port:{port}\r\n\
         uptime_in_seconds:{}\r\n\r\n# Clients\r\nconnected_clients:{}\r\n\r\n# \
         Memory\r\nmaxmemory:0\r\n\
         maxmemory_policy:noeviction\r\n\r\n# Persistence\r\nloading:0\r\n\r\n# \
         Replication\r\nrole:master\r\n\r\n\
         # Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n",
        uptime.as_secs(),
        context.clients.len(),
    );
    for (index, size) in context.store.sizes().enumerate().filter(|(_, size)| *size > 0) {
        text.push_str(&format!("db{index}:keys={size},expires=0,avg_ttl=0\r\n"));
    }
    Reply::bulk(text)
}

/// `SCAN cursor [MATCH pattern] [COUNT n] [TYPE hash]`
fn scan(cursor: &[u8], options: &[&[u8]], database: &Database) -> Reply {
    let Some(cursor) = number(cursor) else { return Reply::Error("ERR invalid cursor".to_owned()) };
    let (mut pattern, mut count, mut hashes) = (&b"*"[..], 10, true);
    for option in options.chunks(2) {
        match option {
            [name, value] if name.eq_ignore_ascii_case(b"MATCH") => pattern = value,
            [name, value] if name.eq_ignore_ascii_case(b"TYPE") => {
                hashes = value.eq_ignore_ascii_case(b"hash")
            }
            [name, value] if name.eq_ignore_ascii_case(b"COUNT") => {
                match number(value).filter(|&n| n > 0) {
                    Some(number) => count = number,
                    None => return syntax_error(),
                }
            }
            _ => return syntax_error(),
        }
    }
    let (next, keys) = database.scan(cursor, count);
    let keys = keys.into_iter().filter(|key| hashes && glob::matches(pattern, key));
    Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(keys.map(Reply::bulk).collect())])
}
