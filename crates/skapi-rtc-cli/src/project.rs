//! Which project of Skapi the service is for.

use clap::Args;
use skapi_rtc_protocol::Project;

use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// Service id that pages give to `new Skapi(service, owner)`; a compound id names the owner, too
    #[arg(long, value_name = "ID", env = "SKAPI_RTC_SERVICE")]
    service: Option<String>,
    /// Owner's id that pages give to `new Skapi(service, owner)`
    #[arg(long, value_name = "ID", env = "SKAPI_RTC_OWNER", requires = "service")]
    owner: Option<String>,
}

impl ProjectArgs {
    /// The project, if one is named.
    pub(crate) fn read(&self) -> Result<Option<Project>, Failure> {
        let project = |service: &String| Project::new(service, self.owner.as_deref());
        let project = self.service.as_ref().map(project).transpose();
        project.map_err(|error| Failure::new(Exit::Usage, error))
    }
}
