//! Where things are on a server, as Capistrano lays them out.

/// The paths of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    deploy_to: String,
}

impl Layout {
    /// The layout below the absolute path `deploy_to`.
    pub fn new(deploy_to: impl Into<String>) -> Layout {
        Layout { deploy_to: deploy_to.into() }
    }

    /// The folder of everything.
    pub fn root(&self) -> &str {
        &self.deploy_to
    }

    /// The folder of the releases.
    pub fn releases(&self) -> String {
        self.below("releases")
    }

    /// The folder of the release `stamp`.
    pub fn release(&self, stamp: &str) -> String {
        format!("{}/{stamp}", self.releases())
    }

    /// The link to the live release.
    pub fn current(&self) -> String {
        self.below("current")
    }

    /// What is linked into every release.
    pub fn shared(&self) -> String {
        self.below("shared")
    }

    /// The mirror of the repository.
    pub fn repo(&self) -> String {
        self.below("repo")
    }

    /// One line a deployment, in Capistrano's words.
    pub fn revisions_log(&self) -> String {
        self.below("revisions.log")
    }

    /// What this tool writes down for itself.
    pub fn records(&self) -> String {
        self.below(".deploy")
    }

    /// The stage's lock on this server.
    pub fn lock(&self) -> String {
        format!("{}/lock", self.records())
    }

    /// Where the run `token` writes down its process groups.
    pub fn groups(&self, token: &str) -> String {
        format!("{}.{token}.groups", self.lock())
    }

    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.deploy_to)
    }
}
