//! Which proxy stands between, by the customary variables of the environment.
//!
//! *Sources*: the manual of curl, "Proxy environment variables"; RFC 9110, section 9.3.6.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::context::percent_decoded;

/// A proxy that is spoken to without TLS.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

/// It may have a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// The proxy for a host, if there is one. `HTTP_PROXY` in capitals is not looked at: a server
    /// that runs CGI programs sets it to what its clients say.
    pub(crate) fn of_environment(
        host: &str,
        is_tls: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let any = |names: &[&str]| {
            let mut found = names.iter().filter_map(|it| variable(it));
            found.find(|it| !it.is_empty())
        };
        if any(&["no_proxy", "NO_PROXY"]).is_some_and(|it| is_excepted(host, &it)) {
            return None;
        }
        let own: &[&str] = if is_tls {
            &["https_proxy", "HTTPS_PROXY"]
        } else {
            &["http_proxy"]
        };
        Self::parse(&any(own).or_else(|| any(&["all_proxy", "ALL_PROXY"]))?)
    }

    /// Reads `http://user:password@host:port`, or `host:port`. Other kinds are not spoken.
    fn parse(url: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return None,
            None => url,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (address, 80),
        };
        let host = host.trim_matches(['[', ']']);
        (!host.is_empty()).then(|| Self {
            host: host.to_owned(),
            port,
            authorization: user
                .map(|it| format!("Basic {}", BASE64_STANDARD.encode(percent_decoded(it)))),
        })
    }
}

/// Whether a host stands in a list like `localhost,.example.com`; a name stands for what is below it.
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let name = entry.trim_start_matches('.');
        entry == "*"
            || !name.is_empty()
                && host
                    .strip_suffix(name)
                    .is_some_and(|it| it.is_empty() || it.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_which_proxy() {
        let check =
            |host: &str, is_tls: bool, environment: &[(&str, &str)], expected: Option<&str>| {
                let proxy = Proxy::of_environment(host, is_tls, |name| {
                    let found = environment.iter().find(|(known, _)| *known == name);
                    found.map(|(_, value)| (*value).to_owned())
                });
                let shown = proxy.map(|it| format!("{it:?}"));
                assert_eq!(shown.as_deref(), expected, "{host} {environment:?}");
            };
        let both = &[("http_proxy", "http://a:1"), ("HTTPS_PROXY", "b:2/")];
        check("bell", false, both, Some("a:1"));
        check("bell", true, both, Some("b:2"));
        check("bell", false, &[("HTTP_PROXY", "http://a:1")], None);
        check("bell", true, &[("ALL_PROXY", "http://c")], Some("c:80"));
        check("bell", true, &[("ALL_PROXY", "socks5://c")], None);
        check("bell", false, &[], None);
        let except = |list| [("http_proxy", "http://a:1"), ("no_proxy", list)];
        check("x.bell.example", false, &except("bell.example"), None);
        check(
            "x.bell.example",
            false,
            &except("other, .bell.example"),
            None,
        );
        check(
            "mybell.example",
            false,
            &except("bell.example"),
            Some("a:1"),
        );
        check("mybell.example", false, &except("*"), None);
        check("mybell.example", false, &except(""), Some("a:1"));
    }

    #[test]
    fn who_asks_for_a_user_gets_one() {
        let proxy = Proxy::parse("http://ana:s3cret@proxy:3128").unwrap();
        assert_eq!(
            proxy.authorization.as_deref(),
            Some("Basic YW5hOnMzY3JldA==")
        );
        assert_eq!(format!("{proxy:?}"), "proxy:3128");
    }
}
