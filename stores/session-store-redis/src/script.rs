//! The scripts that Redis runs: each is one atomic step. It is the prelude, what it shares with another, and its own.

use std::sync::LazyLock;

use redis::Cmd;

use crate::keys::Base;

/// A script and the hash by which Redis knows it.
pub(crate) struct Script(redis::Script, String);

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::new(concat!(
                    include_str!("lua/prelude.lua"),
                    $(include_str!(concat!("lua/", $file, ".lua"))),+
                ))
            });
        )*
        #[cfg(test)]
        pub(crate) static ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

scripts! {
    CREATE = "admit" "create";
    ADOPT = "admit" "adopt";
    BAR = "forget" "bar";
    REPLACE = "replace";
    TOUCH = "touch";
    DELETE = "delete";
    DELETE_ACCOUNT = "forget" "delete_account";
    LIST = "list";
    FENCE = "fence";
    COUNT = "count";
    END_EPOCH = "end_epoch";
    SWEEP = "sweep";
}

impl Script {
    fn new(code: &str) -> Self {
        Self(redis::Script::new(code), code.to_owned())
    }

    /// Runs the script that Redis has.
    pub(crate) fn by_hash(&self, base: &Base, arguments: &[&[u8]]) -> Cmd {
        command("EVALSHA", self.0.get_hash(), base, arguments)
    }

    /// Gives Redis the script and runs it, in one round trip and on the right node.
    pub(crate) fn in_full(&self, base: &Base, arguments: &[&[u8]]) -> Cmd {
        command("EVAL", &self.1, base, arguments)
    }
}

fn command(name: &str, script: &str, base: &Base, arguments: &[&[u8]]) -> Cmd {
    let length = arguments.iter().map(|argument| argument.len()).sum::<usize>();
    let mut command = Cmd::with_capacity(
        4 + arguments.len(),
        name.len() + script.len() + 1 + base.as_bytes().len() + length,
    );
    command.arg(name).arg(script).arg(1).arg(base.as_bytes()).arg(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_stay_within_what_a_cluster_allows() {
        for script in ALL {
            assert!(script.1.contains("KEYS[1]") && !script.1.contains("KEYS[2]"), "all keys come from one");
        }
    }
}
