//! One hash in Redis that all workers read and write, each for itself: on a connection that is kept
//! from question to question, to the server that owns the hash.

use redis::{Cmd, Value};
use tokio::sync::{Mutex, MutexGuard};

use super::errors::{Broken, Trouble, code_and_detail};
use super::link::Redirect;
use super::route::{KeyOwner, Route};
use super::wire::Connection;

/// Fields that are asked for at a time, about.
const PAGE: usize = 1000;
/// The largest reply that is read, in bytes; a page takes a tenth of a megabyte.
const MOST: usize = 16 << 20;

/// Names and values.
pub type HashFields = Vec<(Vec<u8>, Vec<u8>)>;

/// A hash that workers share.
pub struct SharedHash {
    route: Route,
    key: Vec<u8>,
    kept: Mutex<Option<KeptConnection>>,
}

struct KeptConnection {
    connection: Connection,
    owner: KeyOwner,
}

/// How a hash changed, as far as that can be seen without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashState {
    /// Its number of fields.
    pub len: u64,
    /// The value of the field that was asked for.
    pub field: Option<Vec<u8>>,
}

impl SharedHash {
    /// The commands that are sent, as an ACL names them.
    pub const COMMANDS: &'static [&'static str] = &["hget", "hlen", "hmget", "hscan", "hset"];

    /// The hash at `key`. Connects to nothing yet.
    pub fn new(route: Route, key: Vec<u8>) -> Self {
        Self { route, key, kept: Mutex::default() }
    }

    /// The number of fields, and the value of `field`.
    ///
    /// # Errors
    /// The server cannot be asked, or the key holds no hash.
    pub async fn state(&self, field: &str) -> Result<HashState, Trouble> {
        let commands = [self.command("HLEN"), self.command("HGET").arg(field).clone()];
        let mut kept = self.kept.lock().await;
        let replies = self.ask(&mut kept, &commands).await?;
        let [len, field]: [Value; 2] = replies.try_into().map_err(|_| malformed())?;
        Ok(HashState { len: read(len)?, field: read(field)? })
    }

    /// Reads all fields, a page at a time. Meanwhile others wait for their questions.
    pub async fn scan(&self) -> HashScan<'_> {
        let kept = self.kept.lock().await;
        HashScan { hash: self, kept, cursor: Some("0".to_owned()) }
    }

    /// The values of `fields`, in their order.
    ///
    /// # Errors
    /// As [`SharedHash::state`].
    pub async fn get(&self, fields: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
        let mut kept = self.kept.lock().await;
        let mut values = Vec::with_capacity(fields.len());
        for fields in fields.chunks(PAGE) {
            let command = self.command("HMGET").arg(fields).clone();
            let reply = self.ask(&mut kept, &[command]).await?.pop().ok_or_else(malformed)?;
            let page: Vec<Option<Vec<u8>>> = read(reply)?;
            values.extend(page);
        }
        if values.len() == fields.len() { Ok(values) } else { Err(malformed()) }
    }

    /// Sets `fields`, and with each page of them the field and value `mark`, at once.
    ///
    /// # Errors
    /// As [`SharedHash::state`]; some of the fields may be set.
    pub async fn set(
        &self,
        fields: &[(Vec<u8>, Vec<u8>)],
        mark: (&str, &str),
    ) -> Result<(), Trouble> {
        let mut kept = self.kept.lock().await;
        for fields in fields.chunks(PAGE) {
            let mut command = self.command("HSET");
            fields.iter().for_each(|(name, value)| _ = command.arg(name).arg(value));
            command.arg(mark.0).arg(mark.1);
            self.ask(&mut kept, &[command]).await?;
        }
        Ok(())
    }

    fn command(&self, name: &str) -> Cmd {
        redis::cmd(name).arg(&self.key).clone()
    }

    /// The replies to `commands`. A kept connection that has died since is replaced once.
    async fn ask(
        &self,
        kept: &mut Option<KeptConnection>,
        commands: &[Cmd],
    ) -> Result<Vec<Value>, Trouble> {
        let owner = self.route.owner(&self.key).await?;
        let mut used = kept.take().filter(|kept| kept.owner.is_same(&owner));
        let mut redirections = 0;
        let mut next = owner;
        loop {
            let was_used = used.is_some();
            let mut current = match used.take() {
                Some(current) => current,
                None => {
                    let connection = next.connector.connect().await?.with_reply_limit(MOST);
                    KeptConnection { connection, owner: next.clone() }
                }
            };
            let answered = match current.exchange(commands).await {
                Err(Broken::TooLarge) => return Err(Broken::TooLarge.into()),
                Err(_) if was_used => continue,
                answered => answered?,
            };
            match answered {
                Answered::All(replies) => {
                    *kept = Some(current);
                    return Ok(replies);
                }
                Answered::Refused(trouble) => return Err(trouble),
                Answered::Elsewhere(redirect) => {
                    next = self.route.owner_after(&redirect, &current.owner, redirections)?;
                    redirections += 1;
                }
            }
        }
    }
}

/// A hash that is being read.
pub struct HashScan<'a> {
    hash: &'a SharedHash,
    kept: MutexGuard<'a, Option<KeptConnection>>,
    /// Where the next page begins; `None`: there is none.
    cursor: Option<String>,
}

impl HashScan<'_> {
    /// The next page; `None`: there is none. A field that is there all the while is in at least one
    /// of them.
    ///
    /// # Errors
    /// As [`SharedHash::state`], or the server or the connection is another one meanwhile.
    pub async fn next(&mut self) -> Result<Option<HashFields>, Trouble> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let mut command = self.hash.command("HSCAN");
        command.arg(&cursor).arg("COUNT").arg(PAGE);
        let mut replies = match &mut *self.kept {
            // A position means nothing to another server, nor to one that was restarted.
            Some(current) if cursor != "0" => match current.exchange(&[command]).await {
                Ok(Answered::All(replies)) => replies,
                Ok(Answered::Refused(trouble)) => return Err(trouble),
                Ok(Answered::Elsewhere(_)) | Err(_) => {
                    *self.kept = None;
                    return Err(Broken::Closed.into());
                }
            },
            kept => self.hash.ask(kept, &[command]).await?,
        };
        let reply = replies.pop().ok_or_else(malformed)?;
        let (next, fields): (String, HashFields) = read(reply)?;
        self.cursor = (next != "0").then_some(next);
        Ok(Some(fields))
    }
}

enum Answered {
    All(Vec<Value>),
    Refused(Trouble),
    Elsewhere(Redirect),
}

impl KeptConnection {
    async fn exchange(&mut self, commands: &[Cmd]) -> Result<Answered, Broken> {
        let mut packed = Vec::new();
        for command in commands {
            if self.owner.asking {
                redis::cmd("ASKING").write_packed_command(&mut packed);
            }
            command.write_packed_command(&mut packed);
        }
        let each = if self.owner.asking { 2 } else { 1 };
        let mut replies = Vec::new();
        self.connection.exchange(&packed, each * commands.len(), &mut replies).await?;
        let replies: Vec<Value> = replies.into_iter().skip(each - 1).step_by(each).collect();
        for reply in &replies {
            let Value::ServerError(error) = reply else { continue };
            let (code, detail) = code_and_detail(error);
            let redirect =
                Redirect::read(code, detail).filter(|_| self.owner.connector.in_cluster());
            return Ok(match redirect {
                Some(redirect) => Answered::Elsewhere(redirect),
                None => Answered::Refused(self.connection.trouble(error)),
            });
        }
        Ok(Answered::All(replies))
    }
}

fn malformed() -> Trouble {
    Broken::Malformed.into()
}

fn read<T: redis::FromRedisValue>(reply: Value) -> Result<T, Trouble> {
    redis::from_redis_value(reply).map_err(|_| malformed())
}
