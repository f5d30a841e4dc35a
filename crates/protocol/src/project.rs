//! A project of Skapi: which service a page is made for, and whose it is.

/// A service's id and its owner's, as `new Skapi(service, owner)` or `new Skapi(compound id)` takes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Project {
    /// The service's id; tokens carry it as `custom:service`.
    pub service: String,
    /// The owner's user id, where it is known.
    pub owner: Option<String>,
}

/// A text is not the id of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// Nothing is left of it.
    #[error("a service id must not be empty")]
    Empty,
    /// It is too long.
    #[error("a service id and an owner have at most {MAX_BYTES} bytes")]
    TooLong,
    /// It holds a control character.
    #[error("a service id and an owner must not contain {0:?}")]
    Character(char),
    /// It looks like a compound id, and cannot be taken apart.
    #[error("the compound service id cannot be taken apart; copy it from the project's page again")]
    Compound,
}

/// Ids of Skapi have a few dozen bytes.
const MAX_BYTES: usize = 256;
/// Digits of Skapi's ids, in the order of their values.
const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The regions that the first digit of a compound id's second part stands for.
const REGIONS: [&str; 22] = [
    "us31", "us72", "ap51", "ap22", "ap41", "eu71", "ap21", "us32", "us71", "af51", "ap31", "ap43",
    "ap23", "ap42", "ca01", "eu01", "eu72", "eu51", "eu73", "eu11", "me51", "sa31",
];

impl Project {
    /// Reads what a page gives to the constructor of Skapi's client. A compound id, which has one or six
    /// dashes, names the owner itself.
    ///
    /// # Errors
    /// When the service is no id, or a compound id that the client would refuse, too.
    pub fn new(service: &str, owner: Option<&str>) -> Result<Self, ProjectError> {
        check(service)?;
        if service.is_empty() {
            return Err(ProjectError::Empty);
        }
        let owner = owner.filter(|owner| !owner.is_empty());
        owner.map_or(Ok(()), check)?;
        match service.split('-').collect::<Vec<_>>()[..] {
            [first, second] => unpacked(first, second),
            [first, second, ref owner @ ..] if owner.len() == 5 => {
                joined(first, second, &owner.join("-"))
            }
            _ => Some(Self { service: service.to_owned(), owner: owner.map(str::to_owned) }),
        }
        .ok_or(ProjectError::Compound)
    }

    /// The part of the service's id under which the client looks its addresses up.
    pub fn region(&self) -> &str {
        let end = self.service.char_indices().nth(4);
        end.map_or(self.service.as_str(), |(end, _)| &self.service[..end])
    }
}

fn check(text: &str) -> Result<(), ProjectError> {
    if text.len() > MAX_BYTES {
        return Err(ProjectError::TooLong);
    }
    match text.chars().find(|c| c.is_control()) {
        Some(character) => Err(ProjectError::Character(character)),
        None => Ok(()),
    }
}

/// The short form: a digit that says how long the second part is; the rest of the first part; the second
/// part; the first two letters of the first. Then, after the dash, the owner's UUID as a number.
fn unpacked(packed: &str, owner: &str) -> Option<Project> {
    let length = usize::try_from(digit(packed.chars().next()?)?).ok()?;
    let compacted = &packed[1..];
    if !compacted.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let at = compacted.len().checked_sub(length + 2)?;
    let (rest, moved) = compacted.split_at(at);
    let (second, first) = moved.split_at(length);
    let owner = owner.chars().try_fold(0_u128, |value, character| {
        value.checked_mul(62)?.checked_add(u128::from(digit(character)?))
    });
    let owner = format!("{:032x}", owner?);
    let owner =
        [&owner[..8], &owner[8..12], &owner[12..16], &owner[16..20], &owner[20..]].join("-");
    joined(&format!("{first}{rest}"), second, &owner)
}

/// The long form: the service without its region, the region and the service's last letters, the owner.
fn joined(first: &str, second: &str, owner: &str) -> Option<Project> {
    let mut rest = second.chars();
    let region = REGIONS.get(usize::try_from(digit(rest.next()?)?).ok()?)?;
    let service = format!("{region}{first}{}", rest.as_str());
    Some(Project { service, owner: Some(owner.to_owned()) })
}

fn digit(character: char) -> Option<u32> {
    BASE62.find(character).and_then(|value| u32::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(service: &str) -> Option<(String, String)> {
        let project = Project::new(service, None).ok()?;
        Some((project.service, project.owner.unwrap_or_default()))
    }

    /// What the functions of skapi-js 1.5.8 make of the same texts.
    #[test]
    fn compound_ids_are_read_as_the_client_reads_them() {
        for (id, service, owner) in [
            (
                "5CdEf0GhIjAb-7NykRClhmP6Q7Un7kSEWTG",
                "us31AbCdEfGhIj",
                "f2b4c1a0-1111-4222-8333-444455556666",
            ),
            (
                "5cd12343wxyzab-1VgEh72lXvTXkH",
                "ap22abcd1234wxyz",
                "00000000-0000-4000-8000-000000000001",
            ),
            ("10ab-8", "us31ab", "00000000-0000-0000-0000-000000000008"),
            (
                "abc-Adef-f2b4c1a0-1111-4222-8333-444455556666",
                "ap31abcdef",
                "f2b4c1a0-1111-4222-8333-444455556666",
            ),
        ] {
            assert_eq!(read(id), Some((service.to_owned(), owner.to_owned())), "{id}");
        }
        for bad in [
            "a-b",
            "ab-0",
            "3ab-1",
            "0ab0-1",
            "10ab-!",
            "10äb-8",
            "-8",
            "5cd1234lwxyzab-7n42DGM5PW9UTFKxP3NWYh",
            "1ab0-zzzzzzzzzzzzzzzzzzzzzz",
            "10ab-zzzzzzzzzzzzzzzzzzzzzzz",
            "abc-a-f2b4c1a0-1111-4222-8333-444455556666",
        ] {
            assert_eq!(Project::new(bad, None), Err(ProjectError::Compound), "{bad}");
        }
    }

    #[test]
    fn a_plain_id_stays_as_it_is() {
        let project = Project::new("us31-my-service", Some("owner")).unwrap();
        assert_eq!((project.region(), project.owner.as_deref()), ("us31", Some("owner")));
        assert_eq!(Project::new("üöä", Some("")).unwrap().region(), "üöä");
        assert_eq!(Project::new("üöäßx", None).unwrap().region(), "üöäß");
        assert_eq!(Project::new("", None), Err(ProjectError::Empty));
        assert_eq!(Project::new("a\nb", None), Err(ProjectError::Character('\n')));
        assert_eq!(Project::new("a", Some("\0")), Err(ProjectError::Character('\0')));
        assert_eq!(Project::new(&"x".repeat(257), None), Err(ProjectError::TooLong));
    }
}
