//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use fixation_audit::Severity;
use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::Value;

use crate::description::{AccountText, Description, ProbeText, StepText};
use crate::output::{Colour, Format};

pub(crate) enum Command {
    Help,
    Version,
    ListChecks,
    Explain(String),
    ExampleConfig,
    JsonSchema,
    Audit(Box<Arguments>),
}

/// What is done with the description.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Audit,
    /// One login, shown request by request.
    DryRun,
    /// The description in TOML, with what was found out by itself.
    PrintConfig,
}

#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) action: Action,
    pub(crate) config: Option<PathBuf>,
    /// What the flags say of the application; the file's say is added.
    pub(crate) described: Description,
    pub(crate) requests: Requests,
    pub(crate) format: Format,
    pub(crate) writes: Vec<(Format, PathBuf)>,
    pub(crate) sarif_location: Option<String>,
    pub(crate) colour: Colour,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// What flags say of requests.
#[derive(Default)]
pub(crate) struct Requests {
    pub(crate) login: RequestFlags,
    pub(crate) then: RequestFlags,
    pub(crate) elevate: RequestFlags,
    pub(crate) logout: RequestFlags,
    pub(crate) end_others: RequestFlags,
    pub(crate) change_password: RequestFlags,
}

/// What flags say of one request.
#[derive(Default)]
pub(crate) struct RequestFlags {
    pub(crate) request: Option<StepText>,
    /// Fields and headers that are added to it.
    pub(crate) fields: StepText,
    pub(crate) csrf: CsrfFlags,
}

/// Where a CSRF token comes from, and the header that it goes into.
#[derive(Clone, Default)]
pub(crate) struct CsrfFlags {
    pub(crate) page: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) json: Option<String>,
    pub(crate) header: Option<String>,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_iter(args);
    read(&mut parser).map_err(|error| format!("{error}; see --help"))
}

fn read(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let mut all = Arguments::default();
    let (mut first, mut second) = (AccountText::default(), AccountText::default());
    let mut probe = ProbeText::default();
    while let Some(arg) = parser.next()? {
        let flag = match arg {
            Arg::Value(url) if all.described.url.is_none() => {
                all.described.url = Some(url.string()?);
                continue;
            }
            Arg::Value(_) => return Err(arg.unexpected()),
            Arg::Short('h') => "help".to_owned(),
            Arg::Short('V') => "version".to_owned(),
            Arg::Short('c') => "config".to_owned(),
            Arg::Short('n') => "dry-run".to_owned(),
            Arg::Short('v') => "verbose".to_owned(),
            Arg::Short('q') => "quiet".to_owned(),
            Arg::Short(_) => return Err(arg.unexpected()),
            Arg::Long(name) => name.to_owned(),
        };
        match flag.as_str() {
            "help" => return Ok(Command::Help),
            "version" => return Ok(Command::Version),
            "list-checks" => return Ok(Command::ListChecks),
            "explain" => return Ok(Command::Explain(parser.value()?.string()?)),
            "example-config" => return Ok(Command::ExampleConfig),
            "json-schema" => return Ok(Command::JsonSchema),
            flag => {
                let known = all.flag(flag, parser)?
                    || account(&mut first, &mut second, flag, parser)?
                    || whoami(&mut probe, flag, parser)?
                    || all.description_flag(flag, parser)?
                    || all.request_flag(flag, parser)?;
                if !known {
                    return Err(Arg::Long(flag).unexpected());
                }
            }
        }
    }
    all.described.logged_in = Some(probe);
    let given = |account: &AccountText| !account.username.is_empty();
    all.described.accounts = [first, second].into_iter().filter(given).collect();
    Ok(Command::Audit(Box::new(all)))
}

impl Arguments {
    /// What the command does and how it reports.
    fn flag(&mut self, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        match flag {
            "config" => self.config = Some(parser.value()?.into()),
            "dry-run" => self.action = Action::DryRun,
            "print-config" => self.action = Action::PrintConfig,
            "format" => self.format = parser.value()?.parse_with(Format::parse)?,
            "write" => {
                let (format, file) = pair(parser)?;
                self.writes.push((Format::parse(&format)?, file.into()));
            }
            "sarif-location" => self.sarif_location = Some(parser.value()?.string()?),
            "colour" | "color" => self.colour = parser.value()?.parse_with(Colour::parse)?,
            "quiet" => self.quiet = true,
            "verbose" => self.verbose = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What stands at the top of a description.
    fn description_flag(&mut self, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        let described = &mut self.described;
        let limits = &mut described.limits;
        let openapi = &mut described.openapi;
        match flag {
            "name" => described.name = Some(parser.value()?.string()?),
            "framework" => described.framework = Some(parser.value()?.string()?),
            "bearer" => described.bearer = Some(parser.value()?.string()?),
            "token-header" => described.token_header = Some(parser.value()?.string()?),
            "token-scheme" => described.token_scheme = Some(parser.value()?.string()?),
            "header" => {
                let (name, value) = header(parser)?;
                described.headers.insert(name, value);
            }
            "visit" => described.visit.push(StepText {
                path: Some(parser.value()?.string()?),
                ..StepText::default()
            }),
            "allow-origin" => described.allow_origins.push(parser.value()?.string()?),
            "ca-file" => described.ca_file = Some(parser.value()?.into()),
            "insecure" => described.insecure = true,
            "time-limit" => limits.seconds = Some(parser.value()?.parse()?),
            "session-limit" => described.sessions.most = Some(parser.value()?.parse()?),
            "idle-limit" => described.sessions.idle = Some(parser.value()?.parse()?),
            "wait" => limits.wait = Some(parser.value()?.parse()?),
            "patience" => limits.patience = Some(parser.value()?.parse()?),
            "delay" => limits.delay = Some(parser.value()?.parse()?),
            "most-requests" => limits.requests = Some(parser.value()?.parse()?),
            "samples" => limits.samples = Some(parser.value()?.parse()?),
            "openapi" => openapi.document = Some(parser.value()?.string()?),
            "login-operation" => openapi.login = Some(parser.value()?.string()?),
            "whoami-operation" => openapi.whoami = Some(parser.value()?.string()?),
            "elevate-operation" => openapi.elevate = Some(parser.value()?.string()?),
            "logout-operation" => openapi.logout = Some(parser.value()?.string()?),
            "fail-on" => {
                let known = |text: &str| Severity::parse(text).ok_or("no such severity");
                described.fail_on = Some(parser.value()?.parse_with(known)?.name().to_owned());
            }
            "accept" => {
                let (id, reason) = pair(parser)?;
                described.accept.insert(id, reason);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A request and what belongs to it: `--login`, `--form` and the like, `--logout-form` and the like.
    fn request_flag(&mut self, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        let families = [
            ("then", &mut self.requests.then),
            ("elevate", &mut self.requests.elevate),
            ("logout", &mut self.requests.logout),
            ("end-others", &mut self.requests.end_others),
            ("change-password", &mut self.requests.change_password),
        ];
        let named = families.into_iter().find_map(|(family, flags)| {
            let part = flag.strip_prefix(family)?;
            match part.strip_prefix('-') {
                Some(part) => Some((flags, part)),
                None if part.is_empty() => Some((flags, "request")),
                None => None,
            }
        });
        let (flags, part) = named.unwrap_or(match flag {
            "login" => (&mut self.requests.login, "request"),
            "login-header" => (&mut self.requests.login, "header"),
            _ => (&mut self.requests.login, flag),
        });
        match part {
            "request" => flags.request = Some(request(&parser.value()?.string()?)),
            "form" => {
                let (name, value) = pair(parser)?;
                flags.fields.form.insert(name, value.into());
            }
            "json" => json_field(&mut flags.fields.json, parser)?,
            "header" => {
                let (name, value) = header(parser)?;
                flags.fields.headers.insert(name, value);
            }
            "csrf-page" => flags.csrf.page = Some(parser.value()?.string()?),
            "csrf-field" => flags.csrf.field = Some(parser.value()?.string()?),
            "csrf-cookie" => flags.csrf.cookie = Some(parser.value()?.string()?),
            "csrf-json" => flags.csrf.json = Some(parser.value()?.string()?),
            "csrf-header" => flags.csrf.header = Some(parser.value()?.string()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn account(
    first: &mut AccountText,
    second: &mut AccountText,
    flag: &str,
    parser: &mut Parser,
) -> Result<bool, lexopt::Error> {
    let (account, flag) = match flag.strip_prefix("second-") {
        Some(flag) => (second, flag),
        None => (first, flag),
    };
    match flag {
        "user" => account.username = parser.value()?.string()?,
        "password-env" => account.password_env = Some(parser.value()?.string()?),
        "password-file" => account.password_file = Some(parser.value()?.into()),
        "totp-env" => account.totp_env = Some(parser.value()?.string()?),
        "totp-file" => account.totp_file = Some(parser.value()?.into()),
        "shown-as" => account.shown_as = Some(parser.value()?.string()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn whoami(probe: &mut ProbeText, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
    match flag {
        "whoami" => probe.path = Some(parser.value()?.string()?),
        "whoami-status" => probe.status = Some(parser.value()?.parse()?),
        "whoami-text" => probe.text = Some(parser.value()?.string()?),
        "whoami-json" => probe.pointer = Some(parser.value()?.string()?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// `[METHOD:]PATH`
fn request(text: &str) -> StepText {
    let (method, path) = match text.split_once(':') {
        Some((method, path)) if method.bytes().all(|b| b.is_ascii_uppercase()) => (method, path),
        _ => ("POST", text),
    };
    StepText {
        method: Some(method.to_owned()),
        path: Some(path.to_owned()),
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

/// `NAME=VALUE`, or `NAME: VALUE` as in a request.
fn header(parser: &mut Parser) -> Result<(String, String), lexopt::Error> {
    let split = |text: &str| {
        text.split_once([':', '='])
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .ok_or("this takes NAME=VALUE")
    };
    parser.value()?.parse_with(split)
}

/// `NAME=TEXT`, or `NAME:=JSON`.
fn json_field(json: &mut Option<Value>, parser: &mut Parser) -> Result<(), lexopt::Error> {
    let (name, text) = pair(parser)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(&text)
                .map_err(|_| format!("the value of {name} is not JSON"))?;
            (name.to_owned(), value)
        }
        None => (name, text.into()),
    };
    let own = json.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(own) = own {
        own.insert(name, value);
    }
    Ok(())
}

/// Flags for the steps of a description that has none for them.
impl RequestFlags {
    /// The request with its fields, or the fields alone where the description has the request.
    pub(crate) fn into_steps(self, page: &str) -> Vec<StepText> {
        let Some(request) = self.request else {
            return Vec::new();
        };
        let mut steps = vec![request.with_fields(self.fields)];
        self.csrf.add(&mut steps, page);
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, parse};

    fn arguments(args: &[&str]) -> super::Arguments {
        let args = ["fixation-audit"].iter().chain(args);
        match parse(args.map(Into::into)) {
            Ok(Command::Audit(arguments)) => *arguments,
            Ok(_) => panic!("no audit"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn flags_belong_to_the_request_that_they_name() {
        let all = arguments(&[
            "http://a.test",
            "--login",
            "/in",
            "--form",
            "u={username}",
            "--csrf-field",
            "t",
            "--then",
            "PUT:/code",
            "--then-json",
            "n:=[1]",
            "--then-json",
            "code={totp}",
            "--logout",
            "/out",
            "--logout-csrf-page",
            "/me",
            "--logout-csrf-field",
            "t",
            "--logout-header",
            "X-A: b",
            "--header",
            "X-Forwarded-Proto=https",
        ]);
        let names: Vec<_> = all.requests.login.fields.form.keys().collect();
        assert_eq!(names, ["u"]);
        let login = all.requests.login.into_steps("/in");
        assert_eq!(login.len(), 2);
        assert!(login[1].form.contains_key("t"));
        let then = all.requests.then.into_steps("/code");
        assert_eq!(then[0].method.as_deref(), Some("PUT"));
        assert_eq!(
            then[0].json,
            Some(serde_json::json!({"n": [1], "code": "{totp}"}))
        );
        let logout = all.requests.logout.into_steps("/");
        assert_eq!(logout[0].path.as_deref(), Some("/me"));
        assert_eq!(logout[1].headers["X-A"], "b");
        assert_eq!(all.described.headers["X-Forwarded-Proto"], "https");
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        for args in [
            &["--nonsense"][..],
            &["a", "b"],
            &["--then-user", "x"],
            &["--json", "a:=b"],
            &["-x"],
        ] {
            let args = ["fixation-audit"].iter().chain(args);
            assert!(parse(args.map(Into::into)).is_err());
        }
    }
}
