//! What the parts of a running server share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skapi_rtc_protocol::Project;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    address::PublicAddress,
    admission::Admission,
    auth::{Authenticator, DevAuthenticator, ResumeKey},
    config::Config,
    directory::Directory,
    limits::QueryGate,
    metrics::Metrics,
    router::Router,
    tls::Tls,
};

pub(crate) struct Shared {
    pub(crate) config: Config,
    /// The configured address, parsed.
    pub(crate) public_address: Option<PublicAddress>,
    pub(crate) tls: Option<Tls>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    /// Set in dev mode only.
    pub(crate) dev: Option<DevAuthenticator>,
    /// Signs the secrets by which clients come back.
    pub(crate) resume_key: ResumeKey,
    /// The project that a page named last; only dev sessions care.
    pub(crate) last_project: Mutex<Option<Project>>,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) router: Router,
    pub(crate) queries: Mutex<QueryGate>,
    pub(crate) admission: Mutex<Admission>,
    pub(crate) metrics: Arc<Metrics>,
    /// Every task of the server.
    pub(crate) tasks: TaskTracker,
    /// No new connections; those there are say goodbye.
    pub(crate) stopping: CancellationToken,
    /// Every task ends where it stands.
    pub(crate) killed: CancellationToken,
}

impl Shared {
    /// A page said which project it is made for.
    pub(crate) fn introduce(&self, project: Project) {
        if self.dev.is_some() {
            *lock(&self.last_project) = Some(project);
        }
    }
}

/// Locks, whatever happened to who held the lock before: one task that panicked must not take the
/// others with it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
