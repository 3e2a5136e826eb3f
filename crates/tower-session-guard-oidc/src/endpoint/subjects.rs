//! [`Subjects`]: whom a provider's `sub` means in the application.

use std::{error::Error, future::Future, pin::Pin};

use tower_session_guard::Subject;

/// The subject, if the application knows one.
type Found =
    Pin<Box<dyn Future<Output = Result<Option<Subject>, Box<dyn Error + Send + Sync>>> + Send>>;

/// Says whom a provider's `sub` means.
pub(super) trait Subjects: Send + Sync {
    fn find(&self, sub: String) -> Found;
}

/// The application logs in what the provider says.
pub(super) struct TheSame;

impl Subjects for TheSame {
    fn find(&self, sub: String) -> Found {
        Box::pin(async move { Ok(Some(sub.into())) })
    }
}

/// A closure of the application knows.
pub(super) struct AskedOf<F>(pub(super) F);

impl<F, R> Subjects for AskedOf<F>
where
    F: Fn(String) -> R + Send + Sync,
    R: Future<Output = Result<Option<Subject>, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn find(&self, sub: String) -> Found {
        Box::pin((self.0)(sub))
    }
}
