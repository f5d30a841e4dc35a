//! URLs: by the crate `url`; in a browser by the browser, whose tables a page need not load a second time.

#[cfg(target_arch = "wasm32")]
pub(crate) use self::browser::Url;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use url::Url;

#[cfg(target_arch = "wasm32")]
mod browser {
    //! What we use of the crate `url`, under its names.

    use std::fmt;

    use web_sys::Url as Native;

    /// An absolute URL, as the browser writes it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Url(String);

    impl Url {
        pub(crate) fn parse(address: &str) -> Result<Self, &'static str> {
            Native::new(address)
                .map(|url| Self(url.href()))
                .map_err(|_| "the browser cannot read it")
        }

        pub(crate) fn join(&self, path: &str) -> Result<Self, &'static str> {
            let joined = Native::new_with_base(path, &self.0);
            joined.map(|url| Self(url.href())).map_err(|_| "the browser cannot read it")
        }

        pub(crate) fn scheme(&self) -> &str {
            self.0.split(':').next().unwrap_or_default()
        }

        pub(crate) fn path(&self) -> String {
            self.native().map(|url| url.pathname()).unwrap_or_default()
        }

        pub(crate) fn set_path(&mut self, path: &str) {
            self.change(|url| url.set_pathname(path));
        }

        /// Like that of the native one, which may refuse.
        pub(crate) fn set_scheme(&mut self, scheme: &str) -> Result<(), ()> {
            self.change(|url| url.set_protocol(scheme));
            Ok(())
        }

        pub(crate) fn set_query(&mut self, query: Option<&str>) {
            self.change(|url| url.set_search(query.unwrap_or_default()));
        }

        pub(crate) fn set_username(&mut self, name: &str) {
            self.change(|url| url.set_username(name));
        }

        pub(crate) fn set_password(&mut self, password: Option<&str>) {
            self.change(|url| url.set_password(password.unwrap_or_default()));
        }

        pub(crate) fn query_pairs_mut(&mut self) -> Pairs<'_> {
            Pairs(self)
        }

        fn native(&self) -> Option<Native> {
            Native::new(&self.0).ok()
        }

        fn change(&mut self, change: impl FnOnce(&Native)) {
            if let Some(url) = self.native() {
                change(&url);
                self.0 = url.href();
            }
        }
    }

    /// The query of a URL, to be added to.
    pub(crate) struct Pairs<'a>(&'a mut Url);

    impl Pairs<'_> {
        pub(crate) fn append_pair(&mut self, name: &str, value: &str) -> &mut Self {
            self.0.change(|url| url.search_params().append(name, value));
            self
        }
    }

    impl From<Url> for String {
        fn from(url: Url) -> Self {
            url.0
        }
    }

    impl fmt::Display for Url {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }
}
