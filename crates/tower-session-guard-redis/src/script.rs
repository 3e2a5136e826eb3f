//! [`Script`]: a Lua script that the server runs as one step.

use std::{future::Future, sync::LazyLock};

use redis::{Cmd, RedisResult, ServerErrorKind, ToRedisArgs, Value};

/// What carries out commands.
pub(super) trait Server: Sync {
    fn run(&self, command: &Cmd) -> impl Future<Output = RedisResult<Value>> + Send;
}

/// A script and its digest.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) code: &'static str,
    pub(super) digest: LazyLock<String, fn() -> String>,
}

/// The script in a file, or in several that make one.
macro_rules! script {
    ($($file:literal),+) => {{
        const CODE: &str = concat!($(include_str!($file)),+);
        $crate::script::Script {
            code: CODE,
            digest: std::sync::LazyLock::new(|| {
                redis::Script::new(CODE).get_hash().to_owned()
            }),
        }
    }};
}
pub(super) use script;

pub(super) static CREATE: Script = script!("scripts/create.lua");
pub(super) static REPLACE: Script = script!("scripts/replace.lua");
pub(super) static REMOVE: Script = script!("scripts/remove.lua");
pub(super) static ENLIST: Script = script!("scripts/enlist.lua");
pub(super) static PAGE: Script = script!("scripts/page.lua");
pub(super) static HEAD: Script = script!("scripts/head.lua");
pub(super) static RAISE_CUTOFF: Script = script!("scripts/raise_cutoff.lua");
pub(super) static HOLD: Script = script!("feed/leases.lua", "feed/hold.lua");
pub(super) static HELD: Script = script!("feed/leases.lua", "feed/held.lua");
pub(super) static READ: Script = script!("feed/read.lua");

/// A script with its keys, to which arguments are added.
#[derive(Debug)]
pub(super) struct Call {
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    pub(super) fn on(&'static self, key: String) -> Call {
        Call {
            script: self,
            keys: vec![key],
            arguments: Vec::new(),
        }
    }
}

impl Call {
    /// Adds a key, which must be in the slot of the first.
    pub(super) fn beside(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    /// Runs the script: by its digest, and where the server does not know it, by its text.
    pub(super) async fn run(&self, server: &impl Server) -> RedisResult<Value> {
        let by_digest = self.command("EVALSHA", &self.script.digest);
        match server.run(&by_digest).await {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                server.run(&self.command("EVAL", self.script.code)).await
            }
            result => result,
        }
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        command.arg(&self.arguments);
        command
    }
}
