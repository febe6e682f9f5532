//! Whether a dump fits the database that it is to replace, and what of it doesn't come along.

use std::collections::BTreeSet;

use super::{Restore, replaces};
use crate::config::SettingsOf;
use crate::database::adapter::{Inventory, Right, Setting, Survey, Whose};
use crate::database::dump::Dump;
use crate::database::site::{Site, quoted};
use crate::error::{Error, Result};
use crate::task::Local;
use crate::ui::size;

impl Restore<'_, '_> {
    pub(super) fn must_fit(&self) -> Result<()> {
        let Restore { site, inventory, .. } = self;
        if let Some(error) = site.adapter.misfit(&site.survey, inventory) {
            return Err(site.explain(error));
        }
        if !self.is_beside()
            && let Some(error) = in_the_way(&site.survey, inventory)
        {
            return Err(site.explain(error));
        }
        if !site.survey.may_own {
            let owner = site.config.owner.as_deref().unwrap_or_default();
            return Err(site.explain(
                Error::task(format!("the role `{}` can't make databases for the role `{owner}`", site.survey.user))
                    .hint(format!("GRANT {owner} TO {}, or name another owner: database.owner", site.survey.user)),
            ));
        }
        self.must_have_room()
    }

    /// A dump that surely doesn't fit the server's disk is refused, and one that may not is told of.
    fn must_have_room(&self) -> Result<()> {
        let Restore { site, dump, inventory, .. } = self;
        let Some(room) = site.survey.room else { return Ok(()) };
        let whole = dump.manifest.as_ref().map(|manifest| manifest.database_bytes).filter(|bytes| *bytes > 0);
        // Rows are shorter on disk than as text, but hardly half as long.
        let least = if inventory.compressed { dump.bytes } else { dump.bytes / 2 };
        if room < whole.map_or(least, |whole| whole.min(least)) {
            return Err(site.explain(
                Error::task(format!(
                    "the dump of {} doesn't fit the disk of the database server, where {} are free",
                    size(dump.bytes),
                    size(room)
                ))
                .hint("make room there: df -h; replaced databases count too: database.keep_replaced"),
            ));
        }
        if let Some(whole) = whole.filter(|whole| room < *whole) {
            let (whole, room) = (size(whole), size(room));
            self.local.note(format!(
                "the dumped database took {whole} on its server's disk, and {room} are free on this one's: it may not fit"
            ));
        }
        Ok(())
    }

    /// What of the rights can't come since a role is missing, in words, and with the statements.
    pub(super) fn lost(&self) -> Vec<String> {
        let roles = &self.site.survey.roles;
        let is_missing = |right: &&Right| right.role().is_some_and(|role| !roles.iter().any(|known| known == role));
        let lost: Vec<_> = self.rights.iter().filter(is_missing).filter(|_| !roles.is_empty()).collect();
        let missing: BTreeSet<_> = lost.iter().filter_map(|right| right.role()).collect();
        let names: Vec<_> = missing.into_iter().map(|role| format!("`{role}`")).collect();
        let head =
            format!("loses    what roles may do that are missing: {}. Once they are there, run", names.join(", "));
        let lines = lost.iter().map(|right| format!("         {}", right.sql.replace('\n', " ")));
        let mut told = self.open_again();
        if !lost.is_empty() {
            told.extend(std::iter::once(head).chain(lines));
        }
        told
    }

    /// Before version 15 a new database's schema `public` belongs to the superuser, and everybody may make tables there.
    fn open_again(&self) -> Vec<String> {
        let survey = &self.site.survey;
        if survey.superuser || survey.major >= 15 || !self.is_beside() {
            return Vec::new();
        }
        let closes =
            |right: &&Right| right.sql.starts_with("REVOKE ") && right.sql.contains(" ON SCHEMA public FROM PUBLIC");
        let Some(right) = self.rights.iter().find(closes) else { return Vec::new() };
        vec![
            "opens    the schema `public` to everybody who makes tables there; a superuser closes it again by"
                .to_owned(),
            format!("         {}", right.sql),
        ]
    }

    /// What the dump lacks of the database that it was made of, and what is left out of it here, in words.
    pub(super) fn lacks(&self) -> Vec<String> {
        let made = self.dump.manifest.as_ref().map_or(&[][..], |manifest| &manifest.excluded);
        let here = self.site.config.exclude.extensions.iter().filter(|name| self.dropped.contains(name));
        let all: BTreeSet<_> = made.iter().cloned().chain(here.map(|name| format!("extension:{name}"))).collect();
        lacking(&all.into_iter().collect::<Vec<_>>())
    }
}

/// A line that says what doesn't come; none where everything does.
pub(in crate::database) fn lacking(words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    vec![
        format!("lacks    {}", quoted(words)),
        "         which are left out (`exclude`, `exclude_data`), and won't be there".to_owned(),
    ]
}

/// The settings of the dumped database that the one which is replaced lacks, where they come along: into a new one, and where
/// `settings` says so.
pub(in crate::database) fn coming<'s>(site: &Site<'_>, settings: &'s [Setting]) -> Vec<&'s Setting> {
    let lacking = settings.iter().filter(|setting| !site.survey.settings.contains(setting));
    if replaces(site) && site.config.settings == SettingsOf::Target { Vec::new() } else { lacking.collect() }
}

/// The line that says which settings come along from the stage `name`.
pub(in crate::database) fn setting(site: &Site<'_>, name: &str, settings: &[Setting]) -> Option<String> {
    let names: Vec<_> = coming(site, settings).into_iter().map(|setting| setting.name().to_owned()).collect();
    (!names.is_empty()).then(|| format!("sets     what sessions begin with as in stage `{name}`: {}", quoted(&names)))
}

/// Why the dump's tables can't be made in place: those of other roles stay, and have their names.
fn in_the_way(survey: &Survey, inventory: &Inventory) -> Option<Error> {
    let comes = |schema: &str, name: &str| inventory.tables.iter().any(|table| table.0 == schema && table.1 == name);
    let there = survey.strangers.iter().filter(|(schema, name, _)| comes(schema, name));
    let tables: Vec<_> = there.map(|(schema, name, owner)| format!("`{schema}.{name}` of `{owner}`")).collect();
    let user = &survey.user;
    (!tables.is_empty()).then(|| {
        Error::task(format!("tables of other roles are in the way of what the dump has: {}", tables.join(", ")))
            .hint(format!("let the role make databases, so that nothing has to go first: ALTER ROLE {user} CREATEDB"))
            .hint("or drop these tables, or give them to it: ALTER TABLE … OWNER TO …")
    })
}

/// Which rights come with a dump: all of the stage's own, of another stage's those of everybody. Who owns what comes unless
/// an owner is configured.
pub(super) fn brought(local: &Local<'_>, site: &Site<'_>, dump: &Dump, inventory: &Inventory) -> Vec<Right> {
    let stage = dump.manifest.as_ref().map(|manifest| &*manifest.stage).or(local.option("data-of"));
    let is_own = stage == Some(&*site.stage.name);
    let comes = |right: &&Right| match &right.whose {
        Whose::Everybodys => true,
        Whose::Roles(_) | Whose::Nobodys => is_own,
        Whose::Owners(role) => is_own && site.config.owner.is_none() && site.survey.owner.as_ref() != Some(role),
    };
    inventory.rights.iter().filter(comes).cloned().collect()
}
