//! The types that handlers of a framework put in their signatures: core's, each in a struct of the adapter's, so that
//! rustdoc lists their methods and a compiler error names them.

/// Defines `Session`, the guards of core, `Flows`, `Flash` and `Extract` in an adapter crate, as guards. `$extractor` is the
/// adapter's macro that makes an extractor of a guard: `extractor!([generics] Guard)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __adapter_types {
    ($extractor:ident) => {
        $crate::__adapter_type! {
            /// The session, whoever is or is not logged in, guests included: log in with `create`, out with `destroy`,
            /// change the payload with `update`, see and end the account's sessions with `list` and `revoke`. Its methods are
            /// those of [`core::Session`](session_core::Session), below.
            ///
            /// An error only where the answer is not known (503) or the request may not ask (403).
            #[derive(Clone)]
            #[doc(alias("create", "update", "destroy", "list", "refresh", "logout", "login"))]
            $extractor Session [U: $crate::SessionPayload] [U]
        }
        $crate::__adapter_type! {
            /// Somebody is logged in: 401 otherwise, or for a browser navigation a redirect to the login page. Dereferences
            /// to the user.
            $extractor Authenticated [U: $crate::SessionPayload] [U]
        }
        $crate::__adapter_type! {
            /// Whoever is logged in, if anybody: [`user`](session_core::MaybeAuthenticated::user).
            $extractor MaybeAuthenticated [U: $crate::SessionPayload] [U]
        }
        $crate::__adapter_type! {
            /// Somebody logged in less than `SECONDS` ago: 403 otherwise. Always asks the store. Dereferences to the user.
            $extractor Fresh [U: $crate::SessionPayload, const SECONDS: u64] [U, SECONDS]
        }
        $crate::__adapter_type! {
            /// Somebody with a session, logged in or a guest: 401 otherwise. Dereferences to the payload.
            $extractor Visitor [U: $crate::SessionPayload] [U]
        }
        $crate::__adapter_type! {
            /// A login that waits for its second factor: 401 or 403 otherwise. Dereferences to the user.
            $extractor Pending [U: $crate::SessionPayload] [U]
        }
        $crate::__adapter_type! {
            /// Somebody whose login is of level `LEVEL` or more: 403 otherwise. Always asks the store. Dereferences to the user.
            $extractor Level [U: $crate::SessionPayload, const LEVEL: u8] [U, LEVEL]
        }
        $crate::__adapter_type! {
            /// Somebody is logged in as themselves: 403 while somebody acts as them. Dereferences to the user.
            $extractor NotImpersonated [U: $crate::SessionPayload] [U]
        }

        $crate::__adapter_type! {
            /// What must survive a redirect to somebody else and back: [`begin`](session_core::Flows::begin) and
            /// [`take`](session_core::Flows::take). Needs no login.
            $extractor Flows [F: $crate::Flow] [F]
        }
        $crate::__adapter_type! {
            /// A message for the next page: [`set`](session_core::Flash::set) and [`take`](session_core::Flash::take).
            /// Needs no login.
            $extractor Flash [U: $crate::SessionPayload] [U]
        }

        /// Extracts any [`Guard`](session_core::Guard), also one of another crate. Dereferences to the guard.
        #[derive(Clone, Debug)]
        #[allow(clippy::exhaustive_structs, reason = "it is the guard, and nothing more")]
        pub struct Extract<G: $crate::Guard>(pub G);

        impl<G: $crate::Guard> ::std::ops::Deref for Extract<G> {
            type Target = G;

            fn deref(&self) -> &G {
                &self.0
            }
        }

        impl<G: $crate::Guard> $crate::Guard for Extract<G> {
            type Payload = G::Payload;
            const OPENS: bool = G::OPENS;

            async fn check(session: $crate::Session<G::Payload>) -> Result<Self, $crate::SessionError> {
                G::check(session).await.map(Self)
            }
        }

        $extractor!([G: $crate::Guard] Extract<G>);

        impl<U: $crate::SessionPayload> Authenticated<U> {
            /// The user, owned: a copy, since the session keeps its own.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload> MaybeAuthenticated<U> {
            /// The user, owned, if somebody is logged in.
            #[must_use]
            pub fn into_inner(self) -> Option<U> {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload, const SECONDS: u64> Fresh<U, SECONDS> {
            /// The user, owned.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload, const LEVEL: u8> Level<U, LEVEL> {
            /// The user, owned.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload> Visitor<U> {
            /// The payload, owned: a copy, since the session keeps its own.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload> Pending<U> {
            /// The payload, owned: a copy, since the session keeps its own.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload> NotImpersonated<U> {
            /// The user, owned.
            #[must_use]
            pub fn into_inner(self) -> U {
                self.0.into_inner()
            }
        }

        impl<U: $crate::SessionPayload> From<Session<U>> for $crate::Session<U> {
            fn from(session: Session<U>) -> Self {
                session.0
            }
        }
    };
}

/// Defines `Rejection`: a [`SessionError`](crate::SessionError) for which the adapter says how it is answered.
#[doc(hidden)]
#[macro_export]
macro_rules! __adapter_rejection {
    () => {
        /// A [`SessionError`] as a response: what extractors answer, and what a handler returns so that `?` works on the
        /// operations of a session.
        #[derive(Clone, Debug)]
        #[allow(clippy::exhaustive_structs, reason = "it is the error, and nothing more")]
        pub struct Rejection(pub $crate::SessionError);

        impl From<$crate::SessionError> for Rejection {
            fn from(error: $crate::SessionError) -> Self {
                Self(error)
            }
        }

        impl ::std::fmt::Display for Rejection {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::error::Error for Rejection {
            fn source(&self) -> Option<&(dyn ::std::error::Error + 'static)> {
                ::std::error::Error::source(&self.0)
            }
        }
    };
}

/// One of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __adapter_type {
    ($(#[$attribute:meta])* $extractor:ident $name:ident [$($generics:tt)*] [$($argument:tt)*]) => {
        $(#[$attribute])*
        pub struct $name<$($generics)*>($crate::$name<$($argument)*>);

        impl<$($generics)*> ::std::ops::Deref for $name<$($argument)*> {
            type Target = $crate::$name<$($argument)*>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<$($generics)*> $crate::Guard for $name<$($argument)*> {
            type Payload = <$crate::$name<$($argument)*> as $crate::Guard>::Payload;
            const OPENS: bool = <$crate::$name<$($argument)*> as $crate::Guard>::OPENS;

            async fn check(session: $crate::Session<Self::Payload>) -> Result<Self, $crate::SessionError> {
                <$crate::$name<$($argument)*> as $crate::Guard>::check(session).await.map(Self)
            }
        }

        impl<$($generics)*> ::std::fmt::Debug for $name<$($argument)*> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }

        $extractor!([$($generics)*] $name<$($argument)*>);
    };
}
