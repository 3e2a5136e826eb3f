//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use fixation_audit::Severity;
use lexopt::{Arg, Parser, ValueExt as _};

use crate::description::{AccountText, Description, ProbeText, StepText};
use crate::output::{Colour, Format};

pub(crate) enum Command {
    Help,
    Version,
    ListChecks,
    Audit(Box<Arguments>),
}

#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) config: Option<PathBuf>,
    /// What the flags say of the application; the file's say is added.
    pub(crate) described: Description,
    pub(crate) csrf_page: Option<String>,
    pub(crate) csrf_field: Option<String>,
    pub(crate) format: Format,
    pub(crate) writes: Vec<(Format, PathBuf)>,
    pub(crate) colour: Colour,
    pub(crate) quiet: bool,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_iter(args);
    read(&mut parser).map_err(|error| format!("{error}; see --help"))
}

fn read(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let mut all = Arguments::default();
    let mut body = StepText::default();
    let mut proof = StepText::default();
    let (mut first, mut second) = (AccountText::default(), AccountText::default());
    let mut probe = ProbeText::default();
    while let Some(arg) = parser.next()? {
        let described = &mut all.described;
        match arg {
            Arg::Value(url) if described.url.is_none() => described.url = Some(url.string()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("list-checks") => return Ok(Command::ListChecks),
            Arg::Short('c') | Arg::Long("config") => all.config = Some(parser.value()?.into()),
            Arg::Long("login") => described.login = vec![request(&parser.value()?.string()?)],
            Arg::Long("form") => insert(&mut body.form, parser)?,
            Arg::Long("json") => {
                let (name, value) = pair(parser)?;
                body.json.get_or_insert_default().insert(name, value.into());
            }
            Arg::Long("csrf-page") => all.csrf_page = Some(parser.value()?.string()?),
            Arg::Long("csrf-field") => all.csrf_field = Some(parser.value()?.string()?),
            Arg::Long("bearer") => described.bearer = Some(parser.value()?.string()?),
            Arg::Long("user") => first.username = parser.value()?.string()?,
            Arg::Long("password-env") => first.password_env = Some(parser.value()?.string()?),
            Arg::Long("password-file") => first.password_file = Some(parser.value()?.into()),
            Arg::Long("second-user") => second.username = parser.value()?.string()?,
            Arg::Long("second-password-env") => {
                second.password_env = Some(parser.value()?.string()?);
            }
            Arg::Long("second-password-file") => {
                second.password_file = Some(parser.value()?.into());
            }
            Arg::Long("whoami") => probe.path = Some(parser.value()?.string()?),
            Arg::Long("whoami-status") => probe.status = Some(parser.value()?.parse()?),
            Arg::Long("whoami-text") => probe.text = Some(parser.value()?.string()?),
            Arg::Long("whoami-json") => probe.pointer = Some(parser.value()?.string()?),
            Arg::Long("visit") => {
                let path = Some(parser.value()?.string()?);
                described.visit.push(StepText {
                    path,
                    ..StepText::default()
                });
            }
            Arg::Long("elevate") => described.elevate = vec![request(&parser.value()?.string()?)],
            Arg::Long("elevate-form") => insert(&mut proof.form, parser)?,
            Arg::Long("logout") => described.logout = vec![request(&parser.value()?.string()?)],
            Arg::Long("openapi") => described.openapi.document = Some(parser.value()?.string()?),
            Arg::Long("login-operation") => {
                described.openapi.login = Some(parser.value()?.string()?);
            }
            Arg::Long("whoami-operation") => {
                described.openapi.whoami = Some(parser.value()?.string()?);
            }
            Arg::Long("elevate-operation") => {
                described.openapi.elevate = Some(parser.value()?.string()?);
            }
            Arg::Long("logout-operation") => {
                described.openapi.logout = Some(parser.value()?.string()?);
            }
            Arg::Long("allow-origin") => described.allow_origins.push(parser.value()?.string()?),
            Arg::Long("time-limit") => described.limits.seconds = Some(parser.value()?.parse()?),
            Arg::Long("wait") => described.limits.wait = Some(parser.value()?.parse()?),
            Arg::Long("patience") => described.limits.patience = Some(parser.value()?.parse()?),
            Arg::Long("most-requests") => {
                described.limits.requests = Some(parser.value()?.parse()?);
            }
            Arg::Long("samples") => described.limits.samples = Some(parser.value()?.parse()?),
            Arg::Long("format") => all.format = parser.value()?.parse_with(Format::parse)?,
            Arg::Long("write") => {
                let (format, file) = pair(parser)?;
                all.writes.push((Format::parse(&format)?, file.into()));
            }
            Arg::Long("fail-on") => {
                let known = |text: &str| Severity::parse(text).ok_or("no such severity");
                described.fail_on = Some(parser.value()?.parse_with(known)?.name().to_owned());
            }
            Arg::Long("accept") => insert(&mut described.accept, parser)?,
            Arg::Long("colour" | "color") => {
                all.colour = parser.value()?.parse_with(Colour::parse)?;
            }
            Arg::Short('q') | Arg::Long("quiet") => all.quiet = true,
            _ => return Err(arg.unexpected()),
        }
    }
    let described = &mut all.described;
    described.login_fields = body;
    if let Some(step) = described.elevate.first_mut() {
        step.form = proof.form;
    }
    described.logged_in = Some(probe);
    let given = |account: &AccountText| !account.username.is_empty();
    described.accounts = [first, second].into_iter().filter(given).collect();
    Ok(Command::Audit(Box::new(all)))
}

/// `[METHOD:]PATH`
fn request(text: &str) -> StepText {
    let (method, path) = match text.split_once(':') {
        Some((method, path)) if method.bytes().all(|b| b.is_ascii_uppercase()) => (method, path),
        _ => ("POST", text),
    };
    let (method, path) = (Some(method.to_owned()), Some(path.to_owned()));
    StepText {
        method,
        path,
        ..StepText::default()
    }
}

/// `NAME=VALUE`
fn pair(parser: &mut Parser) -> Result<(String, String), lexopt::Error> {
    let split = |text: &str| {
        text.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .ok_or("this takes NAME=VALUE")
    };
    parser.value()?.parse_with(split)
}

fn insert(map: &mut BTreeMap<String, String>, parser: &mut Parser) -> Result<(), lexopt::Error> {
    let (name, value) = pair(parser)?;
    map.insert(name, value);
    Ok(())
}
