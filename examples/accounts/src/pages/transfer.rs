//! A transfer of money, which the second factor guards.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::{DataKey, Session};
use tower_session_guard_axum::Flash;

use super::{Frame, Page, field::Field};
use crate::{failed::Failed, form::Checked};

/// What was transferred in this session. The same user keeps it over a login, nobody else sees it.
pub(crate) const TRANSFERS: DataKey<Vec<String>> = DataKey::new("transfers");

/// How many of them are kept.
const KEPT: usize = 5;

const BAD_TO: &str = "Write a name of 1 to 40 characters.";
const BAD_AMOUNT: &str = "Write a whole number from 1 to 10000.";

#[derive(Deserialize)]
pub(crate) struct Transfer {
    to: String,
    amount: String,
}

pub(crate) async fn form(frame: Frame) -> Page {
    let content = fields(&frame, ("", None), ("", None));
    frame.page("Transfer", &content)
}

type Typed<'a> = (&'a str, Option<&'a str>);

fn fields(frame: &Frame, (to, bad_to): Typed<'_>, (amount, bad_amount): Typed<'_>) -> Markup {
    let to = Field {
        name: "to",
        label: "To",
        autocomplete: "off",
        value: to,
        error: bad_to,
        first: bad_to.is_some() || bad_amount.is_none(),
        ..Field::default()
    };
    let amount = Field {
        name: "amount",
        label: "Amount",
        kind: Some("number"),
        autocomplete: "off",
        value: amount,
        error: bad_amount,
        first: !to.first,
        ..Field::default()
    };
    html! {
        form.card method="post" action="/transfer" {
            (frame.csrf())
            (to.markup())
            (amount.markup())
            button { "Transfer" }
            p.hint {
                "This page lets you in while your second factor counts: at level 2, proved within the last ten minutes."
            }
        }
    }
}

pub(crate) async fn transfer(
    session: Session,
    flash: Flash,
    frame: Frame,
    Checked(transfer): Checked<Transfer>,
) -> Result<Response, Failed> {
    let to = transfer.to.trim();
    let bad_to = !(1..=40).contains(&to.chars().count());
    let amount = transfer.amount.trim().parse().ok();
    let amount = amount.filter(|amount: &u32| (1..=10_000).contains(amount));
    let (false, Some(amount)) = (bad_to, amount) else {
        let to = (to, bad_to.then_some(BAD_TO));
        let amount = (&*transfer.amount, amount.is_none().then_some(BAD_AMOUNT));
        let fields = fields(&frame, to, amount);
        let page = frame.page_with_error("Transfer", &fields);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let made = format!("{amount} to {to}");
    let told = flash.success(format!("Transferred: {made}."));
    // Two transfers at a time are both kept.
    session.update(&TRANSFERS, move |list| {
        let mut list = list.unwrap_or_default();
        list.push(made.clone());
        let excess = list.len().saturating_sub(KEPT);
        list.drain(..excess);
        Some(list)
    })?;
    Ok((told, Redirect::to("/")).into_response())
}
