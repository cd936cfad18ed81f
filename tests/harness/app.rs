/// What a test wants served. Each framework's `serve` gives it the same routes, as plainly as that framework
/// writes them.
///
/// To come with the adapters: the `SessionManager` of the test, and the prefix of the session routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestApp {}
