//! [`Script`]: a Lua script that the server runs as one step.

use std::sync::LazyLock;

use redis::{Cmd, RedisResult, ServerErrorKind, ToRedisArgs, Value};

use super::link::Link;

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

pub(super) static CREATE: Script = script!("create.lua");
pub(super) static REPLACE: Script = script!("replace.lua");
pub(super) static REMOVE_OF: Script = script!("remove_of.lua");
pub(super) static ENLIST: Script = script!("enlist.lua");
pub(super) static LIST: Script = script!("list.lua");

/// A script with its one key, to which arguments are added.
#[derive(Debug)]
pub(super) struct Call {
    script: &'static Script,
    key: String,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    pub(super) const fn on(&'static self, key: String) -> Call {
        Call {
            script: self,
            key,
            arguments: Vec::new(),
        }
    }
}

impl Call {
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    /// Runs the script: by its digest, and where the server does not know it, by its text.
    pub(super) async fn run(&self, link: &Link) -> RedisResult<Value> {
        match link
            .run(&self.command("EVALSHA", &self.script.digest))
            .await
        {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                link.run(&self.command("EVAL", self.script.code)).await
            }
            result => result,
        }
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(1).arg(&self.key);
        command.arg(&self.arguments);
        command
    }
}
