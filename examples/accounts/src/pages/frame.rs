//! [`Frame`]: what every page shows around what it is about.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use tower_session_guard::{AssuranceLevel, ReturnPath, Session};
use tower_session_guard_axum::{CurrentUser, Flash};

use super::time::Left;
use crate::{
    Site,
    users::{Role, User},
};

/// A page, and what becomes of the messages that it has shown.
pub(crate) type Page = (Flash, Markup);

/// Who looks at the page, and where.
pub(crate) struct Frame {
    pub(crate) session: Session,
    pub(crate) user: Option<CurrentUser<User>>,
    /// Where this page is, for a form that leads back.
    here: ReturnPath,
    left: Option<Left>,
    flash: Flash,
}

impl FromRequestParts<Site> for Frame {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let user = Option::<CurrentUser<User>>::from_request_parts(parts, site).await;
        let user = user.map_err(IntoResponse::into_response)?;
        let session = Session::from_request_parts(parts, site).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let Ok(flash) = Flash::from_request_parts(parts, site).await;
        let now = site.clock.now();
        let left = user
            .as_ref()
            .map(|user| Left::of(user.authenticated(), now));
        Ok(Self {
            session,
            user,
            here: if parts.method.is_safe() {
                ReturnPath::of_request(parts)
            } else {
                ReturnPath::default()
            },
            left,
            flash,
        })
    }
}

impl Frame {
    /// A page with this heading.
    pub(crate) fn page(self, heading: &str, content: &Markup) -> Page {
        self.titled(heading, heading, content)
    }

    /// The same after a mistake of the user, which the page's title tells first.
    pub(crate) fn page_with_error(self, heading: &str, content: &Markup) -> Page {
        self.titled(&format!("Error: {heading}"), heading, content)
    }

    fn titled(mut self, title: &str, heading: &str, content: &Markup) -> Page {
        let messages = self.flash.take();
        let header = html! { nav aria-label="Account" { (self.navigation()) } };
        let before = html! { @if self.session.actor().is_some() { (self.acting()) } };
        let after = html! { @if let Some(left) = &self.left { (self.time_left(left)) } };
        let content = html! {
            (before)
            main #content tabindex="-1" {
                h1 { (heading) }
                @for message in messages { p.flash.(message.level().as_str()) role="status" { (message.text()) } }
                (content)
            }
            (after)
        };
        let page = document(title, self.user.is_some(), &header, &content);
        (self.flash, page)
    }

    fn navigation(&self) -> Markup {
        let Some(user) = &self.user else {
            return html! { a href="/login" { "Log in" } a href="/signup" { "Sign up" } };
        };
        let level = self.session.level().map_or(0, AssuranceLevel::get);
        html! {
            span.who { (user.name) " " span.badge.good[level >= 2] { "level " (level) } }
            a href="/sessions" { "Sessions" }
            a href="/transfer" { "Transfer" }
            @if user.role == Role::Administrator { a href="/admin" { "Users" } }
            (self.button("/logout", "Log out", "quiet"))
        }
    }

    /// Says on every page that somebody acts as another user, with the way back.
    fn acting(&self) -> Markup {
        let Some((user, actor)) = self
            .user
            .as_ref()
            .and_then(|user| Some((user, user.actor()?)))
        else {
            return html! {};
        };
        html! {
            section.acting aria-label="Acting as another user" {
                p { (actor.name) ", you act as " strong { (user.name) } "." }
                (self.button("/return", "Return to your own account", ""))
            }
        }
    }

    /// How long the session lasts if nothing is done. The script warns some minutes before, and counts down.
    fn time_left(&self, left: &Left) -> Markup {
        html! {
            section #time-left data-seconds=(left.seconds()) data-last[left.at_the_latest] aria-label="Time left" {
                @if left.at_the_latest {
                    p { "Whatever you do here, you will be logged out " (left) "." }
                } @else {
                    p { "Unless you do something here, you will be logged out " (left) "." }
                }
                p #warning role="alert" {}
                @if !left.at_the_latest {
                    form method="post" action="/stay" {
                        (self.csrf())
                        input type="hidden" name="next" value=(self.here);
                        button.quiet { "Stay logged in" }
                    }
                }
            }
        }
    }

    /// The hidden field that shows that a form is ours.
    pub(crate) fn csrf(&self) -> Markup {
        html! {
            @if let Some(token) = self.session.csrf_token() {
                input type="hidden" name="csrf" value=(token);
            }
        }
    }

    /// A form that is nothing but a button.
    pub(crate) fn button(&self, action: &str, label: &str, class: &str) -> Markup {
        html! {
            form method="post" action=(action) {
                (self.csrf())
                button class=(class) { (label) }
            }
        }
    }
}

/// A page after a failure that knows of no session.
pub(crate) fn bare(title: &str, content: &Markup) -> Markup {
    let content = html! { main #content tabindex="-1" { h1 { (title) } (content) } };
    document(&format!("Error: {title}"), false, &html! {}, &content)
}

fn document(title: &str, live: bool, header: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Session Guard Bank" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg";
                @if live {
                    script src="/live.js" defer {}
                    script src="/time-left.js" defer {}
                }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header { a.brand href="/" { "Session Guard Bank" } (header) }
                (content)
                footer { "A demonstration of tower-session-guard. No money moves." }
            }
        }
    }
}
