//! The scripts that Redis runs: each is one atomic step. It is `epoch.lua`, the parts that it shares with others, and its own:
//! a function that is made costs Redis a quarter of a microsecond in each call, whether it is used or not.

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
                    include_str!("lua/epoch.lua"),
                    $(include_str!(concat!("lua/", $file, ".lua"))),+
                ))
            });
        )*
        #[cfg(test)]
        pub(crate) static ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

scripts! {
    CREATE = "subject" "life" "arrive" "usual" "times" "index" "news" "admit" "create";
    ADOPT = "subject" "life" "arrive" "times" "index" "news" "admit" "adopt";
    BAR = "forget" "bar";
    REPLACE = "subject" "life" "times" "replace";
    TOUCH = "subject" "life" "times" "index" "touch";
    DELETE = "subject" "index" "news" "delete";
    DELETE_ACCOUNT = "subject" "times" "index" "news" "forget" "delete_account";
    LIST = "subject" "index" "list";
    FENCE = "fence";
    COUNT = "subject" "times" "count";
    END_EPOCH = "end_epoch";
    SWEEP = "subject" "index" "sweep";
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
