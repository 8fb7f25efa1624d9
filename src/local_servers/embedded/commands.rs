//! Runs the commands that the embedded store knows. Any other is answered with their list.

use std::time::Duration;

use super::clients::Clients;
use super::databases::{DATABASES, Database, Databases};
use super::glob;
use super::hash::Millis;
use super::key_end;
use super::number::number;
use super::reply::RespReply;
use super::scan;
use super::scripts;

/// The commands that the embedded store knows.
const KNOWN: &str = "AUTH, CLIENT, COMMAND, DBSIZE, DEL, ECHO, EVALSHA, EXISTS, EXPIRE, EXPIREAT, \
    HDEL, HELLO, HEXPIRE, HGET, HGETALL, HLEN, HMGET, HPEXPIRE, HPTTL, HSCAN, HSET, HTTL, INFO, \
    KEYS, PERSIST, PEXPIRE, PEXPIREAT, PING, PTTL, QUIT, SCAN, SCRIPT, SELECT, TTL, TYPE, UNLINK";

/// The version of Redis that has these commands.
const VERSION: &str = "7.4.0";

/// The state of one client's connection.
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

/// The facts about the server that INFO reports.
pub(super) struct ServerFacts<'a> {
    pub(super) run_id: &'a str,
    pub(super) port: u16,
    pub(super) uptime: Duration,
}

/// The state that a command reads and changes.
pub(super) struct CommandContext<'a> {
    pub(super) databases: &'a mut Databases,
    pub(super) clients: &'a mut Clients,
    pub(super) server: ServerFacts<'a>,
    pub(super) session: &'a mut Session,
    pub(super) now: Millis,
}

impl CommandContext<'_> {
    fn database(&mut self) -> &mut Database {
        self.databases.database(self.session.database)
    }
}

/// Runs one request of at least one word.
pub(super) fn run(request: &[Vec<u8>], context: &mut CommandContext<'_>) -> RespReply {
    let (name, arguments) = request.split_first().expect("a request has a first word");
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
    let wrong = || {
        RespReply::Error(format!(
            "ERR wrong number of arguments for '{}' command",
            name.to_lowercase()
        ))
    };
    context.databases.remove_ended(context.now);
    match (name.as_str(), arguments.as_slice()) {
        ("PING", []) => RespReply::Status("PONG"),
        ("PING" | "ECHO", [text]) => RespReply::bulk(text),
        ("HELLO", options) => hello(options, context),
        ("AUTH", [user, _]) => auth(user),
        ("AUTH", [_]) => RespReply::Error(
            "ERR AUTH <password> called without any password configured".to_owned(),
        ),
        ("SELECT", [index]) => select(index, context.session),
        ("CLIENT", [subcommand, rest @ ..]) => client(subcommand, rest, context),
        ("COMMAND", options) => command(options),
        ("INFO", _) => info(context),
        ("QUIT", _) => {
            context.session.quit = true;
            RespReply::Status("OK")
        }
        ("HSET", [key, fields @ ..]) if !fields.is_empty() && fields.len() % 2 == 0 => {
            let pairs = fields.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            let set = context
                .database()
                .change(key, |hash| pairs.filter(|(name, value)| hash.set(name, value)).count());
            RespReply::Int(set as i64)
        }
        ("HDEL", [key, names @ ..]) if !names.is_empty() => {
            let removed = context
                .database()
                .change(key, |hash| names.iter().filter(|name| hash.remove(name)).count());
            RespReply::Int(removed as i64)
        }
        ("HGET", [key, field]) => context
            .database()
            .get(key)
            .and_then(|hash| hash.get(field))
            .map_or(RespReply::Nil, RespReply::bulk),
        ("HMGET", [key, names @ ..]) if !names.is_empty() => {
            let hash = context.database().get(key);
            let value = |name: &&[u8]| hash.and_then(|hash| hash.get(name));
            RespReply::Array(
                names
                    .iter()
                    .map(|name| value(name).map_or(RespReply::Nil, RespReply::bulk))
                    .collect(),
            )
        }
        ("HLEN", [key]) => {
            RespReply::Int(context.database().get(key).map_or(0, |hash| hash.len() as i64))
        }
        ("HGETALL", [key]) => {
            let fields = context.database().get(key).into_iter().flat_map(|hash| hash.fields());
            RespReply::Map(
                fields
                    .map(|(name, value)| (RespReply::bulk(name), RespReply::bulk(value)))
                    .collect(),
            )
        }
        ("TYPE", [key]) => {
            RespReply::Status(if context.database().get(key).is_some() { "hash" } else { "none" })
        }
        ("TTL" | "PTTL", [key]) => key_end::ttl(&name, key, context.now, context.database()),
        ("PERSIST", [key]) => key_end::persist(key, context.database()),
        ("EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT", [key, time, options @ ..]) => {
            key_end::expire(&name, [key, time], options, context.now, context.database())
        }
        ("HEXPIRE" | "HPEXPIRE", [key, time, fields @ ..]) => {
            key_end::expire_fields(&name, [key, time], fields, context.now, context.database())
        }
        ("HTTL" | "HPTTL", [key, fields @ ..]) => {
            key_end::field_ttls(&name, key, fields, context.now, context.database())
        }
        ("SCRIPT", [load, text]) if load.eq_ignore_ascii_case(b"LOAD") => scripts::load(text),
        ("SCRIPT", _) => RespReply::Error("ERR unknown subcommand: SCRIPT takes LOAD".to_owned()),
        ("EVALSHA", [sha, b"1", key, arguments @ ..]) => {
            scripts::call(sha, key, arguments, context.now, context.database())
        }
        ("EXISTS", keys @ [_, ..]) => {
            let database = context.database();
            RespReply::Int(keys.iter().filter(|key| database.get(key).is_some()).count() as i64)
        }
        ("DEL" | "UNLINK", keys @ [_, ..]) => {
            let database = context.database();
            RespReply::Int(keys.iter().filter(|key| database.remove(key)).count() as i64)
        }
        ("KEYS", [pattern]) => {
            let keys = context.database().keys().filter(|key| glob::matches(pattern, key));
            RespReply::Array(keys.map(RespReply::bulk).collect())
        }
        ("SCAN", [cursor, options @ ..]) => scan::keys(cursor, options, context.database()),
        ("HSCAN", [key, cursor, options @ ..]) => {
            scan::fields(context.database().get(key), cursor, options)
        }
        ("DBSIZE", []) => RespReply::Int(context.database().len() as i64),
        (known, _) if KNOWN.split(", ").any(|command| command == known) => wrong(),
        _ => RespReply::Error(format!(
            "ERR unknown command '{}': the embedded store of traitsink knows {KNOWN}",
            name.chars().take(40).collect::<String>()
        )),
    }
}

fn syntax_error() -> RespReply {
    RespReply::Error("ERR syntax error".to_owned())
}

/// `HELLO [version]`
fn hello(options: &[&[u8]], context: &mut CommandContext<'_>) -> RespReply {
    match options {
        [] => {}
        [b"2"] => context.session.resp3 = false,
        [b"3"] => context.session.resp3 = true,
        [_] => return RespReply::Error("NOPROTO unsupported protocol version".to_owned()),
        _ => return syntax_error(),
    }
    let text = |name: &str, value: &str| (RespReply::bulk(name), RespReply::bulk(value));
    RespReply::Map(vec![
        text("server", "redis"),
        text("version", VERSION),
        (RespReply::bulk("proto"), RespReply::Int(if context.session.resp3 { 3 } else { 2 })),
        (RespReply::bulk("id"), RespReply::Int(context.session.id as i64)),
        text("mode", "standalone"),
        text("role", "master"),
        (RespReply::bulk("modules"), RespReply::Array(Vec::new())),
    ])
}

/// Accepts the one user that there is, `default`; it has no password.
fn auth(user: &[u8]) -> RespReply {
    match user {
        b"default" => RespReply::Status("OK"),
        _ => RespReply::Error(
            "WRONGPASS invalid username-password pair or user is disabled.".to_owned(),
        ),
    }
}

fn select(index: &[u8], session: &mut Session) -> RespReply {
    match number(index).filter(|&index: &usize| index < DATABASES) {
        Some(index) => {
            session.database = index;
            RespReply::Status("OK")
        }
        None => RespReply::Error("ERR DB index is out of range".to_owned()),
    }
}

fn client(subcommand: &[u8], arguments: &[&[u8]], context: &mut CommandContext<'_>) -> RespReply {
    let own = context.session.id;
    match (subcommand.to_ascii_uppercase().as_slice(), arguments) {
        (b"SETNAME", [name]) => {
            if let Some(client) = context.clients.get_mut(own) {
                client.name = name.to_vec();
            }
            RespReply::Status("OK")
        }
        (b"GETNAME", []) => match context.clients.get_mut(own) {
            Some(client) if !client.name.is_empty() => RespReply::bulk(&client.name),
            _ => RespReply::Nil,
        },
        (b"ID", []) => RespReply::Int(own as i64),
        (b"INFO", []) => client_info(context),
        (b"KILL", filters) => kill(filters, context),
        _ => RespReply::Error(
            "ERR unknown subcommand: CLIENT takes SETNAME, GETNAME, ID, INFO, KILL ID|ADDR"
                .to_owned(),
        ),
    }
}

/// A line about the client itself.
fn client_info(context: &mut CommandContext<'_>) -> RespReply {
    let Session { id, database, resp3, .. } = *context.session;
    let Some(client) = context.clients.get_mut(id) else { return RespReply::Nil };
    let (name, resp) = (String::from_utf8_lossy(&client.name), if resp3 { 3 } else { 2 });
    RespReply::bulk(format!("id={id} addr={} name={name} db={database} resp={resp}\n", client.addr))
}

/// `CLIENT KILL [ID n] [ADDR a]`
fn kill(filters: &[&[u8]], context: &mut CommandContext<'_>) -> RespReply {
    let (mut id, mut addr) = (None, None);
    for filter in filters.chunks(2) {
        match filter {
            [name, value] if name.eq_ignore_ascii_case(b"ID") => match number(value) {
                Some(number) => id = Some(number),
                None => {
                    return RespReply::Error("ERR client-id should be greater than 0".to_owned());
                }
            },
            [name, value] if name.eq_ignore_ascii_case(b"ADDR") => addr = Some(*value),
            _ => return syntax_error(),
        }
    }
    if filters.is_empty() {
        return syntax_error();
    }
    RespReply::Int(context.clients.kill(context.session.id, id, addr) as i64)
}

/// redis-cli asks for this when it starts, and works with an empty reply, too.
fn command(options: &[&[u8]]) -> RespReply {
    match options.first().map(|option| option.to_ascii_uppercase()).as_deref() {
        Some(b"COUNT") => RespReply::Int(KNOWN.split(", ").count() as i64),
        Some(b"DOCS") => RespReply::Map(Vec::new()),
        _ => RespReply::Array(Vec::new()),
    }
}

fn info(context: &CommandContext<'_>) -> RespReply {
    let ServerFacts { run_id, port, uptime } = context.server;
    let mut text = format!(
        "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nserver_name:traitsink\r\n\
         run_id:{run_id}\r\ntcp_port:{port}\r\nuptime_in_seconds:{}\r\n\r\n\
         # Clients\r\nconnected_clients:{}\r\n\r\n\
         # Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\r\n\
         # Persistence\r\nloading:0\r\n\r\n\
         # Replication\r\nrole:master\r\n\r\n\
         # Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n",
        uptime.as_secs(),
        context.clients.len(),
    );
    for (index, (size, ending)) in context.databases.sizes().enumerate() {
        if size > 0 {
            text.push_str(&format!("db{index}:keys={size},expires={ending},avg_ttl=0\r\n"));
        }
    }
    RespReply::bulk(text)
}
